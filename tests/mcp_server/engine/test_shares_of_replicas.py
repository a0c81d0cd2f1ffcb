"""Shares that replicas have together: what runs on one counts on the others, and turns go round among them."""

import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from mcp_server.domain.failures import FailureCode
from mcp_server.domain.failures.limits import ShareTaken
from mcp_server.engine.beats import BEAT_SECONDS, Beats
from mcp_server.ports.board import LIFETIME_SECONDS
from mcp_server.ports.spending import Owner
from shared_kernel.clock import SystemClock
from tests.mcp_server.doubles.board import HeldBoard, HeldNotices
from tests.mcp_server.engine.test_admission import House, house
from tests.support.clock import SettableClock
from tests.support.metrics import tallied

pytestmark = pytest.mark.anyio

HOG: Owner = ("acme", "hog")


class Street:
    """Replicas over one board, whose time passes only when it is told to."""

    def __init__(self, clock: SettableClock, notices: HeldNotices, houses: list[House]) -> None:
        self.clock, self.notices, self.houses = clock, notices, houses
        self._beats = [Beats(made.admission, HeldBoard(notices)) for made in houses]

    async def beat(self, *places: int, times: int = 1) -> None:
        """Each replica, or those at these places, tells and hears, one after another."""
        for _ in range(times):
            self.clock.time += BEAT_SECONDS
            for place in places or range(len(self.houses)):
                await self._beats[place].exchange()
                await anyio.wait_all_tasks_blocked()

    async def settle(self) -> None:
        """So much time passes that each has told what goes on, and has heard it of the others."""
        await self.beat(times=3)


@asynccontextmanager
async def street(count: int = 2, **limits: Any) -> AsyncGenerator[Street]:
    clock = SettableClock()
    async with AsyncExitStack() as stack:
        houses = [await stack.enter_async_context(house(clock, **limits)) for _ in range(count)]
        yield Street(clock, HeldNotices(clock), houses)


async def test_a_principal_has_one_share_on_all_replicas() -> None:
    async with street() as made:
        one, other = made.houses
        await one.start("acme/hog", "acme/hog")
        await made.settle()
        await other.start("acme/hog", "acme/ann", "globex/hog")
        assert other.entered == ["acme/ann", "globex/hog"]
        assert (one.admission.running_elsewhere, other.admission.running_elsewhere) == (0, 2)
        await one.end("acme/hog")
        assert other.entered == ["acme/ann", "globex/hog"], "it has not heard of it"
        await made.settle()
        assert other.entered == ["acme/ann", "globex/hog", "acme/hog"]


async def test_a_tenant_has_one_share_on_all_replicas() -> None:
    async with street() as made:
        one, other = made.houses
        await one.start("acme/a", "acme/b", "acme/c")
        await made.settle()
        await other.start("acme/d", "globex/x")
        assert other.entered == ["globex/x"]
        await one.end("acme/b")
        await made.beat()
        assert other.entered == ["globex/x", "acme/d"]


async def test_the_whole_is_each_replica_s_own() -> None:
    async with street(queries=2) as made:
        one, other = made.houses
        await one.start("acme/a", "globex/b")
        await made.settle()
        await other.start("initech/c", "umbrella/d", "hooli/e")
        assert other.entered == ["initech/c", "umbrella/d"]


async def test_who_is_refused_is_told_what_runs_on_all_replicas() -> None:
    async with street(queue_seconds=0.0) as made:
        one, other = made.houses
        await one.start("acme/hog")
        await other.start("acme/hog")
        await made.settle()
        await other.start("acme/hog")
        assert await other.refusals(1) == [FailureCode.BUSY]
        assert other.refused[0].fact == ShareTaken(2, "principal")
        await one.start("acme/ann")
        await made.settle()
        await other.start("acme/ann")
        await other.refusals(2)
        assert other.refused[1].fact == ShareTaken(3, "tenant")
        assert tallied(other.tally, "mcp_queries_refused_total", share="principal") == 1
        assert tallied(other.tally, "mcp_queries_refused_total", share="tenant") == 1


async def test_short_queries_keep_nobody_waiting_elsewhere() -> None:
    """They would be over by the time at which another replica hears of them."""
    async with street() as made:
        one, other = made.houses
        await one.start("acme/a", "acme/a")
        for _ in range(5):
            await made.beat()
            await one.end("acme/a")
            await one.end("acme/a")
            await one.start("acme/a", "acme/a")
        await other.start("acme/a", "acme/a")
        assert other.entered == ["acme/a"] * 2


async def test_short_queries_that_leave_no_place_free_do_count() -> None:
    """Each is followed by one that has waited: to others it is as if one went on."""
    async with street() as made:
        one, other = made.houses
        await one.start(*["acme/a"] * 10)
        for _ in range(3):
            await made.beat()
            await one.end("acme/a")
        await other.start("acme/a")
        assert other.entered == []


async def test_a_place_that_was_left_to_a_query_counts_as_soon_as_it_is_taken() -> None:
    """Otherwise it would be given away a second time before others are told."""
    async with street(queries_per_principal=1) as made:
        one, other = made.houses
        await one.start("acme/hog")
        await made.settle()
        await other.start("acme/hog")
        await made.settle()
        await one.end("acme/hog")
        await made.beat(0)
        await made.beat(1)
        assert other.entered == ["acme/hog"]
        await made.beat(1)
        await made.beat(0)
        await one.start("acme/hog")
        assert len(one.entered) == 1


async def test_a_colleague_elsewhere_has_their_turn_before_who_goes_on_and_on() -> None:
    """Else those that keep a replica's queue full would keep their tenant's share for good."""
    async with street() as made:
        one, other = made.houses
        await one.start(*["acme/hog", "acme/pig"] * 4)
        await made.settle()
        await other.start("acme/ann")
        await made.settle()
        assert (one.entered, other.entered) == (["acme/hog", "acme/pig", "acme/hog"], [])
        await one.end("acme/hog")
        assert len(one.entered) == 3, "the place is left to the one that waits on the other replica"
        await made.beat()
        assert other.entered == ["acme/ann"]
        assert len(one.entered) == 3
        await made.settle()
        await one.end("acme/pig")
        assert one.entered[3:] == ["acme/pig"], "whose turn comes before hog's"


async def test_of_one_principal_who_waits_longer_comes_first() -> None:
    async with street(queries_per_principal=1) as made:
        one, other = made.houses
        await one.start("acme/hog")
        await made.settle()
        await other.start("acme/hog")
        await made.settle()
        await one.start("acme/hog")
        await made.settle()
        await one.end("acme/hog")
        assert len(one.entered) == 1
        await made.beat()
        assert other.entered == ["acme/hog"]
        await made.settle()
        await other.end("acme/hog")
        await made.settle()
        assert len(one.entered) == 2


async def test_no_place_is_left_to_who_cannot_take_it() -> None:
    """Ann waits because her replica is full, not because of what others run."""
    async with street(queries=3) as made:
        one, other = made.houses
        await other.start("globex/x", "initech/y", "umbrella/z", "acme/ann")
        await one.start(*["acme/hog", "acme/pig"] * 2)
        await made.settle()
        await one.end("acme/hog")
        assert one.entered[3:] == ["acme/pig"]


async def test_what_a_dead_replica_has_told_counts_for_seconds() -> None:
    async with street() as made:
        one, other = made.houses
        await one.start("acme/hog", "acme/hog")
        await made.settle()
        await other.start("acme/hog")
        made.clock.time += LIFETIME_SECONDS - 2 * BEAT_SECONDS
        await made.beat(1)
        assert other.entered == []
        await made.beat(1, times=2)
        assert other.entered == ["acme/hog"]


async def test_a_place_is_not_left_for_good_to_who_waits_on_a_dead_replica() -> None:
    async with street() as made:
        one, other = made.houses
        await one.start(*["acme/hog", "acme/pig"] * 4)
        await made.settle()
        await other.start("acme/ann")
        await made.settle()
        await one.end("acme/hog")
        made.clock.time += LIFETIME_SECONDS + 0.1
        await made.beat(0)
        assert len(one.entered) == 4


async def test_while_nothing_is_heard_each_goes_on_alone() -> None:
    async with street() as made:
        one, other = made.houses
        await one.start("acme/hog", "acme/hog")
        await made.settle()
        await other.start("acme/hog")
        made.notices.away = True
        await made.settle()
        assert other.entered == []
        made.clock.time += LIFETIME_SECONDS
        await other.start("globex/x")
        assert other.entered == ["globex/x"]
        other.admission.reconsider()
        await anyio.wait_all_tasks_blocked()
        assert other.entered == ["globex/x", "acme/hog"]
        made.notices.away = False
        await made.settle()
        await one.start("acme/hog")
        await other.start("acme/hog")
        assert (len(one.entered), len(other.entered)) == (2, 2)


@pytest.mark.parametrize("replicas", [2, 3, 5])
async def test_with_full_queues_everywhere_everybody_is_served_and_no_share_exceeded(replicas: int) -> None:
    """Whatever the order in which replicas hear: no place stays empty, nobody is forgotten, no share is passed."""
    names = [f"acme/{name}" for name in "abcdef"]
    async with street(replicas, waiting_per_principal=10) as made:
        for place in range(replicas):
            await made.houses[place].start(*names)
            await made.settle()
        turns = 0
        while (ended := [(made, name) for made in made.houses for name in running(made)]) or waiting(made):
            turns += 1
            assert turns < 40 * replicas
            assert 1 <= len(ended) <= 3, "the tenant's share, and never nothing while somebody waits"
            where, name = ended[turns % len(ended)]
            await where.end(name)
            await made.settle()
        assert sorted(name for where in made.houses for name in where.entered) == sorted(names * replicas)


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_stays_free_while_a_query_waits_for_it(seed: int) -> None:
    """Queries begin, end and are heard of in any order; three times a second later nobody waits who need not."""
    pick = random.Random(seed)
    async with street(3, queries_per_tenant=4, waiting_per_principal=10) as made:
        for _ in range(60):
            where = pick.choice(made.houses)
            if names := pick.choice([running(where), []]):
                await where.end(pick.choice(names))
            else:
                await where.start(f"{pick.choice(['acme', 'globex'])}/{pick.choice('abc')}")
            if pick.random() < 0.4:
                await made.beat(pick.randrange(3))
            if pick.random() < 0.1:
                await made.beat(times=6)
                assert_none_waits_needlessly(made)


def assert_none_waits_needlessly(made: Street) -> None:
    """Whoever waits does it because a share, or the replica's whole, is taken."""
    everywhere = Counter(name for where in made.houses for name in running(where))
    for where in made.houses:
        for tenant, queues in where.admission._waiting.items():
            for subject in queues:
                of_tenant = sum(count for name, count in everywhere.items() if name.startswith(f"{tenant}/"))
                assert everywhere[f"{tenant}/{subject}"] >= 2 or of_tenant >= 4 or len(running(where)) >= 4


def running(made: House) -> list[str]:
    """The names of what runs in one replica."""
    return [name for name, _, _ in made._ends]


def waiting(made: Street) -> int:
    """How many wait anywhere."""
    return sum(where.admission.waiting for where in made.houses)


async def test_beats_wake_who_waits_and_leave_nothing_that_counts() -> None:
    """By the clock, as a service runs them."""
    clock = SystemClock()
    notices = HeldNotices(clock)
    async with house(clock) as one, house(clock) as other, anyio.create_task_group() as tasks:
        for made in (one, other):
            tasks.start_soon(Beats(made.admission, HeldBoard(notices)).keep_exchanging)
        await one.start("acme/hog", "acme/hog")
        with anyio.fail_after(30):
            while other.admission._elsewhere.running(HOG) < 2:
                await anyio.lowlevel.checkpoint()
        await other.start("acme/hog")
        assert other.entered == []
        await one.end("acme/hog")
        with anyio.fail_after(30):
            while not other.entered:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert [loads for _, loads in notices.told.values()] == [{}, {}]
