"""How fast tables are read: as many requests at once as a table bears, and as many read units as the operator allows.

A throttled request halves the number of requests that its table is sent at once, and is made again after a pause; ten
answers in a row let one more through. botocore's own retries would go on as fast as before, so they leave throttling of
paced requests to this module.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from mcp_server.adapters.dynamodb.lost import one_lost
from mcp_server.domain.schema import Schema

AT_ONCE = 64
"""Requests at once to a table that does not throttle."""
ANSWERS_FOR_ONE_MORE = 10
ATTEMPTS = 8
"""How many times a throttled request is made, while no other is answered either, before the read fails."""
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
BURST_SECONDS = 1.0
"""For how long a table may be read faster than allowed, after as long without reads."""

THROTTLING = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
    }
)

_Answer = TypeVar("_Answer")
_paced: ContextVar[bool] = ContextVar("paced", default=False)


class Throttled(Exception):
    """The table has no capacity left for a request."""


def leave_throttling_to_pace(response: Any = None, **_: Any) -> None:
    """A handler of botocore's event `needs-retry`: a paced request that is throttled fails at once.

    Any other that has no answer, or an error for one, counts as lost: a throttled one takes nothing. Raises Throttled.
    """
    if response is None:
        one_lost()
    elif "Error" in response[1]:
        if response[1]["Error"].get("Code") not in THROTTLING:
            one_lost()
        elif _paced.get():
            raise Throttled


class Pace:
    """The pace of one table. `clock` and `sleep` are those of the event loop."""

    def __init__(
        self,
        units_per_second: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = units_per_second, clock, sleep
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._answers = self._answered = 0
        self._paid_until = clock()
        self.at_once = AT_ONCE

    async def run(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """What `ask` answers, in its turn, and asked again while it is throttled. Raises Throttled.

        It gives up when the table has answered nobody through `ATTEMPTS` attempts.
        """
        attempts = in_vain = 0
        answered = self._answered
        while True:
            await self._turn()
            try:
                with _is_paced():
                    answer = await ask()
            except Throttled:
                self.slower()
            else:
                self._faster()
                return answer
            finally:
                self._running -= 1
                self._let_through()
            attempts += 1
            in_vain = in_vain + 1 if answered == self._answered else 1
            answered = self._answered
            if in_vain >= ATTEMPTS:
                raise Throttled
            await self._sleep(min(FIRST_PAUSE_SECONDS * 2 ** (attempts - 1), LONGEST_PAUSE_SECONDS))

    def spent(self, units: float) -> None:
        """Takes note of what a response took."""
        if self._rate is not None:
            self._paid_until = max(self._paid_until, self._clock() - BURST_SECONDS) + units / self._rate

    def slower(self) -> None:
        """The table throttles: half as many requests at once."""
        self._answers = 0
        self.at_once = max(1, min(self.at_once, self._running) // 2)

    def _faster(self) -> None:
        self._answered += 1
        self._answers += 1
        if self._answers >= ANSWERS_FOR_ONE_MORE and self.at_once < AT_ONCE:
            self._answers = 0
            self.at_once += 1

    async def _turn(self) -> None:
        """Waits until one more request may run, and counts it as running."""
        if self._running >= self.at_once or self._waiting:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._running -= 1
                    self._let_through()
                raise
        else:
            self._running += 1
        if self._rate is not None and (debt := self._paid_until - self._clock()) > 0:
            try:
                await self._sleep(debt)
            except asyncio.CancelledError:
                self._running -= 1
                self._let_through()
                raise

    def _let_through(self) -> None:
        while self._waiting and self._running < self.at_once:
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)


class Paces:
    """The paces of all tables."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str, str], Pace] = {}

    def of(self, schema: Schema, table: str) -> Pace:
        """The pace of a table, by its physical name."""
        pace = self._paces.get((schema.name, table))
        if pace is None:
            pace = self._paces[schema.name, table] = Pace(schema.read_units_per_second)
        return pace


@contextmanager
def _is_paced() -> Iterator[None]:
    token = _paced.set(True)
    try:
        yield
    finally:
        _paced.reset(token)
