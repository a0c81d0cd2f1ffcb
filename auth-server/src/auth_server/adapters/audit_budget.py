"""How many events of one kind the trail keeps: a flood of them must not fill the store.

Everybody has a budget of their own: each person, each client that acts for itself, and all strangers together. What
goes beyond it is counted. Events of our own, and the operator's, come from no address and are kept.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from auth_server.domain.audit import EventName
from shared_kernel.clock import Clock

_MOST_BUDGETS = 10_000
_MOST_COUNTERS = 100

Kind = tuple[EventName, str | None, str | None]
"""An event's name, client and person."""


@dataclass(frozen=True, slots=True)
class _Size:
    """So many events at once, and afterwards so many in a second."""

    at_once: float
    each_second: float


_OF_STRANGERS = _Size(3_000.0, 20.0)
_OF_ONE = _Size(600.0, 10.0)


class AuditBudget:
    """Says which events are kept, and counts the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # What is left of each, and since when.
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._counters: Counter[Kind] = Counter()

    def allows(self, name: EventName, client_id: str | None, user_id: str | None, address: str | None) -> bool:
        """Whether the event is kept; if not, it is counted."""
        if not address:
            return True
        # Whom a client says it is, is not known until it has been given tokens.
        whose = user_id or (client_id if name is EventName.TOKENS_ISSUED else None) or ""
        size, now = (_OF_ONE if whose else _OF_STRANGERS), self._clock.monotonic()
        left, since = self._budgets.get(whose, (size.at_once, now))
        left = min(size.at_once, left + (now - since) * size.each_second)
        if left < 1:
            kind = (name, client_id if whose else None, user_id)
            if kind not in self._counters and len(self._counters) >= _MOST_COUNTERS:
                kind = (name, None, None)
            self._counters[kind] += 1
            return False
        self._budgets[whose] = (left - 1, now)
        self._budgets.move_to_end(whose)
        if len(self._budgets) > _MOST_BUDGETS:
            self._budgets.popitem(last=False)
        return True

    def counted(self) -> Mapping[Kind, int]:
        """How many events of each kind were not kept since this was last asked."""
        counted, self._counters = self._counters, Counter()
        return counted
