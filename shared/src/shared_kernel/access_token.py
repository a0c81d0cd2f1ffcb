"""The access token that auth-server mints and mcp-server verifies: a JWT of RFC 9068.

Writer and reader stand side by side because the format is an API between two deployments: golden tokens in tests/ pin
it, and a reader accepts the current form and the previous one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64decode

from shared_kernel import dpop, scope, strict_json
from shared_kernel.signer import ALGORITHM, ORDER, Signer

LIFETIME = 600
"""Seconds from `iat` to `exp`."""
CLOCK_SKEW = 60
"""Seconds by which the two services' clocks may differ."""
MAX_LENGTH = 8192
"""Longest token read, in characters; a longer one is refused before it costs anything."""
# RFC 9068 §2.1: 'the "typ" value used SHOULD be "at+jwt"', the prefix "application/" allowed.
_TYPES = frozenset({"at+jwt", "application/at+jwt"})
_encode = msgspec.json.Encoder().encode
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])
_TEXT_CLAIMS = ("iss", "sub", "client_id", "jti", "gid", "tenant")


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of an access token whose signature, issuer, audience and lifetime have been checked.

    `grant_handle` (`gid`) names the grant it was issued under; `roles` are its person's in the tenant, none for a
    client that acts for itself. Times are seconds since the epoch. One with a `key_thumbprint` is good only beside a
    proof by that key (RFC 9449 §6.1).
    """

    issuer: str
    subject: str
    audience: str
    client_id: str
    scopes: frozenset[str]
    issued_at: int
    expires_at: int
    token_id: str
    grant_handle: str
    tenant: str
    key_id: str
    key_thumbprint: str | None = None
    roles: frozenset[str] = frozenset()


class Refusal(StrEnum):
    """Why a token was not accepted. For logs and tests; a client only ever learns `invalid_token`."""

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    WRONG_ALGORITHM = "wrong_algorithm"
    WRONG_TYPE = "wrong_type"
    CRITICAL_HEADER = "critical_header"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    BAD_CLAIMS = "bad_claims"
    WRONG_ISSUER = "wrong_issuer"
    WRONG_AUDIENCE = "wrong_audience"
    WRONG_CLIENT = "wrong_client"
    WRONG_TENANT = "wrong_tenant"
    TOO_LONG_LIVED = "too_long_lived"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    REVOKED = "revoked"


class TokenRefused(Exception):
    """The token is not valid here; carries the Refusal."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The content of a token; issue() adds the times. `audience` is one canonical resource.

    `key_thumbprint` is that of the key that the token is bound to, None for a bearer token.
    """

    issuer: str
    subject: str
    audience: str
    client_id: str
    scopes: frozenset[str]
    tenant: str
    grant_handle: str
    token_id: str
    key_thumbprint: str | None = None
    roles: frozenset[str] = frozenset()


def issue(signer: Signer, claims: Claims, now: float, lifetime: int = LIFETIME) -> str:
    """A signed token, valid from `now` for `lifetime` seconds, at most LIFETIME."""
    issued_at = int(now)
    payload: dict[str, Any] = {
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "client_id": claims.client_id,
        "scope": scope.join(claims.scopes),
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + min(lifetime, LIFETIME),
        "jti": claims.token_id,
        "gid": claims.grant_handle,
        "tenant": claims.tenant,
    }
    if claims.key_thumbprint is not None:
        payload["cnf"] = {"jkt": claims.key_thumbprint}
    if claims.roles:
        payload["roles"] = sorted(claims.roles)
    return signer.sign(_encode(payload), "at+jwt")


class Unverified(NamedTuple):
    """A token whose header has passed every check that needs no key, and the `kid` that it claims to be signed with."""

    token: str
    key_id: str


def unverified(token: str) -> Unverified:
    """What decides which key a token is to be tried with. Raises TokenRefused."""
    return Unverified(token, str(_checked_header(token)["kid"]))


def unverified_key_id(token: str) -> str:
    """The `kid` a token claims to be signed with, to decide whether to refetch the key set. Raises TokenRefused."""
    return unverified(token).key_id


def verify(token: str, *, keys: Mapping[str, ECKey], issuer: str, audience: str, now: float) -> AccessToken:
    """The claims of a token that is valid here and now; `keys` maps `kid` to public key. Raises TokenRefused."""
    read = unverified(token)
    key = keys.get(read.key_id)
    if key is None:
        raise TokenRefused(Refusal.UNKNOWN_KEY)
    return verify_with(key, read, issuer=issuer, audience=audience, now=now)


def verify_with(key: ECKey, read: Unverified, *, issuer: str, audience: str, now: float) -> AccessToken:
    """The claims of a token that is valid here and now, by the public key of its key id. Raises TokenRefused."""
    try:
        signed = jws.deserialize_compact(read.token, key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise TokenRefused(Refusal.BAD_SIGNATURE) from error
    # One token has one text: issue() writes the lower of the two values of s.
    if int.from_bytes(urlsafe_b64decode(signed.segments["signature"])[32:]) > ORDER // 2:
        raise TokenRefused(Refusal.BAD_SIGNATURE)
    claims = _json_object(signed.payload, Refusal.BAD_CLAIMS)
    for name in _TEXT_CLAIMS:
        if not claims.get(name) or not isinstance(claims[name], str):
            raise TokenRefused(Refusal.BAD_CLAIMS)
    for name in ("iat", "nbf", "exp"):
        if type(claims.get(name)) is not int:
            raise TokenRefused(Refusal.BAD_CLAIMS)
    # RFC 9068 §4: "The issuer identifier [...] MUST exactly match the value of the "iss" claim."
    if claims["iss"] != issuer:
        raise TokenRefused(Refusal.WRONG_ISSUER)
    # RFC 9068 §4: we must be among the audiences; our tokens name exactly one, so any other form is not ours.
    if claims.get("aud") != audience:
        raise TokenRefused(Refusal.WRONG_AUDIENCE)
    # A stolen key must not sign a token that outlives the key's withdrawal.
    if claims["exp"] - claims["iat"] > LIFETIME:
        raise TokenRefused(Refusal.TOO_LONG_LIVED)
    if now >= claims["exp"] + CLOCK_SKEW:
        raise TokenRefused(Refusal.EXPIRED)
    if now < max(claims["nbf"], claims["iat"]) - CLOCK_SKEW:
        raise TokenRefused(Refusal.NOT_YET_VALID)
    return AccessToken(
        issuer=issuer,
        subject=claims["sub"],
        audience=audience,
        client_id=claims["client_id"],
        scopes=_scopes(claims.get("scope")),
        issued_at=claims["iat"],
        expires_at=claims["exp"],
        token_id=claims["jti"],
        grant_handle=claims["gid"],
        tenant=claims["tenant"],
        key_id=read.key_id,
        key_thumbprint=thumbprint(claims["cnf"]) if "cnf" in claims else None,
        roles=_roles(claims.get("roles", [])),
    )


def _checked_header(token: str) -> dict[str, Any]:
    """The protected header, after every check that needs no key."""
    if len(token) > MAX_LENGTH:
        raise TokenRefused(Refusal.TOO_LONG)
    segments = token.split(".")
    if len(segments) != 3 or not token.isascii():  # five segments would be a JWE
        raise TokenRefused(Refusal.MALFORMED)
    try:
        raw = urlsafe_b64decode(segments[0].encode("ascii"))
    except ValueError as error:
        raise TokenRefused(Refusal.MALFORMED) from error
    header = _json_object(raw, Refusal.MALFORMED)
    # RFC 8725 §3.1: "Libraries MUST enable the caller to specify a supported set of algorithms"
    if header.get("alg") != ALGORITHM:
        raise TokenRefused(Refusal.WRONG_ALGORITHM)
    if str(header.get("typ", "")).lower() not in _TYPES:
        raise TokenRefused(Refusal.WRONG_TYPE)
    # RFC 7515 §4.1.11: we understand no extension, so any "crit" makes the JWS invalid.
    if "crit" in header:
        raise TokenRefused(Refusal.CRITICAL_HEADER)
    if not isinstance(header.get("kid"), str):
        raise TokenRefused(Refusal.UNKNOWN_KEY)
    return header


def _json_object(raw: bytes, reason: Refusal) -> dict[str, Any]:
    try:
        return strict_json.parse_object(raw)
    except strict_json.Unreadable as error:
        raise TokenRefused(reason) from error


def thumbprint(confirmation: object) -> str:
    """The key in a `cnf` claim, by its thumbprint. Raises TokenRefused.

    A confirmation that we cannot check must not be taken for none (RFC 7800 §3.1).
    """
    found = confirmation.get("jkt") if isinstance(confirmation, dict) and len(confirmation) == 1 else None
    if not isinstance(found, str) or not dpop.is_thumbprint(found):
        raise TokenRefused(Refusal.BAD_CLAIMS)
    return found


def _scopes(value: object) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, str):
        raise TokenRefused(Refusal.BAD_CLAIMS)
    try:
        return scope.parse(value)
    except scope.MalformedScope as error:
        raise TokenRefused(Refusal.BAD_CLAIMS) from error


def _roles(value: object) -> frozenset[str]:
    """RFC 9068 §2.2.3.1; tokens of the previous form have none."""
    if not isinstance(value, list) or not all(isinstance(role, str) and role for role in value):
        raise TokenRefused(Refusal.BAD_CLAIMS)
    return frozenset(value)
