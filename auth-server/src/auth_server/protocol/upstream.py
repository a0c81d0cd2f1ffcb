"""Sign-in at another OpenID Connect provider: the request, and what of its answer is believed (Core §3.1)."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote_plus, urlencode

from auth_server.domain.deployment import Upstream
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.domain.user import MalformedEmail, vouched_email
from auth_server.protocol import compact_jws, document_url
from auth_server.protocol.compact_jws import CompactJws
from shared_kernel import strict_json
from shared_kernel.access_token import CLOCK_SKEW

MAX_BYTES = 32 * 1024
"""Longest answer that is read of a provider."""


class Defect(StrEnum):
    """What is wrong with what a provider says: for the log, never for the person."""

    DISCOVERY = "discovery"
    ERROR = "error"
    ISSUER = "issuer"
    NO_ID_TOKEN = "no_id_token"
    MALFORMED = "malformed"
    AUDIENCE = "audience"
    NONCE = "nonce"
    TIMES = "times"
    SUBJECT = "subject"
    EMAIL = "email"
    NO_SUCH_KEY = "no_such_key"
    SIGNATURE = "signature"
    TOO_LONG_AGO = "too_long_ago"
    REPLAYED = "replayed"
    NO_SUCH_PERSON = "no_such_person"


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider is reached."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a provider says somebody is, in an ID token that is good but for its signature, which is not verified.

    `authenticated_at` is when they proved it there, if the provider says so; `email` is normalised.
    """

    jws: CompactJws
    email: str
    authenticated_at: float | None


def refused(defect: Defect) -> Refused:
    """The refusal of what a provider says."""
    return Refused(Reason.UPSTREAM_REFUSED, Facts(defect=defect.value))


def discovery_url(upstream: Upstream) -> str:
    """Where the provider says where it is reached (OpenID Connect Discovery §4.1)."""
    return f"{upstream.issuer}/.well-known/openid-configuration"


def provider(content: bytes, upstream: Upstream) -> Provider:
    """The provider, by its discovery document. Raises Refused (UPSTREAM_REFUSED)."""
    try:
        document = strict_json.parse_object(content)
        # Discovery §4.3: "The issuer value returned MUST be identical to the Issuer URL that was used as the prefix"
        if document.get("issuer") != upstream.issuer:
            raise refused(Defect.ISSUER)
        found = [str(document[name]) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        for url in found:
            document_url.origin(url)
    except (strict_json.Unreadable, KeyError) as error:
        raise refused(Defect.DISCOVERY) from error
    except Refused as error:
        if error.reason is Reason.UPSTREAM_REFUSED:
            raise
        raise refused(Defect.DISCOVERY) from error
    return Provider(*found)


def authorization_url(
    provider: Provider, upstream: Upstream, *, redirect_uri: str, state: str, nonce: str, verifier: str, fresh: bool
) -> str:
    """Where the browser goes. `fresh` demands that the person proves anew who they are."""
    query = {
        "response_type": "code",
        "client_id": upstream.client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid email",
        "state": state,
        "nonce": nonce,
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
        "code_challenge_method": "S256",
        **({"prompt": "login", "max_age": "0"} if fresh else {}),
    }
    separator = "&" if "?" in provider.authorization_endpoint else "?"
    return f"{provider.authorization_endpoint}{separator}{urlencode(query)}"


def token_request(upstream: Upstream, *, code: str, redirect_uri: str, verifier: str) -> tuple[str, bytes]:
    """The Authorization header and the form with which a code is redeemed (RFC 6749 §2.3.1, §4.1.3)."""
    pair = f"{quote_plus(upstream.client_id)}:{quote_plus(upstream.client_secret)}"
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return f"Basic {base64.b64encode(pair.encode()).decode()}", urlencode(form).encode()


def identity(content: bytes, upstream: Upstream, *, nonce: str, now: float) -> Identity:
    """Who the token response is about. Raises Refused (UPSTREAM_REFUSED)."""
    try:
        token = strict_json.parse_object(content).get("id_token")
        if not isinstance(token, str):
            raise refused(Defect.NO_ID_TOKEN)
        jws = compact_jws.read(token)
    except (strict_json.Unreadable, compact_jws.Unreadable) as error:
        raise refused(Defect.MALFORMED) from error
    claims = jws.claims
    # Core §3.1.3.7: 2 the issuer, 3 the audience, 9 the expiry, 10 the time of issue, 11 the nonce.
    if claims.get("iss") != upstream.issuer:
        raise refused(Defect.ISSUER)
    if claims.get("aud") not in (upstream.client_id, [upstream.client_id]):
        raise refused(Defect.AUDIENCE)
    if claims.get("nonce") != nonce:
        raise refused(Defect.NONCE)
    if _time(claims, "exp") + CLOCK_SKEW <= now or _time(claims, "iat") > now + CLOCK_SKEW:
        raise refused(Defect.TIMES)
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise refused(Defect.SUBJECT)
    authenticated_at = _time(claims, "auth_time") if "auth_time" in claims else None
    return Identity(jws, _email(claims), authenticated_at)


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise refused(Defect.TIMES)
    return float(value)


def _email(claims: Mapping[str, Any]) -> str:
    # An address that the provider has not verified is what somebody claims to have.
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise refused(Defect.EMAIL)
    try:
        return vouched_email(email)
    except MalformedEmail as error:
        raise refused(Defect.EMAIL) from error
