"""All of the store's ports on one SQLite file."""

import sqlite3
from pathlib import Path

from auth_server.adapters.sqlite_store.authorizations import SqliteAuthorizations
from auth_server.adapters.sqlite_store.clients import SqliteClients
from auth_server.adapters.sqlite_store.database import BUSY_TIMEOUT, Database, open_database
from auth_server.adapters.sqlite_store.grants import SqliteGrants
from auth_server.adapters.sqlite_store.keys import SqliteSigningKeys
from auth_server.adapters.sqlite_store.people import SqlitePeople
from auth_server.domain.authorization import USED_CODE_MEMORY
from auth_server.domain.grant import REPLAY_WINDOW
from auth_server.domain.signing_key import RETIRED_LIFETIME

DYNAMIC_CLIENT_LIFETIME = 30 * 86400
"""Seconds after which an unused dynamic client without grants is forgotten."""
REVOKED_GRANT_MEMORY = 3600
"""Seconds for which a revoked grant is kept."""


class SqliteStore(SqliteClients, SqlitePeople, SqliteAuthorizations, SqliteGrants, SqliteSigningKeys):
    """Implements Store."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)

    @classmethod
    def open(cls, path: Path, busy_timeout: float = BUSY_TIMEOUT) -> "SqliteStore":
        """Opens or creates the file. Raises UnusableStore (database.py) with a text for the operator."""
        return cls(open_database(path, busy_timeout))

    def close(self) -> None:
        """Finishes what is under way and closes the file."""
        self._database.close()

    async def check(self) -> None:
        """See Maintenance."""
        await self._database.write(_check)

    async def sweep(self, now: float) -> int:
        """See Maintenance."""
        return await self._database.write(_sweep, now)


def path_in(url: str) -> Path:
    """The file that `sqlite:///absolute/path` names."""
    return Path("/", url.removeprefix("sqlite:///").lstrip("/"))


def _check(db: sqlite3.Connection) -> None:
    db.execute("SELECT version FROM schema_version").fetchone()


def _sweep(db: sqlite3.Connection, now: float) -> int:
    deletions = (
        ("DELETE FROM sessions WHERE expires_at <= ?", now),
        ("DELETE FROM transactions WHERE expires_at <= ?", now),
        ("DELETE FROM client_secrets WHERE expires_at <= ?", now),
        ("DELETE FROM codes WHERE coalesce(used_at, expires_at) <= ?", now - USED_CODE_MEMORY),
        ("DELETE FROM grants WHERE revoked_at <= ?", now - REVOKED_GRANT_MEMORY),
        # Nothing of these grants is alive: no code remembered, no refresh token that could be used.
        (
            "DELETE FROM grants WHERE NOT EXISTS (SELECT 1 FROM codes WHERE codes.grant_id = grants.grant_id)"
            " AND NOT EXISTS (SELECT 1 FROM refresh_tokens AS rt WHERE rt.grant_id = grants.grant_id"
            " AND rt.expires_at > ?)",
            now,
        ),
        (
            "DELETE FROM clients WHERE registration = 'dynamic' AND last_used_at <= ?"
            " AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.client_id = clients.client_id)",
            now - DYNAMIC_CLIENT_LIFETIME,
        ),
        ("DELETE FROM signing_keys WHERE stage = 'retired' AND changed_at <= ?", now - RETIRED_LIFETIME),
    )
    db.execute("UPDATE refresh_tokens SET sealed = NULL WHERE rotated_at <= ?", (now - REPLAY_WINDOW,))
    return sum(db.execute(statement, (limit,)).rowcount for statement, limit in deletions)
