"""Clients in SQLite."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from auth_server.adapters.sqlite_store.database import Database
from auth_server.adapters.sqlite_store.grants import revoke
from auth_server.adapters.sqlite_store.initial_tokens import count_use
from auth_server.adapters.sqlite_store.memory import Watched
from auth_server.adapters.sqlite_store.revocations import note
from auth_server.adapters.sqlite_store.workspaces import is_workspace
from auth_server.domain.client import (
    MAX_NEVER_USED,
    AuthenticationMethod,
    Client,
    ClientSecret,
    GrantType,
    Registration,
)
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.ports.clients import Addition
from shared_kernel import scope

_REMEMBERED = 10_000
"""Clients that need not be read again."""
CLIENT_COLUMNS = (
    "client_id, name, registration, redirect_uris, grant_types, scopes, tenant, created_at, confidential,"
    " document_expires_at, jwks, jwks_uri, authentication_method, registration_token, resource_server,"
    " dpop_bound, par_required"
)
"""What client_from_row() takes."""
_HAS_TOKEN = "(? IS NULL OR registration_token = ?)"


class SqliteClients:
    """Implements ClientStore."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._clients = Watched[str, Client](database.changes, _REMEMBERED)

    async def client(self, client_id: str) -> Client | None:
        """See ClientStore."""
        client = self._clients.get(client_id)
        if client is None:
            moment = self._clients.moment()
            client = await self._database.read(_client, client_id)
            if client is not None:
                self._clients.put(client_id, client, moment)
        return client

    async def clients(self) -> Sequence[Client]:
        """See ClientStore."""
        return await self._database.read(_clients)

    async def add_client(self, client: Client, initial_token: str | None = None) -> Addition:
        """See ClientStore."""
        return await self._database.write(_add, client, initial_token)

    async def update_client(self, client: Client, registration_token: str | None = None) -> bool:
        """See ClientStore."""
        return await self._database.write(_update, client, registration_token)

    async def rotate_client_secret(self, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
        """See ClientStore."""
        return await self._database.write(_rotate_secret, client_id, secret, previous_until)

    async def delete_client(self, client_id: str, now: float, registration_token: str | None = None) -> bool:
        """See ClientStore."""
        return await self._database.write(_delete, client_id, now, registration_token)


def _client(db: sqlite3.Connection, client_id: str) -> Client | None:
    row = db.execute(f"SELECT {CLIENT_COLUMNS} FROM clients WHERE client_id = ?", (client_id,)).fetchone()
    return client_from_row(db, row) if row else None


def _clients(db: sqlite3.Connection) -> list[Client]:
    rows = db.execute(f"SELECT {CLIENT_COLUMNS} FROM clients ORDER BY created_at, client_id").fetchall()
    return [client_from_row(db, row) for row in rows]


def _add(db: sqlite3.Connection, client: Client, initial_token: str | None) -> Addition:
    if db.execute("SELECT 1 FROM deleted_clients WHERE client_id = ?", (client.client_id,)).fetchone():
        return Addition.DELETED
    if client.tenant is not None and not is_workspace(db, client.tenant):
        return Addition.NO_WORKSPACE
    if initial_token is not None and not count_use(db, initial_token, client.created_at):
        return Addition.NO_TOKEN
    added = insert_client(db, client, client.created_at, None if initial_token is None else client.created_at)
    if not added and client.registration is Registration.DOCUMENT:
        _renew(db, client)
        return Addition.KNOWN
    if not added:
        db.execute(
            "UPDATE clients SET last_used_at = max(last_used_at, ?) WHERE client_id = ?",
            (client.created_at, client.client_id),
        )
        return Addition.KNOWN
    if client.registration is not Registration.OPERATOR:
        _evict_never_used(db)
    return Addition.ADDED


def insert_client(db: sqlite3.Connection, client: Client, last_used_at: float, used_at: float | None) -> bool:
    """Inserts a client with its secrets; False if its id is taken."""
    columns = {
        "client_id": client.client_id,
        "registration": client.registration,
        **_metadata(client),
        **_registered(client),
        "tenant": client.tenant or "",
        "created_at": client.created_at,
        "document_expires_at": client.document_expires_at,
        "resource_server": client.resource_server,
        "last_used_at": last_used_at,
        "used_at": used_at,
    }
    inserted = db.execute(
        f"INSERT INTO clients ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) ON CONFLICT DO NOTHING",
        (*columns.values(),),
    ).rowcount
    for secret in client.secrets if inserted else ():
        _add_secret(db, client.client_id, secret)
    return inserted > 0


def _metadata(client: Client) -> dict[str, Any]:
    """The columns that a metadata document changes."""
    return {
        "name": client.name,
        "redirect_uris": json.dumps(client.redirect_uris),
        "grant_types": json.dumps(sorted(client.grant_types)),
        "scopes": scope.join(client.scopes),
        "confidential": client.confidential,
        "jwks": client.jwks,
        "jwks_uri": client.jwks_uri,
        "dpop_bound": client.dpop_bound,
        "par_required": client.par_required,
    }


def _registered(client: Client) -> dict[str, Any]:
    """The columns that only a client which registered itself has."""
    return {"authentication_method": client.authentication_method, "registration_token": client.registration_token}


def _set(columns: Mapping[str, Any]) -> str:
    return ", ".join(f"{column} = ?" for column in columns)


def _renew(db: sqlite3.Connection, client: Client) -> None:
    """What the document says now replaces what it said before; an operator's client of that id stays as it is."""
    columns = _metadata(client) | {"document_expires_at": client.document_expires_at}
    db.execute(
        f"UPDATE clients SET {_set(columns)}, last_used_at = max(last_used_at, ?)"
        " WHERE client_id = ? AND registration = 'document'",
        (*columns.values(), client.created_at, client.client_id),
    )


def _evict_never_used(db: sqlite3.Connection) -> None:
    # Anyone may register, so what that costs has a bound. A client with a grant has been used, and stays.
    never_used = "registration <> 'operator' AND used_at IS NULL"
    (count,) = db.execute(f"SELECT count(*) FROM clients WHERE {never_used}").fetchone()
    if count > MAX_NEVER_USED:
        db.execute(
            f"DELETE FROM clients WHERE client_id IN (SELECT client_id FROM clients WHERE {never_used}"
            " ORDER BY last_used_at LIMIT ?)",
            (count - MAX_NEVER_USED,),
        )


def _update(db: sqlite3.Connection, client: Client, registration_token: str | None) -> bool:
    columns = _metadata(client) | _registered(client)
    updated = db.execute(
        f"UPDATE clients SET {_set(columns)} WHERE client_id = ? AND {_HAS_TOKEN}",
        (*columns.values(), client.client_id, registration_token, registration_token),
    )
    return updated.rowcount > 0


def _rotate_secret(db: sqlite3.Connection, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
    if not db.execute("SELECT 1 FROM clients WHERE client_id = ? AND confidential", (client_id,)).fetchone():
        return False
    # Of two secrets the older one ends now: at most two are alive at a time.
    db.execute("DELETE FROM client_secrets WHERE client_id = ? AND expires_at IS NOT NULL", (client_id,))
    db.execute("UPDATE client_secrets SET expires_at = ? WHERE client_id = ?", (previous_until, client_id))
    _add_secret(db, client_id, secret)
    return True


def _delete(db: sqlite3.Connection, client_id: str, now: float, registration_token: str | None) -> bool:
    found = db.execute(
        f"SELECT registration, registration_token FROM clients WHERE client_id = ? AND {_HAS_TOKEN}",
        (client_id, registration_token, registration_token),
    ).fetchone()
    if found is None:
        return False
    revoke(db, now, client_id=client_id)
    # A random id does not come back.
    if found[0] != Registration.OPERATOR and found[1] is None:
        db.execute("INSERT INTO deleted_clients VALUES (?, ?)", (client_id, now))
    db.execute("DELETE FROM clients WHERE client_id = ?", (client_id,))
    note(db, Revocation(Revoked.CLIENT, client_id, now))
    return True


def _add_secret(db: sqlite3.Connection, client_id: str, secret: ClientSecret) -> None:
    db.execute(
        "INSERT INTO client_secrets (client_id, digest, created_at, expires_at) VALUES (?, ?, ?, ?)",
        (client_id, secret.digest, secret.created_at, secret.expires_at),
    )


def client_from_row(db: sqlite3.Connection, row: tuple[Any, ...]) -> Client:
    """The client in CLIENT_COLUMNS, with its secrets."""
    client_id, name, registration, redirect_uris, grant_types, scopes, tenant, created_at, confidential, *more = row
    document_expires_at, jwks, jwks_uri, authentication_method, registration_token, resource_server, *demands = more
    dpop_bound, par_required = map(bool, demands)
    secrets = db.execute(
        "SELECT digest, created_at, expires_at FROM client_secrets WHERE client_id = ? ORDER BY created_at",
        (client_id,),
    )
    return Client(
        client_id=client_id,
        name=name,
        registration=Registration(registration),
        redirect_uris=tuple(json.loads(redirect_uris)),
        grant_types=frozenset(map(GrantType, json.loads(grant_types))),
        scopes=scope.parse(scopes),
        tenant=tenant or None,
        created_at=created_at,
        confidential=bool(confidential),
        secrets=tuple(ClientSecret(*secret) for secret in secrets),
        document_expires_at=document_expires_at,
        jwks=jwks,
        jwks_uri=jwks_uri,
        authentication_method=AuthenticationMethod(authentication_method) if authentication_method else None,
        registration_token=registration_token,
        resource_server=resource_server,
        dpop_bound=dpop_bound,
        par_required=par_required,
    )
