"""Coroutines side by side."""

import anyio
import pytest

from mcp_server.adapters.concurrency import all_of

pytestmark = pytest.mark.anyio


async def value(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return number


async def fail() -> int:
    await anyio.lowlevel.checkpoint()
    raise LookupError


async def test_results_keep_the_order_of_the_work() -> None:
    assert await all_of(value(number) for number in range(5)) == [0, 1, 2, 3, 4]


async def test_the_first_exception_ends_the_others_and_comes_as_it_is() -> None:
    ended = anyio.Event()

    async def endless() -> int:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()
        raise AssertionError

    with pytest.raises(LookupError):
        await all_of([endless(), fail(), value(1)])
    assert ended.is_set()


async def test_a_failure_leaves_its_caller_uncancelled() -> None:
    """A scope round the caller must still take the cancellation that it asked for itself."""
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep_forever)
        with pytest.raises(LookupError):
            await all_of([fail(), value(1)])
        group.cancel_scope.cancel()


async def test_work_that_is_cancelled_before_it_begins_is_closed() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await all_of([value(1), value(2)])
    assert scope.cancelled_caught
