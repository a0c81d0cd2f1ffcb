"""Tokens that somebody asks about again and again, with each of their own requests: the trail holds the first time."""

from collections import OrderedDict

INTERVAL_SECONDS = 600.0
_MOST_REMEMBERED = 10_000

_Sight = tuple[str, str]
"""Who asks, and about which flow."""


class Sightings:
    """Says which questions are worth an event: one for each who asks and each flow, in ten minutes."""

    def __init__(self) -> None:
        self._seen: OrderedDict[_Sight, float] = OrderedDict()

    def is_new(self, who: str, flow_id: str, now: float) -> bool:
        """Whether this was not asked within the last ten minutes; it is from now on."""
        sight = (who, flow_id)
        if now - self._seen.get(sight, -INTERVAL_SECONDS) < INTERVAL_SECONDS:
            return False
        self._seen[sight] = now
        self._seen.move_to_end(sight)
        if len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return True
