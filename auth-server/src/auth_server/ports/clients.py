"""Registered clients."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from auth_server.domain.client import Client, ClientSecret


class Addition(Enum):
    """What became of a client that was to be added."""

    ADDED = auto()
    KNOWN = auto()
    """Its id exists. A document's client has replaced its earlier self; of a dynamic one only the time at which it was
    last heard of is new.
    """
    DELETED = auto()
    """The operator has deleted this client that came by itself: it stays out."""
    NO_WORKSPACE = auto()
    """There is no workspace of the client's `tenant`."""
    NO_TOKEN = auto()
    """The initial access token is unknown, has expired, or has been used as often as it may be."""


class ClientStore(Protocol):
    """Registered clients."""

    async def client(self, client_id: str) -> Client | None:
        """The client of that id."""
        ...

    async def clients(self) -> Sequence[Client]:
        """All clients, oldest first."""
        ...

    async def add_client(self, client: Client, initial_token: str | None = None) -> Addition:
        """Adds a client. Of more than MAX_NEVER_USED that came by themselves and nobody has used, the oldest goes.

        With the id of an `initial_token`, in one step: a use of that is counted, and the client, whose id is random,
        counts as used from the start, so that no flood of others pushes it out.
        """
        ...

    async def update_client(self, client: Client, registration_token: str | None = None) -> bool:
        """Replaces a client, in one step; False if there is none of its id.

        Its registration, tenant, creation, secrets and the time of its document stay. With `registration_token`: also
        False if that is not, or no longer, the client's.
        """
        ...

    async def rotate_client_secret(self, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
        """Adds a secret; the newest earlier one lives until `previous_until` at most, others end at once.

        False if there is no such confidential client.
        """
        ...

    async def delete_client(self, client_id: str, now: float, registration_token: str | None = None) -> bool:
        """Removes a client for good and revokes all its grants, in one step; False if there is none.

        One that would come back under the same id stays out. With `registration_token`: also False if that is not the
        client's.
        """
        ...
