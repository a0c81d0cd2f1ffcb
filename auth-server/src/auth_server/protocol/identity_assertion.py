"""Identity assertions of a company's identity provider, ID-JAG: who somebody is, for one client at this server.

draft-ietf-oauth-identity-assertion-authz-grant, in the profile that MCP makes of it (enterprise-managed authorization);
RFC 7523 §2.1. Not through Authlib: its grant lets the JOSE library choose among algorithms, and marks the assertion as
used in the middle of its checks.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from auth_server.domain.client import Client
from auth_server.domain.deployment import AssertionIssuer, Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.domain.user import MalformedEmail, vouched_email
from auth_server.protocol import compact_jws, resource_indicator
from auth_server.protocol.compact_jws import CompactJws
from auth_server.protocol.parameters import Parameters
from shared_kernel import scope
from shared_kernel.access_token import CLOCK_SKEW

PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag"
MAX_LIFETIME = 300
"""Most seconds between `iat` and `exp`."""
MAX_TEXT = 256
_TYPES = frozenset({"oauth-id-jag+jwt", "application/oauth-id-jag+jwt"})
# What restricts or extends an assertion in a way that is not served must not be passed over.
_NOT_SERVED = ("cnf", "authorization_details")


class Defect(StrEnum):
    """What is wrong with an assertion: for the log, never for the client."""

    MALFORMED = "malformed"
    TYPE = "type"
    ISSUER = "issuer"
    AUDIENCE = "audience"
    OTHER_CLIENT = "other_client"
    NO_TOKEN_ID = "no_token_id"
    TIMES = "times"
    EXPIRED = "expired"
    TOO_LONG_LIVED = "too_long_lived"
    NOT_YET_VALID = "not_yet_valid"
    NOT_SERVED = "not_served"
    RESOURCE = "resource"
    SCOPE = "scope"
    NO_SUBJECT = "no_subject"
    EMAIL = "email"
    NO_SUCH_KEY = "no_such_key"
    SIGNATURE = "signature"
    NO_SUCH_PERSON = "no_such_person"
    NO_MEMBER = "no_member"
    REPLAYED = "replayed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class IdentityAssertion:
    """An assertion that is good but for its signature, which is not verified.

    `scopes` is None where the issuer does not restrict them; `resource` is canonical, `email` normalised.
    """

    jws: CompactJws
    issuer: AssertionIssuer
    token_id: str
    expires_at: float
    email: str
    resource: str
    scopes: frozenset[str] | None


def judge(text: str, client: Client, deployment: Deployment, now: float) -> IdentityAssertion:
    """The assertion, if it is for that client, for this server alone, and for now.

    Raises Refused (ASSERTION_NOT_VALID, with the Defect among its facts).
    """
    try:
        jws = compact_jws.read(text)
    except compact_jws.Unreadable as error:
        raise refused(Defect.MALFORMED) from error
    if jws.kind not in _TYPES:
        raise refused(Defect.TYPE)
    claims = jws.claims
    issuer = next((each for each in deployment.assertion_issuers if each.issuer == claims.get("iss")), None)
    if issuer is None:
        raise refused(Defect.ISSUER)
    # An assertion for several servers could be used at each by the others.
    if claims.get("aud") not in (deployment.issuer, [deployment.issuer]):
        raise refused(Defect.AUDIENCE)
    if claims.get("client_id") != client.client_id:
        raise refused(Defect.OTHER_CLIENT)
    if any(name in claims for name in _NOT_SERVED):
        raise refused(Defect.NOT_SERVED)
    if not _is_text(claims.get("sub")):
        raise refused(Defect.NO_SUBJECT)
    return IdentityAssertion(
        jws=jws,
        issuer=issuer,
        token_id=_token_id(claims),
        expires_at=_expiry(claims, now),
        email=_email(claims),
        resource=_resource(claims, deployment),
        scopes=_scopes(claims),
    )


def allowed_scopes(
    given: Parameters, assertion: IdentityAssertion, client: Client, deployment: Deployment
) -> frozenset[str]:
    """What the token may do: what the client may and the issuer grants, of that what is asked for.

    Raises Refused: SCOPE_NOT_ALLOWED, UNKNOWN_RESOURCE.
    """
    resource_indicator.resolve(given.resources, deployment, assertion.resource)
    # No refresh token, as the issuer is asked again for each token; and who somebody is, the client knows from there.
    policy = client.scopes.intersection(scope.RESOURCE_SCOPES)
    ceiling = policy if assertion.scopes is None else policy & assertion.scopes
    try:
        asked = scope.parse(given.get("scope") or "") or ceiling
    except scope.MalformedScope as error:
        raise Refused(Reason.SCOPE_NOT_ALLOWED) from error
    # RFC 7521 §4.1: "the requested scope MUST be equal to or less than the scope originally granted"
    if not asked or not asked <= ceiling:
        raise Refused(Reason.SCOPE_NOT_ALLOWED)
    return asked


def refused(defect: Defect) -> Refused:
    """The refusal of an assertion."""
    reason = Reason.ASSERTION_REUSED if defect is Defect.REPLAYED else Reason.ASSERTION_NOT_VALID
    return Refused(reason, Facts(defect=defect.value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT


def _token_id(claims: Mapping[str, Any]) -> str:
    if not _is_text(claims.get("jti")):
        raise refused(Defect.NO_TOKEN_ID)
    return str(claims["jti"])


def _expiry(claims: Mapping[str, Any], now: float) -> float:
    issued_at, expires_at = _time(claims, "iat"), _time(claims, "exp")
    not_before = _time(claims, "nbf") if "nbf" in claims else -math.inf
    if expires_at - issued_at > MAX_LIFETIME:
        raise refused(Defect.TOO_LONG_LIVED)
    if expires_at + CLOCK_SKEW <= now or expires_at <= issued_at:
        raise refused(Defect.EXPIRED)
    if max(issued_at, not_before) > now + CLOCK_SKEW:
        raise refused(Defect.NOT_YET_VALID)
    return expires_at


def _time(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519 §2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(Defect.TIMES)
    try:
        return float(value)
    except OverflowError as error:
        raise refused(Defect.TIMES) from error


def _email(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified", True) is not True:
        raise refused(Defect.EMAIL)
    try:
        return vouched_email(email)
    except MalformedEmail as error:
        raise refused(Defect.EMAIL) from error


def _resource(claims: Mapping[str, Any], deployment: Deployment) -> str:
    value = claims.get("resource")
    only = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(only, str) or not only:
        raise refused(Defect.RESOURCE)
    try:
        return resource_indicator.resolve([only], deployment)
    except Refused as error:
        raise refused(Defect.RESOURCE) from error


def _scopes(claims: Mapping[str, Any]) -> frozenset[str] | None:
    if "scope" not in claims:
        return None
    try:
        return scope.parse(claims["scope"]) if isinstance(claims["scope"], str) else frozenset()
    except scope.MalformedScope as error:
        raise refused(Defect.SCOPE) from error
