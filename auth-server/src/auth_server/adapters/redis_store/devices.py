"""Device authorizations in Redis."""

from auth_server.adapters.redis_store.authorization_fields import device_fields, device_from, first_token_fields
from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import pairs
from auth_server.adapters.redis_store.grant_fields import grant_fields
from auth_server.adapters.redis_store.reading import read
from auth_server.domain.device import POLL_INTERVAL, DeviceAuthorization
from auth_server.domain.grant import Grant
from auth_server.ports.devices import Approved, DecidedDevice, Denied, Expired, Pending, TooFast, Unknown

_OUTCOMES: dict[bytes, Pending | TooFast | Denied | Expired | Unknown] = {
    b"pending": Pending(),
    b"too_fast": TooFast(),
    b"denied": Denied(),
    b"expired": Expired(),
    b"unknown": Unknown(),
}


class RedisDevices:
    """Implements DeviceStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start_device(self, authorization: DeviceAuthorization) -> bool:
        """See DeviceStore."""
        started = await self._database.run(
            "start_device",
            authorization.device_id,
            authorization.digest,
            authorization.created_at,
            authorization.expires_at,
            *pairs(device_fields(authorization) | {"poll_interval": POLL_INTERVAL}),
        )
        return bool(started)

    async def device(self, device_id: str, now: float) -> DeviceAuthorization | DecidedDevice | None:
        """See DeviceStore."""
        found = await read(self._database, "device", device_id)
        if found is None or float(found["expires_at"]) <= now:
            return None
        device = device_from(found)
        if "decided_at" not in found:
            return device
        grant_id = found.get("grant_id")
        return DecidedDevice(device, float(found["decided_at"]), grant_id.decode() if grant_id else None)

    async def approve_device(self, authorization: DeviceAuthorization, grant: Grant, now: float) -> bool:
        """See DeviceStore."""
        approved = await self._database.run(
            "approve_device",
            authorization.device_id,
            now,
            grant.grant_id,
            grant.handle,
            grant.client_id,
            grant.user_id,
            grant.expires_at,
            grant.tenant,
            grant.role,
            *pairs(grant_fields(grant) | first_token_fields(authorization.first_token(grant.grant_id))),
        )
        return bool(approved)

    async def deny_device(self, device_id: str, now: float) -> bool:
        """See DeviceStore."""
        return bool(await self._database.run("deny_device", device_id, now))

    async def poll_device(
        self, device_id: str, digest: str, client_id: str, now: float
    ) -> Pending | TooFast | Denied | Expired | Approved | Unknown:
        """See DeviceStore."""
        outcome, *grant_id = await self._database.run("poll_device", device_id, digest, client_id, now)
        return Approved(grant_id[0].decode()) if grant_id else _OUTCOMES[outcome]
