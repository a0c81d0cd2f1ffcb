"""Device authorizations: asked for by a device, decided by a person, polled by the device."""

from dataclasses import dataclass
from typing import Protocol

from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.grant import Grant


@dataclass(frozen=True, slots=True)
class DecidedDevice:
    """The authorization was approved or denied at `decided_at`; `grant_id` is the grant it led to, None if denied."""

    authorization: DeviceAuthorization
    decided_at: float
    grant_id: str | None


@dataclass(frozen=True, slots=True)
class Pending:
    """Nobody has decided yet."""


@dataclass(frozen=True, slots=True)
class TooFast:
    """Nobody has decided yet, and the device asks too often; from now on it must wait longer."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The person has said no."""


@dataclass(frozen=True, slots=True)
class Expired:
    """Nobody has decided in time."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The person has said yes. The device code is the first token of that grant's family (RefreshStore.rotate)."""

    grant_id: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no such authorization of that client's."""


class DeviceStore(Protocol):
    """Device authorizations, by the id that both their codes lead to."""

    async def start_device(self, authorization: DeviceAuthorization) -> bool:
        """Adds an authorization; False if its id is taken."""
        ...

    async def device(self, device_id: str, now: float) -> DeviceAuthorization | DecidedDevice | None:
        """The authorization; DecidedDevice once it was approved or denied; None if unknown or expired."""
        ...

    async def approve_device(self, authorization: DeviceAuthorization, grant: Grant, now: float) -> bool:
        """Decides the authorization and adds the grant with the device code as its first token, in one step.

        False if there was nothing left to decide, or client or person are gone, or the person is disabled.
        """
        ...

    async def deny_device(self, device_id: str, now: float) -> bool:
        """Decides the authorization; False if there was nothing left to decide."""
        ...

    async def poll_device(
        self, device_id: str, digest: str, client_id: str, now: float
    ) -> Pending | TooFast | Denied | Expired | Approved | Unknown:
        """What a device is told that has a code of that digest.

        While nobody has decided, a poll within the interval since the one before lengthens the interval by
        SLOW_DOWN_SECONDS, up to LONGEST_INTERVAL, in the same step. A decision is told whenever it is asked for.
        """
        ...
