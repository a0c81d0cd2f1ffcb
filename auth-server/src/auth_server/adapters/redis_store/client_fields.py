"""Between clients and the fields of their hashes."""

import json

from auth_server.adapters.redis_store.database import Argument
from auth_server.adapters.redis_store.fields import Fields, optional_text, text
from auth_server.domain.client import AuthenticationMethod, Client, ClientSecret, GrantType, Registration
from shared_kernel import scope


def document_fields(client: Client) -> dict[str, Argument]:
    """The fields of a client that its metadata document changes."""
    return {
        "name": client.name,
        "redirect_uris": json.dumps(client.redirect_uris),
        "grant_types": json.dumps(sorted(client.grant_types)),
        "scopes": scope.join(client.scopes),
        "confidential": client.confidential,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "dpop_bound": client.dpop_bound,
        "par_required": client.par_required,
    }


def changeable_fields(client: Client) -> dict[str, Argument]:
    """The fields of a client that the operator, or the client itself, changes."""
    return {
        **document_fields(client),
        "authentication_method": client.authentication_method,
        "registration_token": client.registration_token,
    }


def client_fields(client: Client) -> dict[str, Argument]:
    """The fields of a new client."""
    return {
        "client_id": client.client_id,
        "registration": client.registration.value,
        **changeable_fields(client),
        "document_expires_at": client.document_expires_at,
        "resource_server": client.resource_server,
        "tenant": client.tenant,
        "created_at": client.created_at,
        **_secret_fields(client),
    }


def _secret_fields(client: Client) -> dict[str, Argument]:
    found: dict[str, Argument] = {}
    for secret in client.secrets:
        if secret.expires_at is None:
            found["secret"] = secret_text(secret)
        else:
            found["previous_secret"] = f"{secret_text(secret)} {secret.expires_at!r}"
    return found


def secret_text(secret: ClientSecret) -> str:
    """A secret that nothing has replaced."""
    return f"{secret.digest} {secret.created_at!r}"


def client_from(found: Fields) -> Client:
    """The client of these fields."""
    expires_at = text(found, "document_expires_at")
    method = optional_text(found, "authentication_method")
    registration = Registration(text(found, "registration"))
    return Client(
        client_id=text(found, "client_id"),
        name=text(found, "name"),
        registration=registration,
        redirect_uris=tuple(json.loads(found["redirect_uris"])),
        grant_types=frozenset(map(GrantType, json.loads(found["grant_types"]))),
        scopes=scope.parse(text(found, "scopes")),
        tenant=text(found, "tenant") or None if registration is Registration.OPERATOR else None,
        created_at=float(found["created_at"]),
        confidential=found["confidential"] == b"1",
        secrets=tuple(_secret(found[name]) for name in ("previous_secret", "secret") if name in found),
        document_expires_at=float(expires_at) if expires_at else None,
        jwks=optional_text(found, "jwks"),
        jwks_uri=optional_text(found, "jwks_uri"),
        authentication_method=AuthenticationMethod(method) if method else None,
        registration_token=optional_text(found, "registration_token"),
        resource_server=optional_text(found, "resource_server"),
        dpop_bound=found.get("dpop_bound") == b"1",
        par_required=found.get("par_required") == b"1",
    )


def _secret(value: bytes) -> ClientSecret:
    digest, created_at, *expires_at = value.decode().split(" ")
    return ClientSecret(digest, float(created_at), float(expires_at[0]) if expires_at else None)
