"""All of the store's ports on one SQLite file."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from auth_server.adapters.sqlite_store.audit import SqliteAudit
from auth_server.adapters.sqlite_store.authorizations import SqliteAuthorizations
from auth_server.adapters.sqlite_store.clients import SqliteClients
from auth_server.adapters.sqlite_store.consents import SqliteConsents
from auth_server.adapters.sqlite_store.database import PATIENCE, Database, open_database
from auth_server.adapters.sqlite_store.devices import SqliteDevices
from auth_server.adapters.sqlite_store.grants import SqliteGrants
from auth_server.adapters.sqlite_store.initial_tokens import SqliteInitialTokens
from auth_server.adapters.sqlite_store.keys import SqliteSigningKeys
from auth_server.adapters.sqlite_store.limits import SqliteLimits
from auth_server.adapters.sqlite_store.people import SqlitePeople
from auth_server.adapters.sqlite_store.pushed_requests import SqlitePushedRequests
from auth_server.adapters.sqlite_store.records import SqliteRecords
from auth_server.adapters.sqlite_store.replays import SqliteReplays
from auth_server.adapters.sqlite_store.revocations import SqliteRevocations
from auth_server.adapters.sqlite_store.sweeping import STEPS, Step
from auth_server.adapters.sqlite_store.workspaces import SqliteWorkspaces
from auth_server.ports.store import Store

_PROBE_PATIENCE = 0.25
"""Seconds in which a probe must have written."""


class SqliteStore(
    SqliteWorkspaces,
    SqliteClients,
    SqliteInitialTokens,
    SqlitePeople,
    SqlitePushedRequests,
    SqliteAuthorizations,
    SqliteConsents,
    SqliteDevices,
    SqliteGrants,
    SqliteSigningKeys,
    SqliteLimits,
    SqliteReplays,
    SqliteRevocations,
    SqliteAudit,
    SqliteRecords,
):
    """Implements Store."""

    def __init__(self, database: Database) -> None:
        SqliteWorkspaces.__init__(self, database)
        SqliteClients.__init__(self, database)
        SqliteInitialTokens.__init__(self, database)
        SqlitePeople.__init__(self, database)
        SqlitePushedRequests.__init__(self, database)
        SqliteAuthorizations.__init__(self, database)
        SqliteConsents.__init__(self, database)
        SqliteDevices.__init__(self, database)
        SqliteGrants.__init__(self, database)
        SqliteSigningKeys.__init__(self, database)
        SqliteLimits.__init__(self, database)
        SqliteReplays.__init__(self, database)
        SqliteRevocations.__init__(self, database)
        SqliteAudit.__init__(self, database)
        SqliteRecords.__init__(self, database)

    @classmethod
    def open(cls, path: Path, *, verify: bool = False, patience: float = PATIENCE) -> "SqliteStore":
        """Opens or creates the file. Raises UnusableStore.

        `verify` looks for damage, which takes a second or so per gigabyte.
        """
        return cls(open_database(path, verify=verify, patience=patience))

    def close(self) -> None:
        """Finishes what is under way and closes the file."""
        self._database.close()

    async def check(self) -> None:
        """See Maintenance."""
        await self._database.probe(_check, _PROBE_PATIENCE)

    async def sweep(self, now: float) -> int:
        """See Maintenance."""
        return sum([await self._swept(step, now) for step in STEPS])

    async def _swept(self, step: Step, now: float) -> int:
        """Deletes in batches, between which other writers have their turn."""
        total = 0
        while deleted := await self._database.write(step, now):
            total += deleted
        return total


@asynccontextmanager
async def open_sqlite(url: str, *, verify: bool) -> AsyncIterator[Store]:
    """The store in the file that the URL names; `verify` as in SqliteStore.open(). Raises UnusableStore."""
    store = SqliteStore.open(path_in(url), verify=verify)
    try:
        yield store
    finally:
        store.close()


def path_in(url: str) -> Path:
    """The file that `sqlite:///absolute/path` names."""
    return Path("/", url.removeprefix("sqlite:///").lstrip("/"))


def _check(db: sqlite3.Connection) -> None:
    # Neither an empty transaction nor a row that stays the same writes anything: both succeed on a full disk.
    db.execute("UPDATE store SET probes = probes + 1")
