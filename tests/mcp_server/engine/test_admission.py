"""Shares, turns and the bounded queue, without any query behind them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import TaskGroup

from mcp_server.adapters.metrics import MeteredTally
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.limits import ShareTaken
from mcp_server.domain.principal import Principal
from mcp_server.engine.admission import Admission
from mcp_server.engine.limits import BUSY_SECONDS, Limits
from shared_kernel.clock import Clock, SystemClock
from tests.support.clock import SettableClock
from tests.support.metrics import tallied

pytestmark = pytest.mark.anyio


def caller(name: str) -> Principal:
    """`tenant/subject`."""
    tenant, _, subject = name.partition("/")
    return Principal(tenant, subject, "client", frozenset({"query"}), "gid")


@dataclass
class House:
    """Queries that run until they are ended, and the order in which they were let in."""

    admission: Admission
    tasks: TaskGroup
    tally: MeteredTally
    entered: list[str] = field(default_factory=list)
    refused: list[Failure] = field(default_factory=list)
    _ends: list[tuple[str, anyio.Event, anyio.Event]] = field(default_factory=list)

    async def start(self, *names: str) -> None:
        """Starts a query for each name, in this order."""
        for name in names:
            self.tasks.start_soon(self._query, name)
            await anyio.wait_all_tasks_blocked()

    async def end(self, name: str) -> None:
        """Ends the longest running query of that name."""
        place = next(place for place, (running, _, _) in enumerate(self._ends) if running == name)
        _, end, ended = self._ends.pop(place)
        end.set()
        with anyio.fail_after(30):
            await ended.wait()
        await anyio.wait_all_tasks_blocked()

    async def refusals(self, count: int) -> list[FailureCode]:
        """The codes of the queries that failed, once there are so many."""
        with anyio.fail_after(30):
            while len(self.refused) < count:
                await anyio.lowlevel.checkpoint()
        return [failure.code for failure in self.refused]

    async def _query(self, name: str) -> None:
        end, ended = anyio.Event(), anyio.Event()
        try:
            async with self.admission.admitted(caller(name)):
                self.entered.append(name)
                self._ends.append((name, end, ended))
                await end.wait()
        except Failure as failure:
            self.refused.append(failure)
        ended.set()


@asynccontextmanager
async def house(clock: Clock | None = None, **limits: Any) -> AsyncGenerator[House]:
    bounds = {"queries": 4, "queries_per_tenant": 3, "queries_per_principal": 2, "queue_seconds": 60.0}
    async with anyio.create_task_group() as tasks:
        tally, all_limits = MeteredTally(), Limits(**{**bounds, "deadline_seconds": 60.0, **limits})
        yield House(Admission(all_limits, clock or SystemClock(), tally), tasks, tally)
        tasks.cancel_scope.cancel()


async def test_one_caller_leaves_room_for_a_colleague_and_for_another_tenant() -> None:
    async with house() as made:
        await made.start(*["acme/hog"] * 10)
        assert made.entered == ["acme/hog"] * 2
        await made.start("acme/ann", "globex/eve")
        assert made.entered[2:] == ["acme/ann", "globex/eve"]


async def test_a_tenant_of_many_callers_leaves_room_for_another() -> None:
    async with house() as made:
        await made.start("acme/a", "acme/b", "acme/c", "acme/d", "acme/e")
        assert len(made.entered) == 3
        await made.start("globex/eve")
        assert made.entered[-1] == "globex/eve"


async def test_tenants_take_turns_and_principals_within_them() -> None:
    async with house(queries=1) as made:
        await made.start("acme/first", "acme/a", "acme/a", "acme/b", "globex/x", "globex/x", "initech/y")
        for _ in range(6):
            await made.end(made.entered[-1])
        assert made.entered == ["acme/first", "acme/a", "globex/x", "initech/y", "acme/b", "globex/x", "acme/a"]


async def test_a_full_queue_is_told_at_once() -> None:
    async with house(waiting_per_principal=2, waiting=3) as made:
        await made.start(*["acme/hog"] * 5)
        assert [failure.fact for failure in made.refused] == [ShareTaken(2, "principal")]
        assert made.refused[0].retry_after_seconds == 5
        await made.start("acme/ann", "acme/ann", "acme/bob")
        assert [failure.fact for failure in made.refused[1:]] == [ShareTaken(3, "tenant")]


async def test_a_place_in_the_queue_is_given_up_after_a_while() -> None:
    async with house(queue_seconds=0.0) as made:
        await made.start("acme/a", "acme/a", "acme/a")
        assert await made.refusals(1) == [FailureCode.BUSY]
        await made.end("acme/a")
        await made.start("acme/a")
        assert made.entered == ["acme/a"] * 3


async def test_a_caller_who_gives_up_waiting_leaves_the_queue() -> None:
    async with house(waiting_per_principal=1) as made:
        await made.start("acme/a", "acme/a")
        with anyio.CancelScope() as gone:
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(made._query, "acme/a")
                await anyio.wait_all_tasks_blocked()
                gone.cancel()
        await made.start("acme/a")
        assert made.refused == []
        await made.end("acme/a")
        assert made.entered == ["acme/a"] * 3


async def test_a_caller_who_gives_up_as_its_turn_comes_passes_it_on() -> None:
    async with house(queries=1) as made:
        await made.start("acme/a")
        gone = anyio.CancelScope()

        async def impatient() -> None:
            with gone:
                await made._query("acme/b")

        made.tasks.start_soon(impatient)
        await anyio.wait_all_tasks_blocked()
        await made.start("acme/c")
        _, end, ended = made._ends[0]
        end.set()
        await ended.wait()  # the turn is b's now, and b has not run since
        gone.cancel()
        await anyio.wait_all_tasks_blocked()
        assert made.entered[-1] == "acme/c"


async def test_the_deadline_ends_a_query_and_frees_its_place() -> None:
    async with house(deadline_seconds=0.0) as made:
        await made.start("acme/a", "acme/a", "acme/a")
        assert await made.refusals(3) == [FailureCode.DEADLINE_EXCEEDED] * 3


async def test_who_asks_on_and_on_without_waiting_floods_until_the_time_is_over() -> None:
    clock = SettableClock()
    async with house(clock, waiting=10, waiting_per_principal=1) as made:
        await made.start(*["acme/hog"] * 3)
        for number in range(10):
            assert not made.admission.floods(caller("acme/hog")), number
            await made.start("acme/hog")
        assert await made.refusals(10) == [FailureCode.BUSY] * 10
        assert made.admission.floods(caller("acme/hog"))
        assert not made.admission.floods(caller("acme/ann"))
        clock.time += BUSY_SECONDS
        assert not made.admission.floods(caller("acme/hog"))
        await made.start("acme/hog")
        assert not made.admission.floods(caller("acme/hog"))


async def test_the_time_until_a_query_runs_is_counted() -> None:
    clock = SettableClock()
    async with house(clock) as made:
        await made.start(*["acme/a"] * 4)
        clock.time += 3
        await made.end("acme/a")
        clock.time += 4
        await made.end("acme/a")
        assert tallied(made.tally, "mcp_queue_wait_seconds_count") == 4
        assert tallied(made.tally, "mcp_queue_wait_seconds_bucket", le="0.001") == 2
        assert tallied(made.tally, "mcp_queue_wait_seconds_sum") == 3 + 7


async def test_refusals_are_counted_by_whose_share_was_used_up() -> None:
    async with house(queue_seconds=0.0) as made:
        await made.start("acme/a", "acme/a", "acme/a")
        await made.start("acme/b", "acme/c", "acme/d")
        await made.start("globex/x", "initech/y")
        await made.refusals(4)
        assert tallied(made.tally, "mcp_queue_wait_seconds_count") == len(made.entered) == 4
        for share, count in (("principal", 1), ("tenant", 2), ("server", 1)):
            assert tallied(made.tally, "mcp_queries_refused_total", share=share) == count, share


async def test_a_caller_who_gives_up_waiting_is_neither_admitted_nor_refused() -> None:
    async with house(queries=1) as made:
        await made.start("acme/a")
        with anyio.CancelScope() as gone:
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(made._query, "acme/a")
                await anyio.wait_all_tasks_blocked()
                gone.cancel()
        assert tallied(made.tally, "mcp_queue_wait_seconds_count") == 1
        assert tallied(made.tally, "mcp_queries_refused_total") == 0
