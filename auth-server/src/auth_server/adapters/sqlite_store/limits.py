"""Moving windows of attempts in SQLite."""

import json
import sqlite3

from auth_server.adapters.sqlite_store.database import Database


class SqliteLimits:
    """Implements LimitStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_attempt(self, key: str, hits: int, seconds: float, now: float) -> float | None:
        """See LimitStore."""
        return await self._database.write(_count, key, hits, seconds, now)

    async def forget_attempts(self, key: str) -> None:
        """See LimitStore."""
        await self._database.write(_forget, key)


def _count(db: sqlite3.Connection, key: str, hits: int, seconds: float, now: float) -> float | None:
    row = db.execute("SELECT attempts FROM attempt_windows WHERE key = ?", (key,)).fetchone()
    attempts = [at for at in (json.loads(row[0]) if row else ()) if abs(at - now) < seconds]
    if len(attempts) >= hits:
        return float(min(attempts)) + seconds
    attempts.append(now)
    db.execute(
        "INSERT INTO attempt_windows (key, attempts, ends_at) VALUES (?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET attempts = excluded.attempts, ends_at = excluded.ends_at",
        (key, json.dumps(attempts), max(attempts) + seconds),
    )
    return None


def _forget(db: sqlite3.Connection, key: str) -> None:
    db.execute("DELETE FROM attempt_windows WHERE key = ?", (key,))
