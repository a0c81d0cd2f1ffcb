"""Device authorizations in SQLite."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from auth_server.adapters.sqlite_store.database import Database
from auth_server.adapters.sqlite_store.grants import give, may_be_given
from auth_server.domain.device import (
    LONGEST_INTERVAL,
    POLL_INTERVAL,
    POLL_LENIENCE,
    SLOW_DOWN_SECONDS,
    DeviceAuthorization,
)
from auth_server.domain.grant import Grant
from auth_server.ports.devices import Approved, DecidedDevice, Denied, Expired, Pending, TooFast, Unknown
from auth_server.ports.records import StoredDevice
from shared_kernel import scope

_COLUMNS = "device_id, digest, family, client_id, scopes, resource, address, created_at, expires_at"


class SqliteDevices:
    """Implements DeviceStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start_device(self, authorization: DeviceAuthorization) -> bool:
        """See DeviceStore."""
        return await self._database.write(insert_device, StoredDevice(authorization, POLL_INTERVAL, None, None, None))

    async def device(self, device_id: str, now: float) -> DeviceAuthorization | DecidedDevice | None:
        """See DeviceStore."""
        return await self._database.read(_device, device_id, now)

    async def approve_device(self, authorization: DeviceAuthorization, grant: Grant, now: float) -> bool:
        """See DeviceStore."""
        return await self._database.write(_approve, authorization, grant, now)

    async def deny_device(self, device_id: str, now: float) -> bool:
        """See DeviceStore."""
        return await self._database.write(_decide, device_id, None, now)

    async def poll_device(
        self, device_id: str, digest: str, client_id: str, now: float
    ) -> Pending | TooFast | Denied | Expired | Approved | Unknown:
        """See DeviceStore."""
        return await self._database.write(_poll, device_id, digest, client_id, now)


def insert_device(db: sqlite3.Connection, stored: StoredDevice) -> bool:
    """Inserts an authorization, whatever has become of it; False if its id is taken."""
    device = stored.authorization
    inserted = db.execute(
        f"INSERT INTO device_authorizations ({_COLUMNS}, poll_interval, polled_at, decided_at, grant_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            device.device_id,
            device.digest,
            device.family,
            device.client_id,
            scope.join(device.scopes),
            device.resource,
            device.address,
            device.created_at,
            device.expires_at,
            stored.poll_interval,
            stored.polled_at,
            stored.decided_at,
            stored.grant_id,
        ),
    )
    return inserted.rowcount > 0


def stored_devices(db: sqlite3.Connection) -> Iterator[StoredDevice]:
    """All authorizations, decided or not."""
    rows = db.execute(
        f"SELECT {_COLUMNS}, poll_interval, polled_at, decided_at, grant_id FROM device_authorizations ORDER BY rowid"
    )
    for *columns, poll_interval, polled_at, decided_at, grant_id in rows:
        yield StoredDevice(_from_row(columns), poll_interval, polled_at, decided_at, grant_id)


def _from_row(columns: list[Any]) -> DeviceAuthorization:
    device_id, digest, family, client_id, scopes, *rest = columns
    return DeviceAuthorization(device_id, digest, family, client_id, scope.parse(scopes), *rest)


def _device(db: sqlite3.Connection, device_id: str, now: float) -> DeviceAuthorization | DecidedDevice | None:
    row = db.execute(
        f"SELECT {_COLUMNS}, decided_at, grant_id FROM device_authorizations WHERE device_id = ? AND expires_at > ?",
        (device_id, now),
    ).fetchone()
    if row is None:
        return None
    *columns, decided_at, grant_id = row
    device = _from_row(columns)
    return device if decided_at is None else DecidedDevice(device, decided_at, grant_id)


def _decide(db: sqlite3.Connection, device_id: str, grant_id: str | None, now: float) -> bool:
    decided = db.execute(
        "UPDATE device_authorizations SET decided_at = ?1, grant_id = ?2"
        " WHERE device_id = ?3 AND decided_at IS NULL AND expires_at > ?1",
        (now, grant_id, device_id),
    )
    return decided.rowcount > 0


def _approve(db: sqlite3.Connection, authorization: DeviceAuthorization, grant: Grant, now: float) -> bool:
    if not may_be_given(db, grant) or not _decide(db, authorization.device_id, grant.grant_id, now):
        return False
    give(db, grant, authorization.first_token(grant.grant_id), now)
    return True


def _poll(
    db: sqlite3.Connection, device_id: str, digest: str, client_id: str, now: float
) -> Pending | TooFast | Denied | Expired | Approved | Unknown:
    row = db.execute(
        "SELECT expires_at, poll_interval, polled_at, decided_at, grant_id FROM device_authorizations"
        " WHERE device_id = ? AND digest = ? AND client_id = ?",
        (device_id, digest, client_id),
    ).fetchone()
    if row is None:
        return Unknown()
    expires_at, interval, polled_at, decided_at, grant_id = row
    if decided_at is not None:
        return Denied() if grant_id is None else Approved(grant_id)
    if now >= expires_at:
        return Expired()
    is_early = polled_at is not None and 0 <= now - polled_at < interval - POLL_LENIENCE
    if is_early:
        interval = min(interval + SLOW_DOWN_SECONDS, LONGEST_INTERVAL)
    db.execute(
        "UPDATE device_authorizations SET poll_interval = ?, polled_at = ? WHERE device_id = ?",
        (interval, now, device_id),
    )
    return TooFast() if is_early else Pending()
