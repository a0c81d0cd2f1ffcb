"""What other replicas run of principals' queries, as far as this one has heard.

Replicas tell one another several times a second (`engine/beats.py`), beside the queries, which never wait for it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mcp_server.ports.board import LIFETIME_SECONDS, Load
from mcp_server.ports.spending import Owner
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first query in a line on another replica: whose, and since when, in monotonic seconds.

    `running` is how many of the same principal run there, `of_tenant` how many of its tenant.
    """

    subject: str
    since: float
    running: int
    of_tenant: int


class Elsewhere:
    """The queries on other replicas; forgotten when nothing was heard for as long as it counts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = 0.0
        self._running: Counter[str | Owner] = Counter()
        self._replicas: Counter[str | Owner] = Counter()
        self._waiting: Mapping[str, Sequence[Waiting]] = {}

    def hear(self, replicas: Sequence[Mapping[Owner, Load]]) -> None:
        """Takes what all others have told, in place of what was heard before."""
        now = self._clock.monotonic()
        running, competing = Counter[str | Owner](), Counter[str | Owner]()
        waiting = dict[str, list[Waiting]]()
        for replica in replicas:
            there = Counter[str]()
            for (tenant, subject), load in replica.items():
                there[tenant] += load.running
                running[tenant, subject] += load.running
                competing[tenant, subject] += 1
            running.update(there)
            competing.update(there.keys())
            for (tenant, subject), load in replica.items():
                if load.waited is not None:
                    one = Waiting(subject, now - load.waited, load.running, there[tenant])
                    waiting.setdefault(tenant, []).append(one)
        self._running, self._replicas, self._waiting = running, competing, waiting
        self._until = now + LIFETIME_SECONDS

    @property
    def counts(self) -> bool:
        """Whether anything that was heard still counts."""
        return bool(self._replicas) and self._clock.monotonic() < self._until

    @property
    def total(self) -> int:
        """How many queries run elsewhere."""
        return sum(count for whose, count in self._running.items() if isinstance(whose, str)) if self.counts else 0

    def running(self, whose: str | Owner) -> int:
        """How many queries of a tenant, or of a principal, run elsewhere."""
        return self._running[whose] if self.counts else 0

    def replicas(self, whose: str | Owner) -> int:
        """How many others have queries of a tenant, or of a principal, that run or wait."""
        return self._replicas[whose] if self.counts else 0

    def waiting(self, tenant: str) -> Sequence[Waiting]:
        """The queries of a tenant that are the first in a line elsewhere."""
        return self._waiting.get(tenant, ()) if self.counts else ()
