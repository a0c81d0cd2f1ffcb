"""What was revoked lately, in SQLite."""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple

from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.revocation import Revocation, Revoked

REVOCATION_COLUMNS = "revoked, name, at"


class SqliteRevocations:
    """Implements RevocationStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revocations(self, since: float) -> Sequence[Revocation]:
        """See RevocationStore."""
        return await self._database.read(_revocations, since)

    async def revoked_at(self, revoked: Revoked, name: str, since: float) -> float | None:
        """See RevocationStore."""
        return await self._database.read(_revoked_at, revoked, name, since)

    async def note_revocation(self, revocation: Revocation) -> None:
        """See RevocationStore."""
        await self._database.write(note, revocation)


def note(db: sqlite3.Connection, revocation: Revocation) -> None:
    """Adds a revocation."""
    db.execute("INSERT OR REPLACE INTO revocations (revoked, name, at) VALUES (?, ?, ?)", astuple(revocation))


def revocation_from_row(row: tuple[str, str, float]) -> Revocation:
    """The revocation in REVOCATION_COLUMNS."""
    revoked, name, at = row
    return Revocation(Revoked(revoked), name, at)


def _revocations(db: sqlite3.Connection, since: float) -> list[Revocation]:
    rows = db.execute("SELECT revoked, name, at FROM revocations WHERE at >= ? ORDER BY at", (since,))
    return [revocation_from_row(row) for row in rows]


def _revoked_at(db: sqlite3.Connection, revoked: Revoked, name: str, since: float) -> float | None:
    found = db.execute("SELECT at FROM revocations WHERE revoked = ? AND name = ? AND at >= ?", (revoked, name, since))
    row = found.fetchone()
    return row[0] if row else None
