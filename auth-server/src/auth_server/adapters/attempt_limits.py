"""The limits on attempts, counted in the store, so that all processes of a store together allow no more than one.

Keys are digests: the store learns no network address from them.
"""

import math
from dataclasses import dataclass

from auth_server.adapters.networks import network
from auth_server.adapters.remembered import Remembered
from auth_server.domain.credentials import digest
from auth_server.ports.limits import LimitStore
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class _Limit:
    name: str
    hits: int
    minutes: int
    may_be_forgotten: bool = False


# An account is never blocked as such, only together with an address: otherwise anyone could lock anyone out.
_SIGN_IN_ACCOUNT = _Limit("sign-in-account", 10, minutes=5, may_be_forgotten=True)
_SIGN_IN_ADDRESS = _Limit("sign-in-address", 100, minutes=5)
_CLIENT_SECRET = _Limit("client-secret", 10, minutes=1)
_CLIENT_ADDRESS = _Limit("client-address", 200, minutes=1)
_AUTHORIZATION_ADDRESS = _Limit("authorization-address", 120, minutes=1)
_DEVICE_ADDRESS = _Limit("device-address", 60, minutes=1)
_USER_CODE_ADDRESS = _Limit("user-code-address", 5, minutes=1)
_USER_CODE = _Limit("user-code", 10, minutes=10)
_REGISTRATION_ADDRESS = _Limit("registration-address", 60, minutes=10)
_DOCUMENT_ADDRESS = _Limit("document-address", 20, minutes=1)
_DOCUMENT_ORIGIN = _Limit("document-origin", 30, minutes=1)
_DOCUMENTS = _Limit("documents", 120, minutes=1)
_REMEMBERED = 10_000
"""Full windows about which the store need not be asked."""


class StoreAttemptLimiter:
    """Implements AttemptLimiter over a LimitStore.

    A full window stays full until its oldest attempt leaves, unless it may be forgotten before. This process remembers
    that, so that a flood that is being refused costs the store nothing.
    """

    def __init__(self, store: LimitStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        # Until when each is full, on the monotonic clock.
        self._full = Remembered[str, float](_REMEMBERED)

    async def sign_in_attempt(self, email: str, address: str) -> int | None:
        """See AttemptLimiter: 100 in 5 minutes from an address, 10 of them for one account."""
        source = network(address)
        # The address first: it bounds how many accounts one address can make the store remember.
        return await self._hit(_SIGN_IN_ADDRESS, source) or await self._hit(_SIGN_IN_ACCOUNT, email, source)

    async def sign_in_succeeded(self, email: str, address: str) -> None:
        """See AttemptLimiter."""
        await self._store.forget_attempts(_key(_SIGN_IN_ACCOUNT, email, network(address)))

    async def authorization_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 120 in a minute from an address, since each may leave a row in the store."""
        return await self._hit(_AUTHORIZATION_ADDRESS, network(address))

    async def device_authorization_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 60 in a minute from an address, since each leaves a row in the store."""
        return await self._hit(_DEVICE_ADDRESS, network(address))

    async def user_code_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 5 in a minute from an address."""
        return await self._hit(_USER_CODE_ADDRESS, network(address))

    async def user_code_use(self, device_id: str) -> int | None:
        """See AttemptLimiter: 10 while the code lives, from anywhere."""
        return await self._hit(_USER_CODE, device_id)

    async def registration_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 60 in 10 minutes from an address. None for all: a few addresses could use it up."""
        return await self._hit(_REGISTRATION_ADDRESS, network(address))

    async def client_authentication_failed(self, client_id: str, address: str) -> int | None:
        """See AttemptLimiter: 10 failures in a minute for a client from an address, 200 for all from an address."""
        source = network(address)
        # The address first: one that is blocked makes the store remember no further clients.
        return await self._hit(_CLIENT_ADDRESS, source) or await self._hit(_CLIENT_SECRET, client_id, source)

    async def document_fetch(self, origin: str, address: str) -> int | None:
        """See AttemptLimiter: in a minute 20 from an address, 30 to an origin, 120 in all.

        Nobody can have us flood a host, and one address alone cannot use up what there is for everybody.
        """
        return (
            await self._hit(_DOCUMENT_ADDRESS, network(address))
            or await self._hit(_DOCUMENT_ORIGIN, origin)
            or await self._hit(_DOCUMENTS)
        )

    async def _hit(self, limit: _Limit, *whose: str) -> int | None:
        """Counts a hit; the seconds to wait, and no count, when the window is full."""
        key, moment, now = _key(limit, *whose), self._clock.monotonic(), self._clock.now()
        full_until = self._full.get(key)
        if full_until is None or full_until <= moment:
            leaves_at = await self._store.count_attempt(key, limit.hits, limit.minutes * 60.0, now)
            if leaves_at is None:
                return None
            full_until = moment + leaves_at - now
            if not limit.may_be_forgotten:
                self._full.put(key, full_until)
        return max(1, math.ceil(full_until - moment))


def _key(limit: _Limit, *whose: str) -> str:
    return f"{limit.name}:{digest('|'.join(whose))}"
