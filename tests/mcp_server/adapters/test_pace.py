"""Requests to a table that throttles become fewer at once, and no more read units are spent than are allowed."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from mcp_server.adapters.dynamodb.pace import ANSWERS_FOR_ONE_MORE, AT_ONCE, ATTEMPTS, Pace, Throttled

pytestmark = pytest.mark.anyio


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


class Table:
    """Bears so many requests at once, and throttles the others."""

    def __init__(self, bears: int) -> None:
        self._bears = bears
        self._now = 0
        self.answered = self.throttled = self.most = 0

    async def ask(self) -> int:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(0)
            if self._now > self._bears:
                self.throttled += 1
                raise Throttled
            self.answered += 1
            return self.answered
        finally:
            self._now -= 1


def pace(time: Time, rate: float | None = None) -> Pace:
    return Pace(rate, clock=lambda: time.now, sleep=time.sleep)


async def until(ready: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if ready():
            return
        await asyncio.sleep(0)
    raise AssertionError


async def test_a_table_that_throttles_is_asked_by_fewer_at_once_until_all_is_answered() -> None:
    one, table = pace(Time()), Table(bears=3)

    answers = await asyncio.gather(*(one.run(table.ask) for _ in range(40)))

    assert sorted(answers) == list(range(1, 41))
    assert table.throttled > 0
    assert one.at_once < AT_ONCE // 2


async def test_answers_in_a_row_let_one_more_through() -> None:
    one, table = pace(Time()), Table(bears=AT_ONCE)
    one.slower()
    before = one.at_once

    for _ in range(3 * ANSWERS_FOR_ONE_MORE):
        await one.run(table.ask)

    assert (before, one.at_once) == (1, 4)


async def test_no_more_run_at_once_than_may() -> None:
    one, table = pace(Time()), Table(bears=AT_ONCE)
    one.slower()

    await asyncio.gather(*(one.run(table.ask) for _ in range(9)))

    assert (table.answered, table.most) == (9, 1)


async def test_a_request_that_is_never_answered_fails_after_growing_pauses() -> None:
    time = Time()

    with pytest.raises(Throttled):
        await pace(time).run(Table(bears=0).ask)

    assert time.slept == sorted(time.slept)
    assert len(time.slept) == ATTEMPTS - 1


async def test_a_turn_that_is_given_up_goes_to_the_next() -> None:
    one = pace(Time())
    one.slower()
    gate = asyncio.Event()
    answered: list[int] = []

    async def ask(number: int) -> None:
        await gate.wait()
        answered.append(number)

    tasks = [asyncio.create_task(one.run(partial(ask, number))) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks[0].cancel()
    await until(tasks[0].done)
    tasks[2].cancel()
    gate.set()
    await asyncio.wait(tasks)

    assert answered == [3]
    await asyncio.wait_for(one.run(Table(bears=1).ask), 5)


@pytest.mark.complaint(6)
async def test_read_units_are_spent_no_faster_than_allowed() -> None:
    time = Time()
    one, table = pace(time, rate=10.0), Table(bears=1)

    for _ in range(20):
        await one.run(table.ask)
        one.spent(5.0)

    assert 8.0 <= time.now - 100.0 <= 10.0


async def test_what_was_not_spent_is_no_credit_for_more_than_a_second() -> None:
    time = Time()
    one, table = pace(time, rate=10.0), Table(bears=1)
    time.now += 1_000

    for _ in range(4):
        one.spent(10.0)
    await one.run(table.ask)

    assert time.slept == [pytest.approx(3.0)]
