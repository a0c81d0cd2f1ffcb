"""A board that replicas in one process share."""

from collections.abc import Mapping, Sequence

from mcp_server.ports.board import LIFETIME_SECONDS, BoardUnavailable, Load
from mcp_server.ports.spending import Owner
from shared_kernel.clock import Clock


class HeldNotices:
    """What all of them have told, and until when it counts; while it is `away` nobody is answered."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.away = clock, False
        self.told: dict[object, tuple[float, Mapping[Owner, Load]]] = {}


class HeldBoard:
    """Implements Board for one replica."""

    def __init__(self, notices: HeldNotices) -> None:
        self._notices = notices

    async def exchange(self, here: Mapping[Owner, Load]) -> Sequence[Mapping[Owner, Load]]:
        """See Board."""
        if self._notices.away:
            raise BoardUnavailable
        now, told = self._notices.clock.monotonic(), self._notices.told
        told[self] = now + LIFETIME_SECONDS, dict(here)
        return [loads for replica, (until, loads) in told.items() if replica is not self and until > now]
