"""The token response (RFC 6749 §5) and the access token in it."""

from typing import Any

from joserfc.jwk import ECKey

from auth_server.domain.deployment import Deployment
from shared_kernel import access_token, scope


def mint(
    key: ECKey,
    deployment: Deployment,
    *,
    subject: str,
    client_id: str,
    scopes: frozenset[str],
    resource: str,
    tenant: str,
    grant_handle: str,
    token_id: str,
    now: float,
) -> str:
    """An access token for one resource (RFC 9068), signed with the one key given."""
    return access_token.issue(
        key,
        issuer=deployment.issuer,
        subject=subject,
        audience=resource,
        client_id=client_id,
        scopes=scopes,
        token_id=token_id,
        grant_handle=grant_handle,
        tenant=tenant,
        now=now,
    )


def body(
    token: str, scopes: frozenset[str] | str, *, expires_at: int, now: float, refresh_token: str | None = None
) -> dict[str, Any]:
    """The response body. `expires_in` counts from now, also when the token was minted a moment ago."""
    answer: dict[str, Any] = {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": max(0, expires_at - int(now)),
        "scope": scopes if isinstance(scopes, str) else scope.join(scopes),
    }
    if refresh_token is not None:
        answer["refresh_token"] = refresh_token
    return answer
