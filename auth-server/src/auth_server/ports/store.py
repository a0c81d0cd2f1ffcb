"""The store as a whole: every noun's port at once, and what concerns them all."""

from typing import Protocol

from auth_server.ports.audit import AuditStore
from auth_server.ports.authorizations import CodeStore, TransactionStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.consents import ConsentStore
from auth_server.ports.devices import DeviceStore
from auth_server.ports.grants import GrantStore, RefreshStore
from auth_server.ports.initial_tokens import InitialTokenStore
from auth_server.ports.keys import SigningKeyStore
from auth_server.ports.limits import LimitStore
from auth_server.ports.people import SessionStore, UserStore
from auth_server.ports.pushed_requests import PushedRequestStore
from auth_server.ports.records import RecordStore
from auth_server.ports.replays import ReplayStore
from auth_server.ports.revocations import RevocationStore
from auth_server.ports.workspaces import WorkspaceStore


class UnusableStore(Exception):
    """What AUTH_STORE_URL names cannot be this server's store. The text says why, for the operator, without secrets."""


class StoreUnavailable(Exception):
    """The store cannot answer right now. Becomes 503 with Retry-After.

    The verb has changed nothing; or, where the connection to a store broke before its answer came, it may have changed
    everything that it changes. Calling it again is safe: what happens only once does not happen twice.
    """


class Maintenance(Protocol):
    """What a store needs now and then."""

    async def check(self) -> None:
        """Writes; raises StoreUnavailable within a fraction of a second if that cannot be done."""
        ...

    async def sweep(self, now: float) -> int:
        """Deletes what has expired and can no longer matter; gives the number of rows."""
        ...


class Store(
    WorkspaceStore,
    ClientStore,
    InitialTokenStore,
    UserStore,
    SessionStore,
    PushedRequestStore,
    TransactionStore,
    CodeStore,
    ConsentStore,
    DeviceStore,
    RefreshStore,
    GrantStore,
    SigningKeyStore,
    LimitStore,
    ReplayStore,
    RevocationStore,
    AuditStore,
    RecordStore,
    Maintenance,
    Protocol,
):
    """The sum of the store's ports. Every backend passes the one contract suite in tests/auth_server/stores."""
