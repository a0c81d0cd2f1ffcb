"""The token response (RFC 6749 §5.1)."""

from dataclasses import dataclass
from typing import Any

BEARER, BOUND = "Bearer", "DPoP"
"""The `token_type` of a token that anybody can use who holds it, and of one that is bound to a key (RFC 9449 §5)."""


@dataclass(frozen=True, slots=True)
class IssuedTokens:
    """What a token request is given. `scope` is the wire form, `expires_at` the access token's `exp`.

    `grant_handle` is the access token's `gid`, for logs; the response does not show it. `issued_token_type` is part of
    the answer to an exchange (RFC 8693 §2.2.1).
    """

    access_token: str
    scope: str
    expires_at: int
    refresh_token: str | None = None
    grant_handle: str = ""
    token_type: str = BEARER
    issued_token_type: str | None = None
    id_token: str | None = None


def body(issued: IssuedTokens, now: float) -> dict[str, Any]:
    """The response body. `expires_in` counts from now, also when the token was minted a moment ago."""
    answer: dict[str, Any] = {
        "access_token": issued.access_token,
        "token_type": issued.token_type,
        "expires_in": max(0, issued.expires_at - int(now)),
        "scope": issued.scope,
    }
    if issued.issued_token_type is not None:
        answer["issued_token_type"] = issued.issued_token_type
    if issued.refresh_token is not None:
        answer["refresh_token"] = issued.refresh_token
    if issued.id_token is not None:
        answer["id_token"] = issued.id_token
    return answer
