"""Marks of what has been used, in SQLite."""

import sqlite3

from auth_server.adapters.sqlite_store.database import Database


class SqliteReplays:
    """Implements ReplayStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def use_once(self, key: str, expires_at: float, now: float) -> bool:
        """See ReplayStore."""
        return await self._database.write(_use, key, expires_at, now)


def _use(db: sqlite3.Connection, key: str, expires_at: float, now: float) -> bool:
    used = db.execute(
        "INSERT INTO used_once (key, expires_at) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at WHERE used_once.expires_at <= ?",
        (key, expires_at, now),
    )
    return used.rowcount > 0
