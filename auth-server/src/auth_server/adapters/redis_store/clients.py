"""Clients in Redis."""

from collections.abc import Sequence

from auth_server.adapters.redis_store.client_fields import (
    changeable_fields,
    client_fields,
    client_from,
    document_fields,
    secret_text,
)
from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import pairs
from auth_server.adapters.redis_store.reading import read, read_all
from auth_server.domain.client import Client, ClientSecret
from auth_server.ports.clients import Addition


class RedisClients:
    """Implements ClientStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def client(self, client_id: str) -> Client | None:
        """See ClientStore."""
        found = await read(self._database, "client", client_id)
        return client_from(found) if found else None

    async def clients(self) -> Sequence[Client]:
        """See ClientStore."""
        return [client_from(found) async for found in read_all(self._database, "client")]

    async def add_client(self, client: Client, initial_token: str | None = None) -> Addition:
        """See ClientStore."""
        renewed = {**document_fields(client), "document_expires_at": client.document_expires_at}
        outcome: bytes = await self._database.run(
            "add_client",
            client.client_id,
            client.registration.value,
            client.created_at,
            client.tenant,
            initial_token,
            len(renewed),
            *pairs(renewed),
            *pairs(client_fields(client)),
        )
        return Addition[outcome.decode().upper()]

    async def update_client(self, client: Client, registration_token: str | None = None) -> bool:
        """See ClientStore."""
        tokens = registration_token, client.registration_token
        changed = pairs(changeable_fields(client))
        return bool(await self._database.run("update_client", client.client_id, *tokens, *changed))

    async def rotate_client_secret(self, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
        """See ClientStore."""
        rotated = await self._database.run("rotate_client_secret", client_id, secret_text(secret), previous_until)
        return bool(rotated)

    async def delete_client(self, client_id: str, now: float, registration_token: str | None = None) -> bool:
        """See ClientStore."""
        deleted = await self._database.run("delete_client", client_id, now, registration_token, durable=True)
        while deleted and await self._database.run("revoke_client_grants", client_id, now, durable=True):
            pass
        return bool(deleted)
