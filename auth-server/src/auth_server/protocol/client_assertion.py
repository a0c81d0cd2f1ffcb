"""Client assertions: JWTs by which a client proves who it is with a key of its own (RFC 7523 §2.2 and §3).

draft-ietf-oauth-rfc7523bis makes our issuer the one audience. Older clients name the token endpoint, which is accepted
too: the assertion is used up here, and no other server is called by either name.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.protocol import compact_jws, public_keys
from auth_server.protocol.public_keys import PublicKey
from shared_kernel.access_token import CLOCK_SKEW

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFETIME = 300
"""Most seconds that an assertion may have left."""
MAX_TOKEN_ID = 256
_TYPES = frozenset({None, "jwt", "client-authentication+jwt", "application/client-authentication+jwt"})
# Somebody's well-known keys: verifying with one takes as long as with the client's own.
_DECOYS = public_keys.read(
    {
        "keys": [
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
                "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
            },
            {"kty": "RSA", "n": "_" * 341 + "w", "e": "AQAB"},
            {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        ]
    }
)


class Defect(StrEnum):
    """What is wrong with an assertion: for the log, never for the client."""

    WRONG_KIND = "wrong_kind"
    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    TYPE = "type"
    ISSUER = "issuer"
    OTHER_CLIENT = "other_client"
    AUDIENCE = "audience"
    NO_TOKEN_ID = "no_token_id"
    NO_EXPIRY = "no_expiry"
    EXPIRED = "expired"
    TOO_LONG_LIVED = "too_long_lived"
    NOT_YET_VALID = "not_yet_valid"
    NO_SUCH_CLIENT = "no_such_client"
    NO_SUCH_KEY = "no_such_key"
    SIGNATURE = "signature"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion that has the right form; none of it is verified. `not_before` is the later of `nbf` and `iat`."""

    client_id: str
    algorithm: str
    key_id: str | None
    audience: str
    token_id: str
    expires_at: float
    not_before: float
    signed: bytes
    signature: bytes


def read(text: str) -> Assertion:
    """The assertion in a compact JWS. Raises Refused (CLIENT_NOT_AUTHENTICATED)."""
    try:
        jws = compact_jws.read(text)
    except compact_jws.Unreadable as error:
        is_algorithm = isinstance(error, compact_jws.UnknownAlgorithm)
        raise refused(Defect.ALGORITHM if is_algorithm else Defect.MALFORMED) from error
    if jws.kind not in _TYPES:
        raise refused(Defect.TYPE)
    return Assertion(
        client_id=_client_id(jws.claims),
        algorithm=jws.algorithm,
        key_id=jws.key_id,
        audience=_audience(jws.claims.get("aud")),
        token_id=_token_id(jws.claims.get("jti")),
        expires_at=_time(jws.claims, "exp", Defect.NO_EXPIRY),
        not_before=max(_time(jws.claims, name) for name in ("nbf", "iat")),
        signed=jws.signed,
        signature=jws.signature,
    )


def check(assertion: Assertion, deployment: Deployment, now: float) -> None:
    """Raises Refused (CLIENT_NOT_AUTHENTICATED) unless the assertion is meant for this server, and for now."""
    if assertion.audience not in {deployment.issuer, f"{deployment.issuer}/token"}:
        raise refused(Defect.AUDIENCE)
    if assertion.expires_at + CLOCK_SKEW <= now:
        raise refused(Defect.EXPIRED)
    if assertion.expires_at > now + MAX_LIFETIME + CLOCK_SKEW:
        raise refused(Defect.TOO_LONG_LIVED)
    if assertion.not_before > now + CLOCK_SKEW:
        raise refused(Defect.NOT_YET_VALID)


def verify(assertion: Assertion, key: PublicKey | None, otherwise: Defect) -> None:
    """Raises Refused (CLIENT_NOT_AUTHENTICATED) unless the signature is the key's; `otherwise` says why there is none.

    That takes as long where there is no key.
    """
    tried = key or public_keys.chosen(_DECOYS, assertion.algorithm, None)
    assert tried is not None  # there is a decoy for every algorithm
    if not public_keys.verifies(tried, assertion.algorithm, assertion.signed, assertion.signature) or key is None:
        raise refused(otherwise if key is None else Defect.SIGNATURE)


def refused(defect: Defect) -> Refused:
    """The refusal of an assertion."""
    reason = Reason.CLIENT_ASSERTION_REUSED if defect is Defect.REPLAYED else Reason.CLIENT_NOT_AUTHENTICATED
    return Refused(reason, Facts(defect=defect.value))


def _client_id(claims: Mapping[str, Any]) -> str:
    issuer, subject = claims.get("iss"), claims.get("sub")
    # RFC 7523 §3: 'For client authentication, the subject MUST be the "client_id"'; rfc7523bis §3: so must the issuer.
    if not isinstance(subject, str) or not subject or issuer != subject:
        raise refused(Defect.ISSUER)
    return subject


def _audience(value: object) -> str:
    """The one audience. rfc7523bis §4: an assertion for several servers could be used at each by the others."""
    only = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(only, str):
        raise refused(Defect.AUDIENCE)
    return only


def _token_id(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN_ID:
        raise refused(Defect.NO_TOKEN_ID)
    return value


def _time(claims: Mapping[str, Any], name: str, missing: Defect | None = None) -> float:
    """A NumericDate (RFC 7519 §2). Without `missing`, one that is left out is at the beginning of time."""
    value = claims.get(name)
    if value is None and missing is None:
        return -math.inf
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(missing or Defect.MALFORMED)
    try:
        return float(value)
    except OverflowError as error:
        raise refused(Defect.MALFORMED) from error
