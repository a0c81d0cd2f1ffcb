"""Clients that need not be asked for again, and that are still known while the store is away."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from auth_server.adapters.remembered import Remembered
from auth_server.domain.client import Client, ClientSecret
from auth_server.ports.clients import Addition, ClientStore
from auth_server.ports.store import StoreUnavailable
from shared_kernel.clock import Clock

REMEMBERED = 10_000
"""Clients that are remembered at a time."""
RETRY_SECONDS = 1.0
"""How long a store that was away is not asked again for a client that is remembered."""


@dataclass(slots=True)
class _Reading:
    """A client as it was read, last at that time."""

    client: Client
    at: float


class RememberedClients:
    """Implements ClientStore over another.

    `freshness` is for how many seconds a client counts as it was read, 0 if the store itself knows when to read anew.
    `outage` is for how many it counts when the store is away: its secrets are those of that reading. A change made
    through this object counts at once.
    """

    def __init__(self, store: ClientStore, clock: Clock, *, freshness: float, outage: float) -> None:
        self._store, self._clock = store, clock
        self._freshness, self._outage = freshness, outage
        self._readings = Remembered[str, _Reading](REMEMBERED)
        self._changes = 0
        self._away_until = 0.0

    async def client(self, client_id: str) -> Client | None:
        """See ClientStore."""
        now, changes = self._clock.monotonic(), self._changes
        known = self._readings.get(client_id)
        if known and now - known.at < (self._outage if now < self._away_until else self._freshness):
            return known.client
        try:
            client = await self._store.client(client_id)
        except StoreUnavailable:
            self._away_until = self._clock.monotonic() + RETRY_SECONDS
            if known and now - known.at < self._outage and changes == self._changes:
                return known.client
            raise
        self._away_until = 0.0
        if client is None:
            self._readings.forget(client_id)
        elif known and known.client is client:
            known.at = now
        elif changes == self._changes:  # else it may be what a change has replaced meanwhile
            self._readings.put(client_id, _Reading(client, now))
        return client

    async def clients(self) -> Sequence[Client]:
        """See ClientStore."""
        return await self._store.clients()

    async def add_client(self, client: Client, initial_token: str | None = None) -> Addition:
        """See ClientStore."""
        with self._changing(client.client_id):
            return await self._store.add_client(client, initial_token)

    async def update_client(self, client: Client, registration_token: str | None = None) -> bool:
        """See ClientStore."""
        with self._changing(client.client_id):
            return await self._store.update_client(client, registration_token)

    async def rotate_client_secret(self, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
        """See ClientStore."""
        with self._changing(client_id):
            return await self._store.rotate_client_secret(client_id, secret, previous_until)

    async def delete_client(self, client_id: str, now: float, registration_token: str | None = None) -> bool:
        """See ClientStore."""
        with self._changing(client_id):
            return await self._store.delete_client(client_id, now, registration_token)

    @contextmanager
    def _changing(self, client_id: str) -> Iterator[None]:
        """Forgets the client once it has changed, and what was read while it did; also if that is not certain."""
        try:
            yield
        finally:
            self._changes += 1
            self._readings.forget(client_id)
