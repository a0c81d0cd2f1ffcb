"""What the operator is shown of people, sessions and grants, as JSON documents; no secret is in them."""

from datetime import UTC, datetime
from typing import Any

from auth_server.domain.client import Client
from auth_server.domain.grant import Grant
from auth_server.domain.user import Session, User


def moment(time: float | None) -> str | None:
    """A time as RFC 3339 writes it, to the second."""
    return None if time is None else datetime.fromtimestamp(int(time), UTC).isoformat().replace("+00:00", "Z")


def of_user(user: User) -> dict[str, Any]:
    """A person."""
    return {
        "user_id": user.user_id,
        "email": user.email,
        "state": "enabled" if user.disabled_at is None else "disabled",
        "workspaces": [f"{each.workspace}:{each.role.value}" for each in user.memberships],
        "created_at": moment(user.created_at),
        "disabled_at": moment(user.disabled_at),
    }


def of_session(session: Session) -> dict[str, Any]:
    """A signed-in browser."""
    return {
        # The digest of the cookie names the session without being of use to anybody.
        "session_id": session.digest,
        "user_id": session.user_id,
        "authenticated_at": moment(session.authenticated_at),
        "expires_at": moment(session.expires_at),
    }


def of_grant(grant: Grant) -> dict[str, Any]:
    """What a person has allowed a client."""
    return {
        "gid": grant.handle,
        "user_id": grant.user_id,
        "client_id": grant.client_id,
        "workspace": grant.tenant,
        "scopes": sorted(grant.scopes),
        "resource": grant.resource,
        "created_at": moment(grant.created_at),
        "expires_at": moment(grant.expires_at),
    }


def of_client(client: Client) -> dict[str, Any]:
    """A client."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "confidential": client.confidential,
        "registration": client.registration.value,
        "workspace": client.tenant,
        "redirect_uris": list(client.redirect_uris),
        "grant_types": sorted(client.grant_types),
        "scopes": sorted(client.scopes),
        "resource_server": client.resource_server,
        "dpop_bound": client.dpop_bound,
        "par_required": client.par_required,
        "created_at": moment(client.created_at),
        "authentication_methods": sorted(client.methods),
        "jwks_uri": client.jwks_uri,
        "secrets_expire_at": [moment(secret.expires_at) or "never" for secret in client.secrets],
    }
