"""Initial access tokens in SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import astuple

from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.initial_token import InitialToken

_COLUMNS = "token_id, digest, label, max_uses, uses, created_at, expires_at"


class SqliteInitialTokens:
    """Implements InitialTokenStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_initial_token(self, token: InitialToken) -> None:
        """See InitialTokenStore."""
        await self._database.write(insert_initial_token, token)

    async def initial_token(self, token_id: str) -> InitialToken | None:
        """See InitialTokenStore."""
        return await self._database.read(_token, token_id)

    async def initial_tokens(self) -> Sequence[InitialToken]:
        """See InitialTokenStore."""
        return await self._database.read(_tokens)

    async def revoke_initial_token(self, token_id: str) -> bool:
        """See InitialTokenStore."""
        return await self._database.write(_revoke, token_id)


def insert_initial_token(db: sqlite3.Connection, token: InitialToken) -> None:
    """Inserts a token, used or not."""
    db.execute(f"INSERT INTO initial_tokens ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(token))


def stored_initial_tokens(db: sqlite3.Connection) -> Iterator[InitialToken]:
    """All tokens, oldest first."""
    for row in db.execute(f"SELECT {_COLUMNS} FROM initial_tokens ORDER BY created_at, token_id"):
        yield InitialToken(*row)


def count_use(db: sqlite3.Connection, token_id: str, now: float) -> bool:
    """Counts a use of a token; False if it is not good for one."""
    used = db.execute(
        "UPDATE initial_tokens SET uses = uses + 1 WHERE token_id = ? AND uses < max_uses AND expires_at > ?",
        (token_id, now),
    )
    return used.rowcount > 0


def _token(db: sqlite3.Connection, token_id: str) -> InitialToken | None:
    row = db.execute(f"SELECT {_COLUMNS} FROM initial_tokens WHERE token_id = ?", (token_id,)).fetchone()
    return InitialToken(*row) if row else None


def _tokens(db: sqlite3.Connection) -> list[InitialToken]:
    return [*stored_initial_tokens(db)]


def _revoke(db: sqlite3.Connection, token_id: str) -> bool:
    return db.execute("DELETE FROM initial_tokens WHERE token_id = ?", (token_id,)).rowcount > 0
