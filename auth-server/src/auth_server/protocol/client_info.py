"""What `/oauth/client-info` says of a client: to everybody what consent would show, to the client itself the rest."""

from typing import Any

from auth_server.domain.client import Client, GrantType
from auth_server.protocol import client_requirements, redirect_uri
from shared_kernel import scope


def public(client: Client | None) -> dict[str, Any] | None:
    """What anyone may know who has the client's id; None unless people sign in to the client.

    Programs that act for themselves alone are their operator's affair, and no stranger's.
    """
    if client is None or GrantType.AUTHORIZATION_CODE not in client.grant_types:
        return None
    return _shown(client)


def own(client: Client) -> dict[str, Any]:
    """What a client may know of itself, in the words of RFC 7591 §2 where it has one.

    `secrets` tells when each was made and when it ends (null: not at a set time), so that a rotation can be followed.
    Times are seconds since the epoch.
    """
    return {
        **_shown(client),
        "client_id_issued_at": int(client.created_at),
        "workspace": client.tenant,
        "scope": scope.join(client.scopes),
        "grant_types": sorted(client.grant_types),
        "redirect_uris": list(client.redirect_uris),
        client_requirements.DPOP_BOUND: client.dpop_bound,
        client_requirements.PAR_REQUIRED: client.par_required,
        "secrets": [
            {
                "created_at": int(secret.created_at),
                "expires_at": None if secret.expires_at is None else int(secret.expires_at),
            }
            for secret in client.secrets
        ],
    }


def _shown(client: Client) -> dict[str, Any]:
    """What the consent page shows: the name, who vouches for it, and where an answer may go."""
    return {
        "client_id": client.client_id,
        "client_name": client.name,
        "registration": client.registration.value,
        "verified": client.is_verified,
        "client_host": client.host,
        "redirect_hosts": sorted({redirect_uri.shown_host(uri) for uri in client.redirect_uris}),
    }
