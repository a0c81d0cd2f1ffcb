"""Moving-window limits in this process's memory, by the `limits` library.

Each server process counts for itself, so that n processes on a host allow n times as much.
"""

import ipaddress
import math

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from auth_server.domain.credentials import digest
from shared_kernel.clock import Clock

# An account is never blocked as such, only together with an address: otherwise anyone could lock anyone out.
_SIGN_IN_ACCOUNT = RateLimitItemPerMinute(10, 5, namespace="sign-in-account")
_SIGN_IN_ADDRESS = RateLimitItemPerMinute(100, 5, namespace="sign-in-address")
_CLIENT_SECRET = RateLimitItemPerMinute(10, 1, namespace="client-secret")
_CLIENT_ADDRESS = RateLimitItemPerMinute(200, 1, namespace="client-address")
_AUTHORIZATION_ADDRESS = RateLimitItemPerMinute(120, 1, namespace="authorization-address")
_REGISTRATION_ADDRESS = RateLimitItemPerMinute(60, 10, namespace="registration-address")
_REGISTRATION_ALL = RateLimitItemPerMinute(1000, 10, namespace="registration-all")
_HITS_BETWEEN_CLEARINGS = 1000


class MemoryAttemptLimiter:
    """Implements AttemptLimiter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._storage = MemoryStorage()
        self._limits = MovingWindowRateLimiter(self._storage)
        self._hits = 0

    async def sign_in_attempt(self, email: str, address: str) -> int | None:
        """See AttemptLimiter: 100 in 5 minutes from an address, 10 of them for one account."""
        network = _network(address)
        # The address first: it bounds how many accounts one address can make us remember.
        return self._hit(_SIGN_IN_ADDRESS, network) or self._hit(_SIGN_IN_ACCOUNT, digest(email), network)

    async def sign_in_succeeded(self, email: str, address: str) -> None:
        """See AttemptLimiter."""
        self._limits.clear(_SIGN_IN_ACCOUNT, digest(email), _network(address))

    async def authorization_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 120 in a minute from an address, since each may leave a row in the store."""
        return self._hit(_AUTHORIZATION_ADDRESS, _network(address))

    async def registration_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 60 in 10 minutes from an address, 1000 from all."""
        return self._hit(_REGISTRATION_ADDRESS, _network(address)) or self._hit(_REGISTRATION_ALL)

    async def client_authentication_failed(self, client_id: str, address: str) -> int | None:
        """See AttemptLimiter: 10 failures in a minute for a client from an address, 200 for all from an address."""
        network = _network(address)
        # The address first: one that is blocked makes us remember no further clients.
        return self._hit(_CLIENT_ADDRESS, network) or self._hit(_CLIENT_SECRET, digest(client_id), network)

    def _hit(self, item: RateLimitItem, *key: str) -> int | None:
        self._hits += 1
        if self._hits % _HITS_BETWEEN_CLEARINGS == 0:
            self._clear()
        return None if self._limits.hit(item, *key) else self._wait(item, *key)

    def _clear(self) -> None:
        """Forgets keys whose entries have expired; the library alone would remember every key it has ever seen."""
        for key in [key for key, entries in list(self._storage.events.items()) if not entries]:
            self._storage.events.pop(key, None)

    def _wait(self, item: RateLimitItem, *key: str) -> int:
        reset_time = self._limits.get_window_stats(item, *key).reset_time
        return min(max(1, math.ceil(reset_time - self._clock.now())), item.get_expiry())


def _network(address: str) -> str:
    """What one subscriber can speak from: an IPv4 address, or the /64 that an IPv6 address lies in."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
