"""Registered clients."""

from collections.abc import Sequence
from typing import Protocol

from auth_server.domain.client import Client, ClientSecret


class ClientStore(Protocol):
    """Registered clients."""

    async def client(self, client_id: str) -> Client | None:
        """The client of that id."""
        ...

    async def clients(self) -> Sequence[Client]:
        """All clients, oldest first."""
        ...

    async def add_client(self, client: Client) -> bool:
        """Adds a client; False if its id exists, which for a dynamic client only renews its unused-since time."""
        ...

    async def rotate_client_secret(self, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
        """Adds a secret; the newest earlier one lives until `previous_until` at most, others end at once.

        False if there is no such confidential client.
        """
        ...

    async def delete_client(self, client_id: str, now: float) -> bool:
        """Removes a client and revokes all its grants in one step; False if there is none."""
        ...
