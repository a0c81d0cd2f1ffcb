"""Who may run a query now: shares, a fair and bounded queue for them, and a deadline for what runs.

A principal's share is smaller than its tenant's, and a tenant's smaller than the whole, so that nobody's long queries
keep everybody else waiting. Tenants take turns, and within a tenant its principals do.
"""

from collections import Counter, deque
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import anyio

from mcp_server.domain.failures import Failure
from mcp_server.domain.principal import Principal
from mcp_server.engine import messages
from mcp_server.engine.limits import Limits
from mcp_server.ports.tally import UNTALLIED, Tally
from shared_kernel.clock import Clock

_Queue = TypeVar("_Queue")
_REMEMBERED = 10_000
"""Refused principals that are counted; one more, and all are counted from the start."""


class _Waiter:
    """A query in the queue."""

    def __init__(self) -> None:
        self.turn = anyio.Event()


class _Refusals:
    """How often somebody was refused since a moment."""

    def __init__(self, since: float) -> None:
        self.since, self.count = since, 0


class Admission:
    """Admits queries within the shares that the limits name."""

    def __init__(self, limits: Limits, clock: Clock, tally: Tally = UNTALLIED) -> None:
        self._limits, self._clock, self._tally = limits, clock, tally
        self._refusals: dict[tuple[str, str], _Refusals] = {}
        self._running = 0
        self._running_of: Counter[str | tuple[str, str]] = Counter()
        # The order of keys is the order of turns: who was served goes to the end.
        self._waiting: dict[str, dict[str, deque[_Waiter]]] = {}

    @property
    def running(self) -> int:
        """How many queries are running."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many queries wait for their turn."""
        return sum(len(queue) for queues in self._waiting.values() for queue in queues.values())

    def floods(self, principal: Principal) -> bool:
        """Whether somebody was refused more often than the queue is long, and has not waited as they were told to.

        To refuse them yet again the same way would cost as much as to serve others.
        """
        refused = self._lately(principal.tenant, principal.subject)
        return refused is not None and refused.count >= self._limits.waiting

    @asynccontextmanager
    async def admitted(self, principal: Principal) -> AsyncGenerator[None]:
        """Runs the block within the principal's share and the deadline. Raises Failure: busy, deadline_exceeded.

        A full queue fails at once; a query gives up its place after `queue_seconds`.
        """
        await self._enter(principal.tenant, principal.subject)
        try:
            with deadline(self._limits.deadline_seconds):
                yield
        finally:
            self._leave(principal.tenant, principal.subject)
            self._serve()

    async def _enter(self, tenant: str, subject: str) -> None:
        own = self._waiting.get(tenant, {}).get(subject, ())
        if not own and self._has_room(tenant, subject):
            self._take(tenant, subject)
            self._tally.query_admitted(0.0)
            return
        if len(own) >= self._limits.waiting_per_principal or self.waiting >= self._limits.waiting:
            raise self._busy(tenant, subject)
        waiter, began = _Waiter(), self._clock.monotonic()
        self._waiting.setdefault(tenant, {}).setdefault(subject, deque()).append(waiter)
        try:
            with anyio.move_on_after(self._limits.queue_seconds):
                await waiter.turn.wait()
        except BaseException:
            if waiter.turn.is_set():
                self._leave(tenant, subject)
                self._serve()
            raise
        finally:
            if not waiter.turn.is_set():
                self._forget(tenant, subject, waiter)
        if not waiter.turn.is_set():
            raise self._busy(tenant, subject)
        self._tally.query_admitted(self._clock.monotonic() - began)

    def _serve(self) -> None:
        """Admits waiting queries, in turns, while there is room."""
        while (turn := self._next()) is not None:
            tenant, subject = turn
            queue = self._waiting[tenant][subject]
            waiter = queue[0]
            self._forget(tenant, subject, waiter)
            # To the end of the line, with whoever of theirs still waits.
            _to_the_end(self._waiting.get(tenant, {}), subject)
            _to_the_end(self._waiting, tenant)
            self._take(tenant, subject)
            waiter.turn.set()

    def _next(self) -> tuple[str, str] | None:
        for tenant, queues in self._waiting.items():
            for subject in queues:
                if self._has_room(tenant, subject):
                    return tenant, subject
        return None

    def _has_room(self, tenant: str, subject: str) -> bool:
        return (
            self._running < self._limits.queries
            and self._running_of[tenant] < self._limits.queries_per_tenant
            and self._running_of[tenant, subject] < self._limits.queries_per_principal
        )

    def _take(self, tenant: str, subject: str) -> None:
        self._running += 1
        self._running_of[tenant] += 1
        self._running_of[tenant, subject] += 1

    def _leave(self, tenant: str, subject: str) -> None:
        self._running -= 1
        for key in (tenant, (tenant, subject)):
            self._running_of[key] -= 1
            if not self._running_of[key]:
                del self._running_of[key]

    def _forget(self, tenant: str, subject: str, waiter: _Waiter) -> None:
        queues = self._waiting[tenant]
        queues[subject].remove(waiter)
        if not queues[subject]:
            del queues[subject]
        if not queues:
            del self._waiting[tenant]

    def _lately(self, tenant: str, subject: str) -> _Refusals | None:
        found = self._refusals.get((tenant, subject))
        if found is not None and self._clock.monotonic() - found.since >= messages.BUSY_SECONDS:
            del self._refusals[tenant, subject]
            return None
        return found

    def _busy(self, tenant: str, subject: str) -> Failure:
        if len(self._refusals) >= _REMEMBERED:
            self._refusals.clear()
        lately = self._lately(tenant, subject) or _Refusals(self._clock.monotonic())
        lately.count += 1
        self._refusals[tenant, subject] = lately
        own = self._running_of[tenant, subject]
        if own >= self._limits.queries_per_principal:
            self._tally.query_refused("principal")
            return messages.busy(f"{own} of your queries are running already")
        if self._running_of[tenant] >= self._limits.queries_per_tenant:
            self._tally.query_refused("tenant")
            return messages.busy(f"{self._running_of[tenant]} queries of your tenant are running already")
        self._tally.query_refused("server")
        return messages.busy("The server is running as many queries as it can")


def _to_the_end(line: dict[str, _Queue], name: str) -> None:
    if name in line:
        line[name] = line.pop(name)


@contextmanager
def deadline(seconds: float) -> Generator[None]:
    """Ends the block after so many seconds. Raises Failure: deadline_exceeded."""
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise messages.deadline(seconds)
