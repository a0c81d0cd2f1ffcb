"""Between grants and the fields of their hashes."""

from auth_server.adapters.redis_store.database import Argument
from auth_server.adapters.redis_store.fields import Fields, optional_text, text
from auth_server.domain.grant import Grant
from auth_server.domain.workspace import Role
from shared_kernel import scope


def grant_fields(grant: Grant) -> dict[str, Argument]:
    """The fields of a grant without refresh tokens."""
    return {
        "grant_id": grant.grant_id,
        "handle": grant.handle,
        "client_id": grant.client_id,
        "user_id": grant.user_id,
        "tenant": grant.tenant,
        "scopes": scope.join(grant.scopes),
        "resource": grant.resource,
        "refreshable": grant.refreshable,
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "authenticated_at": grant.authenticated_at,
        "key_thumbprint": grant.key_thumbprint,
        **({"role": grant.role.value} if grant.role else {}),
    }


def grant_from(found: Fields) -> Grant:
    """The grant of these fields."""
    authenticated_at = optional_text(found, "authenticated_at")
    return Grant(
        grant_id=text(found, "grant_id"),
        handle=text(found, "handle"),
        client_id=text(found, "client_id"),
        user_id=text(found, "user_id"),
        tenant=text(found, "tenant"),
        scopes=scope.parse(text(found, "scopes")),
        resource=text(found, "resource"),
        refreshable=found["refreshable"] == b"1",
        created_at=float(found["created_at"]),
        expires_at=float(found["expires_at"]),
        authenticated_at=float(authenticated_at) if authenticated_at else None,
        key_thumbprint=optional_text(found, "key_thumbprint"),
        role=Role(text(found, "role")) if "role" in found else None,
    )
