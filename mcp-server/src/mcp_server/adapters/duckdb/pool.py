"""A pool of children: started ahead, lent to one statement at a time, replaced when they are worn out or lost."""

import asyncio
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread
import structlog

from mcp_server.adapters.duckdb.child import Child, ChildEnd, ChildLost, ChildSettings
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.limits import NoEvaluatorFree
from mcp_server.ports.tally import UNTALLIED, Tally

_log = structlog.get_logger(__name__)

START_SECONDS = 30.0
INTERRUPT_SECONDS = 0.25


class ChildPool:
    """As many children as `size` says; an asynchronous context manager.

    It does not queue: whoever finds no child free waits at most `wait_seconds`, which is enough for one that is being
    made fit again. Who runs next, and how many may wait, is decided before anybody comes here.
    """

    def __init__(
        self,
        size: int,
        *,
        wait_seconds: float,
        statements_per_child: int,
        settings: ChildSettings,
        tally: Tally = UNTALLIED,
    ) -> None:
        self.size = size
        self._wait_seconds = wait_seconds
        self._statements_per_child = statements_per_child
        self._settings, self._tally = settings, tally
        self._idle: asyncio.LifoQueue[Child] = asyncio.LifoQueue()
        self._children: set[Child] = set()
        self._lent: set[Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings: set[asyncio.Task[ChildEnd]] = set()
        self._losses = 0
        self._closed = False

    async def __aenter__(self) -> Self:
        for _ in range(self.size):
            self._in_background(self._add_child())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for child in list(self._children):
            self._kill(child)
        await asyncio.gather(*self._endings)

    def process_ids(self) -> list[int]:
        """The children's process ids, for diagnosis."""
        return [child.pid for child in self._children]

    @property
    def busy(self) -> int:
        """How many children are lent."""
        return len(self._lent)

    async def acquire(self) -> Child:
        """A child that awaits a statement; give it back with one of the other verbs.

        Raises Failure (busy) when none comes free within `wait_seconds`.
        """
        began = time.monotonic()
        with anyio.move_on_after(self._wait_seconds):
            while not self._closed:
                child = await self._idle.get()
                if await self._lives(child):
                    self._lent.add(child)
                    self._tally.child_lent(time.monotonic() - began)
                    return child
                self.replace(child, "lost")
        raise Failure(NoEvaluatorFree())

    async def _lives(self, child: Child) -> bool:
        """Whether an idle child is alive.

        A socket tells of a death only when the last thread has ended, and what kills one child may have killed others.
        So a loss puts all others in doubt, and each of them answers before it is lent again.
        """
        losses = self._losses
        if not child.awaits():
            return False
        if child.losses < losses:
            try:
                await child.prove()
            except ChildLost:
                return False
            except BaseException:
                self.release(child)
                raise
            child.losses = losses
        return True

    def release(self, child: Child) -> None:
        """Takes back a child whose statement has ended, or was never sent."""
        self._lent.discard(child)
        if child.clean:
            self._idle.put_nowait(child)
        else:
            self._in_background(self._recover(child, running=False))

    def abandon(self, child: Child) -> None:
        """Takes back a child whose statement nobody waits for any more, and ends that statement."""
        self._lent.discard(child)
        self._in_background(self._recover(child, running=True))

    def replace(self, child: Child, reason: str) -> "asyncio.Task[ChildEnd]":
        """Takes back a child that must not be used again; how it ended is known very soon."""
        self._lent.discard(child)
        if reason == "lost":
            self._losses += 1
        ending = self._kill(child)
        self._in_background(self._replaced(child, reason, ending))
        return ending

    async def _recover(self, child: Child, *, running: bool) -> None:
        """Makes a child fit for the next statement, or replaces it."""
        reason = "interrupted_in_vain" if running else "not_ready"
        try:
            if running:
                # Its inputs are closed already, which ends a wait for data; this ends a computation.
                with anyio.fail_after(INTERRUPT_SECONDS):
                    await child.interrupt()
            with anyio.fail_after(START_SECONDS):
                await child.ready()
        except ChildLost:
            self.replace(child, "lost")
            return
        except TimeoutError:
            self.replace(child, reason)
            return
        if child.statements >= self._statements_per_child:
            self.replace(child, "worn_out")
        else:
            self._idle.put_nowait(child)

    async def _replaced(self, child: Child, reason: str, ending: "asyncio.Task[ChildEnd]") -> None:
        await self._ended(child, reason, ending)
        await self._add_child()

    async def _ended(self, child: Child, reason: str, ending: "asyncio.Task[ChildEnd]") -> None:
        end = await asyncio.shield(ending)
        log = _log.info if reason == "worn_out" else _log.warning
        log(
            "duckdb_child_ended",
            pid=child.pid,
            reason=reason,
            statements=child.statements,
            exit_code=end.exit_code,
            signal=end.signal,
            peak_mib=end.peak_mib,
        )

    def _kill(self, child: Child) -> asyncio.Task[ChildEnd]:
        """Ends a child. Whoever waits for it may be cancelled; a process must be reaped, and only once."""
        self._children.discard(child)
        child.kill()
        ending = asyncio.get_running_loop().create_task(anyio.to_thread.run_sync(child.reap))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return ending

    async def _add_child(self) -> None:
        pause = 0.5
        while not self._closed:
            losses = self._losses
            try:
                child = Child(self._settings)
            except OSError:
                _log.warning("duckdb_child_not_started", exc_info=True)
            else:
                child.losses = losses
                self._children.add(child)
                try:
                    with anyio.fail_after(START_SECONDS):
                        await child.ready()
                except (ChildLost, TimeoutError):
                    await self._ended(child, "not_started", self._kill(child))
                else:
                    _log.info("duckdb_child_started", pid=child.pid)
                    self._idle.put_nowait(child)
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 10.0)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
