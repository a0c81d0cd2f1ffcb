"""Moving-window limits in this process's memory.

Each server process counts for itself, so that n processes on a host allow n times as much. The windows follow the
monotonic clock: whoever sets the machine's clock neither ends nor prolongs a wait.
"""

import math
from collections import deque
from dataclasses import dataclass

from auth_server.adapters.networks import network
from auth_server.domain.credentials import digest
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class _Limit:
    name: str
    hits: int
    minutes: int


# An account is never blocked as such, only together with an address: otherwise anyone could lock anyone out.
_SIGN_IN_ACCOUNT = _Limit("sign-in-account", 10, minutes=5)
_SIGN_IN_ADDRESS = _Limit("sign-in-address", 100, minutes=5)
_CLIENT_SECRET = _Limit("client-secret", 10, minutes=1)
_CLIENT_ADDRESS = _Limit("client-address", 200, minutes=1)
_AUTHORIZATION_ADDRESS = _Limit("authorization-address", 120, minutes=1)
_REGISTRATION_ADDRESS = _Limit("registration-address", 60, minutes=10)
_DOCUMENT_ADDRESS = _Limit("document-address", 20, minutes=1)
_DOCUMENT_ORIGIN = _Limit("document-origin", 30, minutes=1)
_DOCUMENTS = _Limit("documents", 120, minutes=1)
_LOOKS_BETWEEN_CLEARINGS = 1000


@dataclass(slots=True)
class _Window:
    """The moments of the hits within the last `seconds`."""

    seconds: float
    hits: deque[float]

    def move(self, now: float) -> None:
        """Forgets the hits that have left the window."""
        while self.hits and self.hits[0] <= now - self.seconds:
            self.hits.popleft()


class MemoryAttemptLimiter:
    """Implements AttemptLimiter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, ...], _Window] = {}
        self._looks = 0

    async def sign_in_attempt(self, email: str, address: str) -> int | None:
        """See AttemptLimiter: 100 in 5 minutes from an address, 10 of them for one account."""
        source = network(address)
        # The address first: it bounds how many accounts one address can make us remember.
        return self._hit(_SIGN_IN_ADDRESS, source) or self._hit(_SIGN_IN_ACCOUNT, digest(email), source)

    async def sign_in_succeeded(self, email: str, address: str) -> None:
        """See AttemptLimiter."""
        self._windows.pop((_SIGN_IN_ACCOUNT.name, digest(email), network(address)), None)

    async def authorization_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 120 in a minute from an address, since each may leave a row in the store."""
        return self._hit(_AUTHORIZATION_ADDRESS, network(address))

    async def registration_attempt(self, address: str) -> int | None:
        """See AttemptLimiter: 60 in 10 minutes from an address. None for all: a few addresses could use it up."""
        return self._hit(_REGISTRATION_ADDRESS, network(address))

    async def client_authentication_failed(self, client_id: str, address: str) -> int | None:
        """See AttemptLimiter: 10 failures in a minute for a client from an address, 200 for all from an address."""
        source = network(address)
        # The address first: one that is blocked makes us remember no further clients.
        return self._hit(_CLIENT_ADDRESS, source) or self._hit(_CLIENT_SECRET, digest(client_id), source)

    async def document_fetch(self, origin: str, address: str) -> int | None:
        """See AttemptLimiter: in a minute 20 from an address, 30 to an origin, 120 in all.

        Nobody can have us flood a host, and one address alone cannot use up what there is for everybody.
        """
        return (
            self._hit(_DOCUMENT_ADDRESS, network(address))
            or self._hit(_DOCUMENT_ORIGIN, digest(origin))
            or self._hit(_DOCUMENTS)
        )

    def _hit(self, limit: _Limit, *key: str) -> int | None:
        """Counts a hit; the seconds to wait, and no count, when the window is full."""
        now = self._clock.monotonic()
        self._looks += 1
        if self._looks % _LOOKS_BETWEEN_CLEARINGS == 0:
            self._clear(now)
        window = self._windows.setdefault((limit.name, *key), _Window(limit.minutes * 60.0, deque()))
        window.move(now)
        if len(window.hits) >= limit.hits:
            return max(1, math.ceil(window.hits[0] + window.seconds - now))
        window.hits.append(now)
        return None

    def _clear(self, now: float) -> None:
        """Forgets the windows that have become empty."""
        for key, window in list(self._windows.items()):
            window.move(now)
            if not window.hits:
                del self._windows[key]
