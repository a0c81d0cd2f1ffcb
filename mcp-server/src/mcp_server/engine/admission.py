"""Who may run a query now: shares, a fair and bounded queue for them, and a deadline for what runs.

A principal's share is smaller than its tenant's, and a tenant's smaller than the whole, so that nobody's long queries
keep everybody else waiting. Tenants take turns, and within a tenant its principals do.

The whole is this process's; shares are used on other replicas, too. What one replica tells is up to a second old when
another acts on it, so it tells only what goes on from one time to the next: short queries would be over by then, and
would keep their principals waiting elsewhere for nothing. Where replicas compete for a share, each has a portion of it.
A place that a replica frees beyond that goes to a query that waits elsewhere, if its turn comes before that of those
here: no replica keeps a share by using it on and on.
"""

from collections import Counter, deque
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import anyio

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.limits import Overdue, ServerFull, ShareTaken
from mcp_server.domain.principal import Principal
from mcp_server.engine.elsewhere import Elsewhere
from mcp_server.engine.limits import BUSY_SECONDS, Limits
from mcp_server.ports.board import Load
from mcp_server.ports.spending import Owner
from mcp_server.ports.tally import UNTALLIED, Tally
from shared_kernel.clock import Clock

_Queue = TypeVar("_Queue")
_REMEMBERED = 10_000
"""Refused principals that are counted; one more, and all are counted from the start."""


class _Query:
    """A query in the queue, and then running: whose, since when, and whether others know only that it waits."""

    __slots__ = ("began", "owner", "since", "told", "turn")

    def __init__(self, owner: Owner, since: float) -> None:
        self.owner, self.since, self.began, self.told = owner, since, since, False
        self.turn: anyio.Event | None = None


class _Refusals:
    """How often somebody was refused since a moment."""

    def __init__(self, since: float) -> None:
        self.since, self.count = since, 0


class Admission:
    """Admits queries within the shares that the limits name."""

    def __init__(self, limits: Limits, clock: Clock, tally: Tally = UNTALLIED) -> None:
        self._limits, self._clock, self._tally = limits, clock, tally
        self._refusals: dict[Owner, _Refusals] = {}
        self._running = set[_Query]()
        self._running_of: Counter[str | Owner] = Counter()
        # The order of keys is the order of turns: who was served goes to the end.
        self._waiting: dict[str, dict[str, deque[_Query]]] = {}
        self._elsewhere = Elsewhere(clock)
        # The fewest that have run since others were told.
        self._lasting: Counter[str | Owner] = Counter()
        self._told_at = clock.monotonic()

    @property
    def running(self) -> int:
        """How many queries are running."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many queries wait for their turn."""
        return sum(len(queue) for queues in self._waiting.values() for queue in queues.values())

    @property
    def running_elsewhere(self) -> int:
        """How many queries other replicas have told of."""
        return self._elsewhere.total

    def floods(self, principal: Principal) -> bool:
        """Whether somebody was refused more often than the queue is long, and has not waited as they were told to.

        To refuse them yet again the same way would cost as much as to serve others.
        """
        refused = self._lately((principal.tenant, principal.subject))
        return refused is not None and refused.count >= self._limits.waiting

    @asynccontextmanager
    async def admitted(self, principal: Principal) -> AsyncGenerator[None]:
        """Runs the block within the principal's share and the deadline. Raises Failure: busy, deadline_exceeded.

        A full queue fails at once; a query gives up its place after `queue_seconds`.
        """
        query = await self._enter((principal.tenant, principal.subject))
        try:
            with deadline(self._limits.deadline_seconds):
                yield
        finally:
            self._end(query)

    def tell(self) -> Mapping[Owner, Load]:
        """The queries to tell other replicas of: what went on since the last time, and what waits only for theirs."""
        told = {owner: Load(count) for owner, count in Counter(query.owner for query in self._going_on()).items()}
        if len(self._running) < self._limits.queries:
            for query in self._first_in_line():
                if query.since <= self._told_at and min(self._free_here(query.owner)) > 0:
                    query.told = True
                    running = told.get(query.owner, Load(0)).running
                    told[query.owner] = Load(running, self._clock.monotonic() - query.since)
        self._told_at = self._clock.monotonic()
        self._lasting = self._running_of.copy()
        return told

    def _going_on(self) -> Iterator[_Query]:
        """As many running queries of each principal and tenant as there were at all times since others were told."""
        lasting, rest = self._lasting, list[_Query]()
        for query in self._running:
            if query.told:  # its place was left to it, and would be given away again before the next time
                query.told = False
                yield query
            elif lasting[query.owner] > 0:
                lasting.subtract((query.owner, query.owner[0]))
                yield query
            else:
                rest.append(query)
        for query in rest:
            if lasting[query.owner[0]] > 0:
                lasting[query.owner[0]] -= 1
                yield query

    def hear(self, replicas: Sequence[Mapping[Owner, Load]]) -> None:
        """Takes what each of the other replicas has told, in place of what they told before."""
        self._elsewhere.hear(replicas)
        self.reconsider()

    def reconsider(self) -> None:
        """Admits waiting queries, in turns, while there is room."""
        while (query := self._next()) is not None:
            tenant, subject = query.owner
            self._forget(query)
            # To the end of the line, with whoever of theirs still waits.
            _to_the_end(self._waiting.get(tenant, {}), subject)
            _to_the_end(self._waiting, tenant)
            self._take(query)
            query.began = self._clock.monotonic()
            if query.turn is not None:
                query.turn.set()

    async def _enter(self, owner: Owner) -> _Query:
        tenant, subject = owner
        own = self._waiting.get(tenant, {}).get(subject, ())
        query = _Query(owner, self._clock.monotonic())
        if not own and self._has_room(query):
            self._take(query)
            self._tally.query_admitted(0.0)
            return query
        if len(own) >= self._limits.waiting_per_principal or self.waiting >= self._limits.waiting:
            raise self._busy(query)
        query.turn = anyio.Event()
        self._waiting.setdefault(tenant, {}).setdefault(subject, deque()).append(query)
        try:
            with anyio.move_on_after(self._limits.queue_seconds):
                await query.turn.wait()
        except BaseException:
            if query.turn.is_set():
                self._end(query)
            raise
        finally:
            if not query.turn.is_set():
                self._forget(query)
        if not query.turn.is_set():
            raise self._busy(query)
        self._tally.query_admitted(query.began - query.since)
        return query

    def _next(self) -> _Query | None:
        if len(self._running) >= self._limits.queries:
            return None
        return next(filter(self._has_room, self._first_in_line()), None)

    def _first_in_line(self) -> Iterator[_Query]:
        return (queue[0] for queues in self._waiting.values() for queue in queues.values())

    def _has_room(self, query: _Query) -> bool:
        return len(self._running) < self._limits.queries and not any(self._lacking(query))

    def _lacking(self, query: _Query) -> tuple[bool, bool]:
        """Whether the principal's share has no place for a query, and whether the tenant's has none."""
        tenant, _ = owner = query.owner
        free, elsewhere = self._free_here(owner), self._elsewhere
        if not elsewhere.counts:
            return free[0] <= 0, free[1] <= 0
        ahead = self._ahead(query)
        return free[0] - elsewhere.running(owner) <= ahead[0], free[1] - elsewhere.running(tenant) <= ahead[1]

    def _free_here(self, owner: Owner) -> tuple[int, int]:
        """The places of a principal and of its tenant that are not taken here."""
        limits, running = self._limits, self._running_of
        return limits.queries_per_principal - running[owner], limits.queries_per_tenant - running[owner[0]]

    def _ahead(self, query: _Query) -> tuple[int, int]:
        """How many queries that wait elsewhere have their turn before one here: of its principal, and of its tenant.

        First those of replicas that have less than their portion of the share, then those of principals that run fewer,
        then those that have waited longer.
        """
        tenant, subject = owner = query.owner
        own_ahead, ahead = 0, Counter[str]()
        portion = self._limits.queries_per_principal // (1 + self._elsewhere.replicas(owner))
        portion_of_tenant = self._limits.queries_per_tenant // (1 + self._elsewhere.replicas(tenant))
        here = (self._running_of[tenant] >= portion_of_tenant, self._running_anywhere(owner), query.since)
        own_here = (self._running_of[owner] >= portion, query.since)
        for other in self._elsewhere.waiting(tenant):
            if other.subject == subject:
                own_ahead += (other.running >= portion, other.since) < own_here
            running = self._running_anywhere((tenant, other.subject))
            if ahead[other.subject] < self._limits.queries_per_principal - running:
                ahead[other.subject] += (other.of_tenant >= portion_of_tenant, running, other.since) < here
        return own_ahead, ahead.total()

    def _running_anywhere(self, whose: str | Owner) -> int:
        return self._running_of[whose] + self._elsewhere.running(whose)

    def _take(self, query: _Query) -> None:
        self._running.add(query)
        self._running_of[query.owner[0]] += 1
        self._running_of[query.owner] += 1

    def _end(self, query: _Query) -> None:
        self._leave(query)
        self.reconsider()
        # Afterwards: a place that another of them has at once was not free.
        for key in (query.owner[0], query.owner):
            if key in self._lasting:
                self._lasting[key] = min(self._lasting[key], self._running_of[key])

    def _leave(self, query: _Query) -> None:
        self._running.discard(query)
        for key in (query.owner[0], query.owner):
            self._running_of[key] -= 1
            if not self._running_of[key]:
                del self._running_of[key]

    def _forget(self, query: _Query) -> None:
        tenant, subject = query.owner
        queues = self._waiting[tenant]
        queues[subject].remove(query)
        if not queues[subject]:
            del queues[subject]
        if not queues:
            del self._waiting[tenant]

    def _lately(self, owner: Owner) -> _Refusals | None:
        found = self._refusals.get(owner)
        if found is not None and self._clock.monotonic() - found.since >= BUSY_SECONDS:
            del self._refusals[owner]
            return None
        return found

    def _busy(self, query: _Query) -> Failure:
        if len(self._refusals) >= _REMEMBERED:
            self._refusals.clear()
        lately = self._lately(query.owner) or _Refusals(self._clock.monotonic())
        lately.count += 1
        self._refusals[query.owner] = lately
        of_principal, of_tenant = self._lacking(query)
        own_ahead, ahead = self._ahead(query)
        if of_principal:
            self._tally.query_refused("principal")
            running = self._running_anywhere(query.owner) + own_ahead
            return _not_started(ShareTaken(running, "principal"))
        if of_tenant:
            self._tally.query_refused("tenant")
            running = self._running_anywhere(query.owner[0]) + ahead
            return _not_started(ShareTaken(running, "tenant"))
        self._tally.query_refused("server")
        return _not_started(ServerFull())


def _not_started(fact: ShareTaken | ServerFull) -> Failure:
    return Failure(fact, retry_after_seconds=BUSY_SECONDS)


def _to_the_end(line: dict[str, _Queue], name: str) -> None:
    if name in line:
        line[name] = line.pop(name)


@contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Ends the block after so many seconds. Raises Failure: deadline_exceeded."""
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise Failure(Overdue(seconds))
