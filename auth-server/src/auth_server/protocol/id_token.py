"""ID tokens: who has signed in, told to the client (OpenID Connect Core §2, §3.1.3.6, §12.2)."""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from auth_server.domain.grant import Grant
from shared_kernel import signer, strict_json

LIFETIME = 600
"""Seconds from `iat` to `exp`: time enough to read it once."""
_KIND = "JWT"


def algorithm(key: ECKey | RSAKey) -> str:
    """The algorithm of a key's signatures."""
    return "RS256" if isinstance(key, RSAKey) else signer.ALGORITHM


def issue(key: ECKey | RSAKey, grant: Grant, *, issuer: str, access_token: str, nonce: str | None, now: float) -> str:
    """The ID token that goes with an access token of that grant; `nonce` is that of the authorization request.

    It says who and when, and no more: what `profile` and `email` allow is the UserInfo endpoint's to tell (§5.4).
    """
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": grant.user_id,
        "aud": grant.client_id,
        "iat": int(now),
        "exp": int(now) + LIFETIME,
        "at_hash": _half_hash(access_token),
    }
    if grant.authenticated_at is not None:
        # Always told, so also where max_age was asked: "the auth_time Claim Value MUST be included".
        claims["auth_time"] = int(grant.authenticated_at)
    if nonce is not None:
        claims["nonce"] = nonce
    # The type keeps it apart from an access token, which may be signed with the same key.
    header = {"alg": algorithm(key), "kid": key.kid, "typ": _KIND}
    return jws.serialize_compact(header, json.dumps(claims).encode(), key, algorithms=[algorithm(key)])


def hinted_subject(unverified_token: str, keys: Mapping[str, ECKey | RSAKey], issuer: str) -> str | None:
    """The person of an ID token that this server has issued, to whomever and however long ago; None for anything else.

    Core §3.1.2.1: "The OP need not be listed as an audience of the ID Token when it is used as an id_token_hint value."
    """
    try:
        header = jws.extract_compact(unverified_token.encode()).headers()
        key = keys.get(str(header.get("kid")))
        if key is None or header.get("typ") != _KIND or "crit" in header:
            return None
        claims = strict_json.parse_object(
            jws.deserialize_compact(unverified_token, key, algorithms=[algorithm(key)]).payload
        )
    except (JoseError, strict_json.Unreadable, ValueError):
        return None
    subject = claims.get("sub")
    return subject if claims.get("iss") == issuer and isinstance(subject, str) else None


def _half_hash(text: str) -> str:
    """Core §3.1.3.6: "the base64url encoding of the left-most half of the hash of the octets"; SHA-256 for our keys."""
    return urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()
