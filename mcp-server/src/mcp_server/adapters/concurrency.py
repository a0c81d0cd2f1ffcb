"""Running coroutines side by side."""

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import anyio

Result = TypeVar("Result")


async def all_of(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """All results, in order. The first exception ends the others and is raised as it is, not in a group."""
    coroutines = list(work)
    results: dict[int, Result] = {}

    async def run(number: int) -> None:
        results[number] = await coroutines[number]

    try:
        # Not asyncio's group: before Python 3.13 one that fails leaves its task marked as cancelled.
        async with anyio.create_task_group() as group:
            for number in range(len(coroutines)):
                group.start_soon(run, number)
    except ExceptionGroup as failures:
        raise root_cause(failures) from None
    finally:
        for coroutine in coroutines:  # one that was cancelled before it began
            coroutine.close()
    return [results[number] for number in range(len(coroutines))]


def root_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first exception of a group: what came after it is fallout."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
