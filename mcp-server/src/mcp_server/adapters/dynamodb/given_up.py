"""Requests that are under way when their read ends.

DynamoDB carries out what it was sent, and charges for it, whether or not anybody still wants the answer. So a request
that is given up is heard to its end: botocore does not repeat it, and the read's observer is told what it took. Else a
caller who ends reads early, by a small budget or by going away, would read on nobody's account.
"""

import asyncio
from collections.abc import Awaitable, Collection, Coroutine, Sequence
from typing import Any, TypeVar

from mcp_server.adapters.dynamodb.lost import Lost
from mcp_server.ports.items import Observer

HEARD_OUT_SECONDS = 0.2
"""How long the answer to a request that was given up is waited for: a page takes DynamoDB a quarter of that, and all
reading has to stop within 0.3 seconds. What has not come by then is not counted."""

_Answer = TypeVar("_Answer")


class GivenUp:
    """Those of all reads, by what observes them."""

    def __init__(self) -> None:
        self._tasks: dict[Observer, set[asyncio.Task[Any]]] = {}

    async def answer(self, asked: Coroutine[Any, Any, _Answer], lost: Lost, observe: Observer) -> _Answer:
        """What `asked` answers, which goes on when its caller is cancelled; `lost` is that of the request."""
        task = asyncio.create_task(asked)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                lost.give_up()
                self._hear_out(task, observe)
            raise

    def under_way(self, observers: Collection[Observer]) -> Awaitable[None] | None:
        """See ItemSource.under_way."""
        tasks = [task for observe in observers for task in self._tasks.get(observe, ())]
        return _all_over(tasks) if tasks else None

    def _hear_out(self, task: asyncio.Task[Any], observe: Observer) -> None:
        tasks = self._tasks.setdefault(observe, set())
        tasks.add(task)
        overdue = asyncio.get_running_loop().call_later(HEARD_OUT_SECONDS, task.cancel)

        def over(_: asyncio.Task[Any]) -> None:
            overdue.cancel()
            if not task.cancelled():
                task.exception()  # retrieve it, or asyncio warns: what observes has ended its read already
            tasks.discard(task)
            if not tasks:
                self._tasks.pop(observe, None)

        task.add_done_callback(over)


async def _all_over(tasks: Sequence[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks)
