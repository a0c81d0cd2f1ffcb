"""Sealed signing keys in SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.signing_key import RETIRED_LIFETIME, KeyStage, SealedKey

_SELECT = "SELECT key_id, stage, public_jwk, sealed, changed_at, promotable_at FROM signing_keys"


class SqliteSigningKeys:
    """Implements SigningKeyStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_signing_keys(self, active: SealedKey, following: SealedKey) -> Sequence[SealedKey]:
        """See SigningKeyStore."""
        return await self._database.write(_ensure, active, following)

    async def signing_keys(self, now: float) -> Sequence[SealedKey]:
        """See SigningKeyStore."""
        return await self._database.read(_keys, now)

    async def withdraw_key(self, key_id: str, following: SealedKey, now: float) -> bool:
        """See SigningKeyStore."""
        return await self._database.write(_withdraw, key_id, following, now)

    async def promote_next_key(self, following: SealedKey, now: float) -> float | None:
        """See SigningKeyStore."""
        return await self._database.write(_promote, following, now)


def _ensure(db: sqlite3.Connection, active: SealedKey, following: SealedKey) -> list[SealedKey]:
    # Where keys have been, new ones would hide that the old were lost, and refuse every token that is out.
    if db.execute("UPDATE store SET had_keys = 1 WHERE NOT had_keys").rowcount:
        insert_key(db, active)
        insert_key(db, following)
    return _keys(db, active.changed_at)


def _keys(db: sqlite3.Connection, now: float) -> list[SealedKey]:
    rows = db.execute(
        f"{_SELECT} WHERE stage <> 'retired' OR changed_at > ? ORDER BY changed_at, key_id",
        (now - RETIRED_LIFETIME,),
    )
    return [_from_row(row) for row in rows]


def every_key(db: sqlite3.Connection) -> Iterator[SealedKey]:
    """All keys, whatever their age."""
    return map(_from_row, db.execute(f"{_SELECT} ORDER BY changed_at, key_id"))


def _from_row(row: tuple[Any, ...]) -> SealedKey:
    return SealedKey(row[0], KeyStage(row[1]), row[2], bytes(row[3]), row[4], row[5])


def _promote(db: sqlite3.Connection, following: SealedKey, now: float) -> float | None:
    (promotable_at,) = db.execute("SELECT promotable_at FROM signing_keys WHERE stage = 'next'").fetchone()
    if now < promotable_at:
        return float(promotable_at)
    # What can no longer sign need not stay: the private half goes with the stage.
    db.execute("UPDATE signing_keys SET stage = 'retired', sealed = x'', changed_at = ? WHERE stage = 'active'", (now,))
    db.execute("UPDATE signing_keys SET stage = 'active', changed_at = ? WHERE stage = 'next'", (now,))
    insert_key(db, following)
    return None


def _withdraw(db: sqlite3.Connection, key_id: str, following: SealedKey, now: float) -> bool:
    row = db.execute("SELECT stage FROM signing_keys WHERE key_id = ?", (key_id,)).fetchone()
    if row is None:
        return False
    db.execute("DELETE FROM signing_keys WHERE key_id = ?", (key_id,))
    if row[0] == KeyStage.ACTIVE:
        # However new it is: a resource server that does not know it yet asks for it.
        db.execute("UPDATE signing_keys SET stage = 'active', changed_at = ? WHERE stage = 'next'", (now,))
    if row[0] != KeyStage.RETIRED:
        insert_key(db, following)
    return True


def insert_key(db: sqlite3.Connection, key: SealedKey) -> None:
    """Inserts a key."""
    db.execute(
        "INSERT INTO signing_keys (key_id, stage, public_jwk, sealed, changed_at, promotable_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (key.key_id, key.stage, key.public_jwk, key.sealed, key.changed_at, key.promotable_at),
    )
