"""A client as an item: what it is, and when it must be looked at.

A client that came by itself and that the operator deleted leaves its item without `generation`, as the mark that keeps
it out; one with a random id leaves the same until the sweeper has been there.
"""

from typing import Any

from auth_server.adapters.dynamodb_store.items import NEVER, Item, Key
from auth_server.adapters.dynamodb_store.writes import CHANGED, Update
from auth_server.domain.client import (
    DYNAMIC_LIFETIME,
    NEVER_USED_LIFETIME,
    AuthenticationMethod,
    Client,
    ClientSecret,
    GrantType,
    Registration,
)
from shared_kernel import scope

QUEUE = "client"
NEVER_USED = "client-never-used"
_USE_NOTED = 86_400.0
"""Seconds for which a client's last use is not written again: many people may use the same client at a time."""
LEFT_BEHIND = (
    "name",
    "redirect_uris",
    "grant_types",
    "scopes",
    "tenant",
    "created_at",
    "confidential",
    "secrets",
    "document_expires_at",
    "jwks",
    "jwks_uri",
    "authentication_method",
    "resource_server",
    "dpop_bound",
    "par_required",
    "last_used_at",
    "used_at",
    "generation",
)
"""What a deleted client loses."""


def use(key: Key, item: Item, now: float) -> list[Update]:
    """What is to be written when a person allows that client something."""
    if "used_at" in item and now < item["last_used_at"] + _USE_NOTED:
        return []
    uses = {"used_at": now, "last_used_at": max(now, item["last_used_at"])}
    changes = {**uses, **schedule({**item, **uses})}
    generation = {"generation": item["generation"]}
    return [Update(key, changes, "#generation = :generation", generation, add=CHANGED)]


def schedule(item: Item) -> dict[str, Any]:
    """When the sweeper must look at a client, and the queue in which it finds it."""
    never_used = item["registration"] != Registration.OPERATOR and item.get("used_at") is None
    ends = [secret["expires_at"] for secret in item["secrets"] if "expires_at" in secret]
    if item["registration"] != Registration.OPERATOR:
        ends.append(item["last_used_at"] + (NEVER_USED_LIFETIME if never_used else DYNAMIC_LIFETIME))
    return {"queue": NEVER_USED if never_used else QUEUE, "due": min(ends, default=NEVER)}


def client_item(client: Client, generation: str, *, last_used_at: float, used_at: float | None) -> Item:
    """A client as an item."""
    item = {
        "client_id": client.client_id,
        "registration": client.registration.value,
        **metadata(client),
        **registered(client),
        "tenant": client.tenant,
        "created_at": client.created_at,
        "secrets": [secret_attributes(secret) for secret in client.secrets],
        "document_expires_at": client.document_expires_at,
        "resource_server": client.resource_server,
        "last_used_at": last_used_at,
        "used_at": used_at,
        "generation": generation,
        "revision": 1,
    }
    return {**item, **schedule(item)}


def deletion_mark(client_id: str, deleted_at: float) -> Item:
    """The mark that a client which came by itself was deleted."""
    return {
        "client_id": client_id,
        "registration": Registration.DYNAMIC.value,
        "deleted_at": deleted_at,
        "revision": 1,
    }


def has_random_id(item: Item) -> bool:
    """Whether a client's id never comes back."""
    return item["registration"] == Registration.OPERATOR or "registration_token" in item


def client_of(item: Item) -> Client:
    """The client in an item."""
    method = item.get("authentication_method")
    return Client(
        client_id=item["client_id"],
        name=item["name"],
        registration=Registration(item["registration"]),
        redirect_uris=tuple(item["redirect_uris"]),
        grant_types=frozenset(map(GrantType, item["grant_types"])),
        scopes=scope.parse(item["scopes"]),
        tenant=item.get("tenant") if item["registration"] == Registration.OPERATOR else None,
        created_at=item["created_at"],
        confidential=item["confidential"],
        secrets=tuple(
            ClientSecret(secret["digest"], secret["created_at"], secret.get("expires_at")) for secret in item["secrets"]
        ),
        document_expires_at=item.get("document_expires_at"),
        jwks=item.get("jwks"),
        jwks_uri=item.get("jwks_uri"),
        authentication_method=AuthenticationMethod(method) if method else None,
        registration_token=item.get("registration_token"),
        resource_server=item.get("resource_server"),
        dpop_bound=item.get("dpop_bound", False),
        par_required=item.get("par_required", False),
    )


def metadata(client: Client) -> dict[str, object]:
    """What a client says of itself."""
    return {
        "name": client.name,
        "redirect_uris": client.redirect_uris,
        "grant_types": sorted(client.grant_types),
        "scopes": scope.join(client.scopes),
        "confidential": client.confidential,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "dpop_bound": client.dpop_bound,
        "par_required": client.par_required,
    }


def registered(client: Client) -> dict[str, object]:
    """What only a client has that registered itself."""
    return {"authentication_method": client.authentication_method, "registration_token": client.registration_token}


def secret_attributes(secret: ClientSecret) -> dict[str, object]:
    """A secret within a client's item."""
    times = {"created_at": secret.created_at, "expires_at": secret.expires_at}
    return {"digest": secret.digest, **{name: time for name, time in times.items() if time is not None}}
