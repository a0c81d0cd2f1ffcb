"""What a person decides about a device, on the consent page."""

from dataclasses import dataclass

from auth_server.domain import device_codes
from auth_server.domain.authorization import REPEAT_SECONDS
from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import Grant
from auth_server.ports.devices import DecidedDevice, DeviceStore
from auth_server.ports.grants import GrantStore


@dataclass(frozen=True, slots=True)
class DeviceQuestion:
    """What the page shows of the device: the code to compare, when it asked, and from which network address."""

    user_code: str
    asked_at: float
    seconds_ago: float
    address: str


class DeviceDecisions:
    """Loads what is to be decided, and writes the decision."""

    def __init__(self, *, devices: DeviceStore, grants: GrantStore) -> None:
        self._devices, self._grants = devices, grants

    async def question(self, device_id: str, transaction_id: str, now: float) -> DeviceQuestion:
        """What to show. Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION), StoreUnavailable."""
        found = await self._device(device_id, now)
        if isinstance(found, DecidedDevice):
            raise Refused(Reason.DECIDED_TRANSACTION)
        user_code = device_codes.user_code_of(transaction_id)
        return DeviceQuestion(user_code, found.created_at, max(0.0, now - found.created_at), found.address)

    async def decide(self, device_id: str, grant: Grant | None, now: float) -> bool:
        """Makes the decision, only the first of several counts; False if this person has just made the same one.

        `grant` is what the person gives, None for a denial. Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION),
        StoreUnavailable.
        """
        found = await self._device(device_id, now)
        if isinstance(found, DeviceAuthorization):
            if await self._decided(found, grant, now):
                return True
            found = await self._device(device_id, now)
        if not isinstance(found, DecidedDevice) or not await self._is_same(found, grant, now):
            raise Refused(Reason.DECIDED_TRANSACTION)
        return False

    async def _decided(self, device: DeviceAuthorization, grant: Grant | None, now: float) -> bool:
        if grant is None:
            return await self._devices.deny_device(device.device_id, now)
        return await self._devices.approve_device(device, grant, now)

    async def _is_same(self, decided: DecidedDevice, grant: Grant | None, now: float) -> bool:
        if now >= decided.decided_at + REPEAT_SECONDS:
            return False
        if grant is None:
            return decided.grant_id is None
        # Somebody else may have allowed it: then the device is connected to their account.
        of_person = await self._grants.grants(now, grant.user_id)
        return any(each.grant_id == decided.grant_id for each in of_person)

    async def _device(self, device_id: str, now: float) -> DeviceAuthorization | DecidedDevice:
        found = await self._devices.device(device_id, now)
        if found is None:
            raise Refused(Reason.UNKNOWN_TRANSACTION)
        return found
