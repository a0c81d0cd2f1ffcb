"""Pushed authorization requests in SQLite."""

import json
import sqlite3
from collections.abc import Iterator

from auth_server.adapters.sqlite_store.authorizations import insert_transaction
from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.authorization import TRANSACTION_LIFETIME, PushedRequest, Transaction
from auth_server.ports.pushed_requests import Started
from auth_server.ports.records import StoredPushedRequest

_COLUMNS = "digest, client_id, parameters, expires_at, started_transaction"


class SqlitePushedRequests:
    """Implements PushedRequestStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def push(self, request: PushedRequest) -> None:
        """See PushedRequestStore."""
        await self._database.write(insert_pushed, StoredPushedRequest(request, None))

    async def pushed_request(self, digest: str, now: float) -> PushedRequest | Started | None:
        """See PushedRequestStore."""
        return await self._database.read(_pushed_request, digest, now)

    async def start_pushed(self, digest: str, transaction: Transaction, now: float) -> bool:
        """See PushedRequestStore."""
        return await self._database.write(_start, digest, transaction, now)


def insert_pushed(db: sqlite3.Connection, stored: StoredPushedRequest) -> None:
    """Inserts a request, used or not."""
    request = stored.request
    db.execute(
        f"INSERT INTO pushed_requests ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        (
            request.digest,
            request.client_id,
            json.dumps(request.parameters),
            request.expires_at,
            stored.started_transaction,
        ),
    )


def stored_pushed_requests(
    db: sqlite3.Connection, condition: str = "TRUE", *values: str
) -> Iterator[StoredPushedRequest]:
    """The requests that meet a condition, used or not."""
    for digest, client_id, parameters, expires_at, started in db.execute(
        f"SELECT {_COLUMNS} FROM pushed_requests WHERE {condition} ORDER BY rowid", values
    ):
        pairs = tuple((name, value) for name, value in json.loads(parameters))
        yield StoredPushedRequest(PushedRequest(digest, client_id, pairs, expires_at), started)


def _pushed_request(db: sqlite3.Connection, digest: str, now: float) -> PushedRequest | Started | None:
    for stored in stored_pushed_requests(db, "digest = ?", digest):
        if stored.started_transaction is None:
            return stored.request if now < stored.request.expires_at else None
        if now < stored.request.expires_at + TRANSACTION_LIFETIME:
            return Started(stored.started_transaction)
    return None


def _start(db: sqlite3.Connection, digest: str, transaction: Transaction, now: float) -> bool:
    used = db.execute(
        "UPDATE pushed_requests SET started_transaction = ?, parameters = '[]'"
        " WHERE digest = ? AND started_transaction IS NULL AND expires_at > ?",
        (transaction.digest, digest, now),
    )
    if used.rowcount > 0:
        insert_transaction(db, transaction)
        return True
    again = db.execute(
        "SELECT 1 FROM pushed_requests WHERE digest = ? AND started_transaction = ?", (digest, transaction.digest)
    )
    return again.fetchone() is not None
