"""The whole store in SQLite: read from one snapshot, and filled."""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import astuple

from auth_server.adapters.sqlite_store.audit import BATCH_COLUMNS, insert_batch
from auth_server.adapters.sqlite_store.authorizations import (
    CODE_COLUMNS,
    TRANSACTION_COLUMNS,
    insert_code,
    insert_transaction,
    transaction_from_row,
)
from auth_server.adapters.sqlite_store.clients import CLIENT_COLUMNS, client_from_row, insert_client
from auth_server.adapters.sqlite_store.consents import insert_consent, stored_consents
from auth_server.adapters.sqlite_store.database import Database
from auth_server.adapters.sqlite_store.devices import insert_device, stored_devices
from auth_server.adapters.sqlite_store.grants import restore_grant, stored_grants
from auth_server.adapters.sqlite_store.initial_tokens import insert_initial_token, stored_initial_tokens
from auth_server.adapters.sqlite_store.keys import every_key, insert_key
from auth_server.adapters.sqlite_store.people import SESSION_COLUMNS, USER_COLUMNS, insert_user, user_from_row
from auth_server.adapters.sqlite_store.pushed_requests import insert_pushed, stored_pushed_requests
from auth_server.adapters.sqlite_store.revocations import REVOCATION_COLUMNS, note, revocation_from_row
from auth_server.adapters.sqlite_store.workspaces import WORKSPACE_COLUMNS
from auth_server.domain.audit import AuditBatch
from auth_server.domain.authorization import AuthorizationCode
from auth_server.domain.consent import RememberedConsent
from auth_server.domain.initial_token import InitialToken
from auth_server.domain.revocation import Revocation
from auth_server.domain.signing_key import SealedKey
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import Workspace
from auth_server.ports.records import (
    AttemptWindow,
    DeletedClient,
    HadKeys,
    Record,
    StoredClient,
    StoredCode,
    StoredDevice,
    StoredGrant,
    StoredPushedRequest,
    StoredTransaction,
    UsedOnce,
)


class SqliteRecords:
    """Implements RecordStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def records(self) -> AsyncIterator[Record]:
        """See RecordStore."""
        return self._database.stream(_records)

    async def restore(self, records: Sequence[Record]) -> None:
        """See RecordStore."""
        await self._database.write(_restore, records)


def _records(db: sqlite3.Connection) -> Iterator[Record]:
    if db.execute("SELECT had_keys FROM store").fetchone() == (1,):
        yield HadKeys()
    for row in db.execute(f"SELECT {WORKSPACE_COLUMNS} FROM workspaces ORDER BY rowid"):
        yield Workspace(*row)
    for *columns, last_used_at, used_at in db.execute(
        f"SELECT {CLIENT_COLUMNS}, last_used_at, used_at FROM clients ORDER BY rowid"
    ):
        yield StoredClient(client_from_row(db, tuple(columns)), last_used_at, used_at)
    for row in db.execute("SELECT client_id, deleted_at FROM deleted_clients ORDER BY rowid"):
        yield DeletedClient(*row)
    yield from stored_initial_tokens(db)
    for row in db.execute(f"SELECT {USER_COLUMNS} FROM users ORDER BY rowid"):
        yield user_from_row(row)
    yield from stored_consents(db)
    for row in db.execute(f"SELECT {SESSION_COLUMNS} FROM sessions ORDER BY rowid"):
        yield Session(*row)
    yield from stored_pushed_requests(db)
    for *columns, decided_at, grant_id in db.execute(
        f"SELECT {TRANSACTION_COLUMNS}, decided_at, grant_id FROM transactions ORDER BY rowid"
    ):
        yield StoredTransaction(transaction_from_row(columns), decided_at, grant_id)
    yield from stored_grants(db)
    for *columns, used_at, wrong_verifiers in db.execute(
        f"SELECT {CODE_COLUMNS}, used_at, wrong_verifiers FROM codes ORDER BY rowid"
    ):
        yield StoredCode(AuthorizationCode(*columns), used_at, wrong_verifiers)
    yield from _short_lived(db)
    yield from every_key(db)


def _short_lived(db: sqlite3.Connection) -> Iterator[Record]:
    yield from stored_devices(db)
    for key, attempts, ends_at in db.execute("SELECT key, attempts, ends_at FROM attempt_windows ORDER BY rowid"):
        yield AttemptWindow(key, tuple(json.loads(attempts)), ends_at)
    for row in db.execute("SELECT key, expires_at FROM used_once ORDER BY rowid"):
        yield UsedOnce(*row)
    for row in db.execute(f"SELECT {REVOCATION_COLUMNS} FROM revocations ORDER BY rowid"):
        yield revocation_from_row(row)
    for row in db.execute(f"SELECT {BATCH_COLUMNS} FROM audit ORDER BY sequence"):
        yield AuditBatch(*row)


def _restore(db: sqlite3.Connection, records: Sequence[Record]) -> None:
    for record in records:
        _add(db, record)


def _add(db: sqlite3.Connection, record: Record) -> None:
    match record:
        case HadKeys():
            db.execute("UPDATE store SET had_keys = 1")
        case Workspace() | StoredClient() | DeletedClient() | InitialToken() | User() | RememberedConsent():
            _add_owner(db, record)
        case Session():
            _insert(db, "sessions", SESSION_COLUMNS, astuple(record))
        case StoredPushedRequest():
            insert_pushed(db, record)
        case StoredTransaction(transaction, decided_at, grant_id):
            insert_transaction(db, transaction, decided_at, grant_id)
        case StoredGrant():
            restore_grant(db, record)
        case StoredCode(code, used_at, wrong_verifiers):
            insert_code(db, code, used_at, wrong_verifiers)
        case StoredDevice() | AttemptWindow() | UsedOnce() | Revocation() | AuditBatch():
            _add_short_lived(db, record)
        case SealedKey():
            insert_key(db, record)


def _add_owner(
    db: sqlite3.Connection, record: Workspace | StoredClient | DeletedClient | InitialToken | User | RememberedConsent
) -> None:
    match record:
        case Workspace():
            _insert(db, "workspaces", WORKSPACE_COLUMNS, astuple(record))
        case StoredClient(client, last_used_at, used_at):
            insert_client(db, client, last_used_at, used_at)
        case DeletedClient():
            _insert(db, "deleted_clients", "client_id, deleted_at", astuple(record))
        case InitialToken():
            insert_initial_token(db, record)
        case User():
            insert_user(db, record)
        case RememberedConsent():
            insert_consent(db, record)


def _add_short_lived(
    db: sqlite3.Connection, record: StoredDevice | AttemptWindow | UsedOnce | Revocation | AuditBatch
) -> None:
    match record:
        case AuditBatch():
            insert_batch(db, record)
        case StoredDevice():
            insert_device(db, record)
        case AttemptWindow(key, attempts, ends_at):
            _insert(db, "attempt_windows", "key, attempts, ends_at", (key, json.dumps(attempts), ends_at))
        case UsedOnce():
            _insert(db, "used_once", "key, expires_at", astuple(record))
        case Revocation():
            note(db, record)


def _insert(db: sqlite3.Connection, table: str, columns: str, values: tuple[object, ...]) -> None:
    db.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(values))})", values)
