"""Device authorizations in DynamoDB."""

from auth_server.adapters.dynamodb_store.giving import givable
from auth_server.adapters.dynamodb_store.grant_items import grant_items
from auth_server.adapters.dynamodb_store.items import Item, device_key, expiring, queue
from auth_server.adapters.dynamodb_store.table import ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import NEW, Put, Update, Write
from auth_server.domain.device import (
    DEVICE_MEMORY,
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

KIND = "device"
_UNDECIDED = "attribute_not_exists(#decided_at) AND #expires_at > :now"


class DynamoDbDevices:
    """Implements DeviceStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def start_device(self, authorization: DeviceAuthorization) -> bool:
        """See DeviceStore."""
        put = device_put(StoredDevice(authorization, POLL_INTERVAL, None, None, None))
        async with self._table.in_time():
            try:
                await self._table.write(Put(put.key, put.item, NEW))
            except ConditionFailed as failed:
                # By this very call, if its first request got through and only the answer was lost.
                return failed.met is not None and failed.met["digest"] == authorization.digest
            return True

    async def device(self, device_id: str, now: float) -> DeviceAuthorization | DecidedDevice | None:
        """See DeviceStore."""
        async with self._table.in_time():
            item = await self._table.get(device_key(device_id))
            if item is None or item["expires_at"] <= now:
                return None
            device = device_of(item)
            decided_at = item.get("decided_at")
            return device if decided_at is None else DecidedDevice(device, decided_at, item.get("grant_id"))

    async def approve_device(self, authorization: DeviceAuthorization, grant: Grant, now: float) -> bool:
        """See DeviceStore."""
        async with self._table.in_time():
            given = await givable(self._table, grant, now)
            if given is None:
                return False
            decision = {"decided_at": now, "grant_id": grant.grant_id}
            writes: list[Write] = [
                Update(device_key(authorization.device_id), decision, _UNDECIDED, {"now": now}),
                *given.uses,
                *grant_items(grant, given.owners, first=authorization.first_token(grant.grant_id)),
            ]
            try:
                await self._table.transact(writes)
            except TransactionFailed:
                return False
            return True

    async def deny_device(self, device_id: str, now: float) -> bool:
        """See DeviceStore."""
        async with self._table.in_time():
            call = self._table.new_name()
            decision = {"decided_at": now, "decided_by": call}
            try:
                await self._table.write(Update(device_key(device_id), decision, _UNDECIDED, {"now": now}))
            except ConditionFailed as failed:
                return failed.met is not None and failed.met.get("decided_by") == call
            return True

    async def poll_device(
        self, device_id: str, digest: str, client_id: str, now: float
    ) -> Pending | TooFast | Denied | Expired | Approved | Unknown:
        """See DeviceStore."""
        async with self._table.in_time():
            call, met = self._table.new_name(), await self._table.get(device_key(device_id))
            # Every failed attempt shows that somebody else has polled or decided.
            while True:  # in_time() ends it
                if met is None or met["digest"] != digest or met["client_id"] != client_id:
                    return Unknown()
                if "decided_at" in met:
                    return Approved(met["grant_id"]) if "grant_id" in met else Denied()
                if now >= met["expires_at"]:
                    return Expired()
                if met.get("polled_by") == call:
                    return Pending()  # by this very call: its first request got through, only the answer was lost
                is_early = "polled_at" in met and 0 <= now - met["polled_at"] < met["poll_interval"] - POLL_LENIENCE
                try:
                    await self._table.write(_poll(met, call, now, is_early=is_early))
                except ConditionFailed as failed:
                    met = failed.met
                else:
                    return TooFast() if is_early else Pending()


def device_put(stored: StoredDevice) -> Put:
    """Adds an authorization, and what has become of it."""
    device = stored.authorization
    key = device_key(device.device_id)
    return Put(
        key,
        {
            "device_id": device.device_id,
            "digest": device.digest,
            "family": device.family,
            "client_id": device.client_id,
            "scopes": scope.join(device.scopes),
            "resource": device.resource,
            "address": device.address,
            "created_at": device.created_at,
            "expires_at": device.expires_at,
            "poll_interval": stored.poll_interval,
            "polled_at": stored.polled_at,
            "decided_at": stored.decided_at,
            "grant_id": stored.grant_id,
            "queue": queue(KIND, key),
            **expiring(device.expires_at + DEVICE_MEMORY),
        },
    )


def stored_device_of(item: Item) -> StoredDevice:
    """The authorization in an item, and what has become of it."""
    return StoredDevice(
        device_of(item), item["poll_interval"], item.get("polled_at"), item.get("decided_at"), item.get("grant_id")
    )


def device_of(item: Item) -> DeviceAuthorization:
    """The authorization in an item."""
    return DeviceAuthorization(
        device_id=item["device_id"],
        digest=item["digest"],
        family=item["family"],
        client_id=item["client_id"],
        scopes=scope.parse(item["scopes"]),
        resource=item["resource"],
        address=item["address"],
        created_at=item["created_at"],
        expires_at=item["expires_at"],
    )


def _poll(item: Item, call: str, now: float, *, is_early: bool) -> Update:
    """Notes a poll of an authorization that is still as in the item."""
    lengthened = min(item["poll_interval"] + SLOW_DOWN_SECONDS, LONGEST_INTERVAL)
    changes = {
        "polled_at": now,
        "polled_by": call,
        "poll_interval": lengthened if is_early else item["poll_interval"],
    }
    undecided = "attribute_exists(#pk) AND attribute_not_exists(#decided_at)"
    if "polled_by" in item:
        unpolled, values = "#polled_by = :polled_by", {"polled_by": item["polled_by"]}
    else:
        unpolled, values = "attribute_not_exists(#polled_by)", {}
    return Update(device_key(item["device_id"]), changes, f"{undecided} AND {unpolled}", values)
