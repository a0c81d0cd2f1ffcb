"""What `/introspect` says of a token (RFC 7662 §2.2), as JSON or signed (RFC 9701)."""

import json
from collections.abc import Mapping
from typing import Any

from auth_server.domain.client import Client
from auth_server.domain.grant import Grant
from auth_server.protocol.token import BEARER, BOUND
from shared_kernel import scope
from shared_kernel.access_token import AccessToken
from shared_kernel.signer import Kind, Signer

KIND: Kind = "token-introspection+jwt"
MEDIA_TYPE = f"application/{KIND}"
INACTIVE: Mapping[str, Any] = {"active": False}
"""The one answer about whatever does not count, is unknown, or is none of the caller's business."""


def may_see(client: Client, token: AccessToken) -> bool:
    """Whether the token is the client's business: it is the client's own, or one to present to it."""
    # RFC 7662 §4: "the authorization server MUST [...] determine whether or not the protected resource [...] is
    # authorized"; a token for one resource shows another nothing.
    return client.client_id == token.client_id or client.resource_server == token.audience


def of_access_token(token: AccessToken) -> dict[str, Any]:
    """The members for an access token that counts."""
    members: dict[str, Any] = {
        "active": True,
        "scope": scope.join(token.scopes),
        "client_id": token.client_id,
        "token_type": BEARER,
        "exp": token.expires_at,
        "iat": token.issued_at,
        "nbf": token.issued_at,
        "sub": token.subject,
        "aud": token.audience,
        "iss": token.issuer,
        "jti": token.token_id,
        "gid": token.grant_handle,
        "tenant": token.tenant,
        **({"roles": sorted(token.roles)} if token.roles else {}),
    }
    if token.key_thumbprint is not None:  # RFC 9449 §6.2
        members |= {"token_type": BOUND, "cnf": {"jkt": token.key_thumbprint}}
    return members


def of_refresh_token(grant: Grant, expires_at: float, issuer: str) -> dict[str, Any]:
    """The members for a live refresh token. Of when it was issued nothing is known."""
    return {
        "active": True,
        "scope": scope.join(grant.scopes),
        "client_id": grant.client_id,
        "exp": int(expires_at),
        "sub": grant.user_id,
        "aud": grant.resource,
        "iss": issuer,
        "gid": grant.handle,
        "tenant": grant.tenant,
    }


def signed(signer: Signer, members: Mapping[str, Any], *, issuer: str, client: Client, now: float) -> str:
    """The answer as a JWT for that client alone."""
    # RFC 9701 §5: the JWT "SHOULD NOT include the sub and exp claims [...] as an additional means to prevent misuse of
    # the JWT as an access token". "aud" MUST identify "the resource server receiving the [...] response": it may look
    # for its resource's name there, or for the name that it has as a client.
    payload = {
        "iss": issuer,
        "aud": [client.resource_server, client.client_id] if client.resource_server else client.client_id,
        "iat": int(now),
        "token_introspection": members,
    }
    return signer.sign(json.dumps(payload).encode(), KIND)
