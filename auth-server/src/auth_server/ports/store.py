"""The store as a whole: every noun's port at once, and what concerns them all."""

from typing import Protocol

from auth_server.ports.authorizations import CodeStore, TransactionStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.grants import GrantStore, RefreshStore
from auth_server.ports.keys import SigningKeyStore
from auth_server.ports.limits import LimitStore
from auth_server.ports.people import SessionStore, UserStore
from auth_server.ports.replays import ReplayStore


class StoreUnavailable(Exception):
    """The store cannot answer right now; nothing was changed. Becomes 503 with Retry-After."""


class Maintenance(Protocol):
    """What a store needs now and then."""

    async def check(self) -> None:
        """Writes; raises StoreUnavailable within a fraction of a second if that cannot be done."""
        ...

    async def sweep(self, now: float) -> int:
        """Deletes what has expired and can no longer matter; gives the number of rows."""
        ...


class Store(
    ClientStore,
    UserStore,
    SessionStore,
    TransactionStore,
    CodeStore,
    RefreshStore,
    GrantStore,
    SigningKeyStore,
    LimitStore,
    ReplayStore,
    Maintenance,
    Protocol,
):
    """The sum of the store's ports. Every backend passes the one contract suite in tests/auth_server/stores."""
