"""Remembered consents in SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from typing import Any

from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.consent import ConsentKey, RememberedConsent
from shared_kernel import scope

_COLUMNS = "user_id, client_id, redirect_origin, resource, workspace, scopes, document, given_at, expires_at"
_KEY = "user_id = ? AND client_id = ? AND redirect_origin = ? AND resource = ? AND workspace = ?"
_OF_A_CLIENT = "EXISTS (SELECT 1 FROM clients WHERE clients.client_id = consents.client_id)"


class SqliteConsents:
    """Implements ConsentStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def consent(self, key: ConsentKey, now: float) -> RememberedConsent | None:
        """See ConsentStore."""
        return await self._database.read(_consent, key, now)

    async def consents(self, user_id: str, now: float) -> Sequence[RememberedConsent]:
        """See ConsentStore."""
        return await self._database.read(_consents, user_id, now)

    async def end_consents(self, client_id: str, user_id: str | None = None) -> bool:
        """See ConsentStore."""
        return await self._database.write(_end, client_id, user_id)


def insert_consent(db: sqlite3.Connection, consent: RememberedConsent) -> None:
    """Adds a consent, in place of an earlier one of its key."""
    db.execute(
        f"INSERT OR REPLACE INTO consents ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *astuple(consent.key),
            scope.join(consent.scopes),
            consent.document,
            consent.given_at,
            consent.expires_at,
        ),
    )


def stands(db: sqlite3.Connection, consent: RememberedConsent, now: float) -> bool:
    """Whether a consent has neither ended, nor expired, nor been replaced."""
    return _consent(db, consent.key, now) == consent


def stored_consents(db: sqlite3.Connection) -> Iterator[RememberedConsent]:
    """All consents, expired or not."""
    yield from map(_from_row, db.execute(f"SELECT {_COLUMNS} FROM consents ORDER BY rowid"))


def _consent(db: sqlite3.Connection, key: ConsentKey, now: float) -> RememberedConsent | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM consents WHERE {_KEY} AND expires_at > ? AND {_OF_A_CLIENT}", (*astuple(key), now)
    ).fetchone()
    return _from_row(row) if row else None


def _consents(db: sqlite3.Connection, user_id: str, now: float) -> list[RememberedConsent]:
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM consents WHERE user_id = ? AND expires_at > ? AND {_OF_A_CLIENT}"
        " ORDER BY given_at, client_id, redirect_origin, resource, workspace",
        (user_id, now),
    )
    return [_from_row(row) for row in rows]


def _end(db: sqlite3.Connection, client_id: str, user_id: str | None) -> bool:
    ended = db.execute(
        "DELETE FROM consents WHERE client_id = ? AND user_id = coalesce(?, user_id)", (client_id, user_id)
    )
    return ended.rowcount > 0


def _from_row(row: tuple[Any, ...]) -> RememberedConsent:
    *key, scopes, document, given_at, expires_at = row
    return RememberedConsent(ConsentKey(*key), scope.parse(scopes), document, given_at, expires_at)
