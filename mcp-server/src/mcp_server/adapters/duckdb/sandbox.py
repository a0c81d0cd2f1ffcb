"""The relational engine: a pool of DuckDB child processes without files, network or credentials."""

import asyncio
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread
import structlog

from mcp_server.adapters.duckdb import errors as duckdb_errors
from mcp_server.adapters.duckdb.child import Child, ChildLost, ChildSettings, WriteEnd, pump
from mcp_server.adapters.duckdb.protocol import MAX_INPUTS
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.ports.relational import Input, Result, StreamReadTwice

_log = structlog.get_logger(__name__)

START_SECONDS = 30.0
INTERRUPT_SECONDS = 0.25


class DuckDbSandbox:
    """Runs each statement in a warm child of its own, in an empty database.

    A child that answered cleanly is used again, up to `statements_per_child` times. One that was killed, ran out of
    memory or did anything odd is replaced in the background. Used as an asynchronous context manager.
    """

    def __init__(
        self,
        *,
        children: int = 4,
        waiting: int = 16,
        wait_seconds: float = 5.0,
        statements_per_child: int = 200,
        settings: ChildSettings | None = None,
    ) -> None:
        self._size = children
        self._max_waiting = waiting
        self._wait_seconds = wait_seconds
        self._statements_per_child = statements_per_child
        self._settings = settings or ChildSettings()
        self._waiting = 0
        self._idle: asyncio.LifoQueue[Child] = asyncio.LifoQueue()
        self._children: set[Child] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        for _ in range(self._size):
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
        children = list(self._children)
        for child in children:
            child.kill()
        for child in children:
            await anyio.to_thread.run_sync(child.reap)
        self._children.clear()

    def process_ids(self) -> list[int]:
        """The children's process ids, for diagnosis."""
        return [child.pid for child in self._children]

    async def run(self, statement: str, inputs: Sequence[Input], *, row_limit: int, byte_limit: int) -> Result:
        """See RelationalEngine.run."""
        try:
            return await self._run(statement, inputs, row_limit, byte_limit)
        finally:
            with anyio.CancelScope(shield=True):
                for item in inputs:
                    await item.batches.aclose()

    async def _run(self, statement: str, inputs: Sequence[Input], row_limit: int, byte_limit: int) -> Result:
        if len(inputs) > MAX_INPUTS:
            raise Failure(
                FailureCode.SYNTAX_NOT_SUPPORTED,
                f"A query may refer to at most {MAX_INPUTS} tables; this one refers to {len(inputs)}.",
                "Split the query.",
            )
        if not _is_text(statement):
            raise duckdb_errors.not_text()
        child, pipes = await self._start(statement, inputs, row_limit, byte_limit)
        outcome: Result | BaseException | None = None
        try:
            async with anyio.create_task_group() as pumps:
                for item, pipe in zip(inputs, pipes, strict=True):
                    pumps.start_soon(pump, pipe, item)
                try:
                    outcome = await child.result(byte_limit)
                except (ChildLost, Failure, StreamReadTwice) as error:
                    outcome = error
                pumps.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            for pipe in pipes:
                pipe.close()
            self._in_background(self._give_back(child, outcome))
        if isinstance(outcome, ChildLost):
            _log.warning("duckdb_child_lost", pid=child.pid)
            raise duckdb_errors.died() from outcome
        if isinstance(outcome, BaseException):
            raise outcome
        assert outcome is not None
        if not outcome.complete and outcome.table.num_rows == 0 and row_limit > 0:
            raise Failure(
                FailureCode.RESULT_TOO_LARGE,
                "A single row of the result is larger than a result may be.",
                "Select fewer or shorter columns.",
            )
        return outcome

    async def _start(
        self, statement: str, inputs: Sequence[Input], row_limit: int, byte_limit: int
    ) -> tuple[Child, list[WriteEnd]]:
        """A child that took the statement; those that had died while idle are replaced on the way."""
        while True:
            child = await self._idle_child()
            accepted = False
            try:
                pipes = await child.start(statement, inputs, row_limit, byte_limit)
                accepted = True
            except ChildLost:
                continue
            finally:
                if not accepted:
                    self._in_background(self._give_back(child, None))
            return child, pipes

    async def _idle_child(self) -> Child:
        if self._closed or self._waiting >= self._max_waiting:
            raise duckdb_errors.busy()
        self._waiting += 1
        try:
            with anyio.move_on_after(self._wait_seconds):
                return await self._idle.get()
        finally:
            self._waiting -= 1
        raise duckdb_errors.busy()

    async def _give_back(self, child: Child, outcome: Result | BaseException | None) -> None:
        """Makes a child fit for the next statement, or replaces it."""
        plain = isinstance(outcome, Result | StreamReadTwice) or (
            isinstance(outcome, Failure) and outcome.code is FailureCode.EVALUATION_ERROR
        )
        try:
            if child.statements >= self._statements_per_child:
                raise ChildLost
            if plain:
                with anyio.fail_after(START_SECONDS):
                    await child.ready()
            elif outcome is None:
                # Cancelled: its inputs are closed already, which ends a wait for data; this ends a computation.
                with anyio.fail_after(INTERRUPT_SECONDS):
                    await child.interrupt()
            else:
                raise ChildLost
        except (ChildLost, TimeoutError):
            await self._replace(child)
        else:
            self._idle.put_nowait(child)

    async def _replace(self, child: Child) -> None:
        child.kill()
        await anyio.to_thread.run_sync(child.reap)
        self._children.discard(child)
        await self._add_child()

    async def _add_child(self) -> None:
        pause = 0.5
        while not self._closed:
            try:
                child = Child(self._settings)
            except OSError:
                _log.warning("duckdb_child_not_started", exc_info=True)
            else:
                self._children.add(child)
                try:
                    with anyio.fail_after(START_SECONDS):
                        await child.ready()
                except (ChildLost, TimeoutError):
                    _log.warning("duckdb_child_not_ready", pid=child.pid, alive=child.alive())
                    child.kill()
                    await anyio.to_thread.run_sync(child.reap)
                    self._children.discard(child)
                else:
                    self._idle.put_nowait(child)
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, 10.0)

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_text(statement: str) -> bool:
    try:
        statement.encode()
    except UnicodeEncodeError:
        return False
    return True


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The exception that tells why: inputs fail one at a time, whatever follows is fallout."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
