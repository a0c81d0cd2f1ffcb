"""What has been used in this process."""

from collections import OrderedDict

from shared_kernel.clock import Clock


class SingleUseInMemory:
    """Implements SingleUse in this process alone.

    After `capacity` others a mark is forgotten. A proof is then still bound to method, URL, token and minute, and a yes
    to principal, arguments and ten minutes.
    """

    def __init__(self, clock: Clock, capacity: int = 100_000) -> None:
        self._clock, self._capacity = clock, capacity
        self._used: OrderedDict[str, float] = OrderedDict()

    async def use(self, mark: str, seconds: float) -> bool:
        """See SingleUse."""
        now = self._clock.monotonic()
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if mark in self._used:
            return False
        self._used[mark] = now + seconds
        if len(self._used) > self._capacity:
            self._used.popitem(last=False)
        return True
