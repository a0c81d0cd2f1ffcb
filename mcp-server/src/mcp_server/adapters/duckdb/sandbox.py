"""The relational engine: DuckDB in a pool of child processes without files, network or credentials."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio

from mcp_server.adapters.concurrency import all_of, root_cause
from mcp_server.adapters.duckdb.child import Child, ChildEnd, ChildLost, ChildSettings, Outcome
from mcp_server.adapters.duckdb.feeds import Feed, WriteEnd
from mcp_server.adapters.duckdb.pool import ChildPool
from mcp_server.adapters.duckdb.protocol import MAX_INPUTS
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.limits import RowTooLarge
from mcp_server.domain.failures.syntax import TooManyTables
from mcp_server.domain.failures.values import ParameterNotUnicode
from mcp_server.ports import call_notes
from mcp_server.ports.call_notes import INTERRUPTED, KEPT, LOST, NOTES
from mcp_server.ports.relational import EvaluationLost, Input, Result
from mcp_server.ports.tally import UNTALLIED, Tally
from shared_kernel.spans import span

CHILDREN = 6
WAIT_SECONDS = 1.0
STATEMENTS_PER_CHILD = 2000
REAPED_SECONDS = 2.0
"""How long a call waits to learn how its child ended."""


class DuckDbSandbox:
    """Runs each statement in a warm child of its own. Used as an asynchronous context manager.

    A child serves up to `statements_per_child` statements. One that was killed, ran out of memory or did anything odd
    is replaced in the background.
    """

    def __init__(
        self,
        *,
        children: int = CHILDREN,
        wait_seconds: float = WAIT_SECONDS,
        statements_per_child: int = STATEMENTS_PER_CHILD,
        settings: ChildSettings | None = None,
        tally: Tally = UNTALLIED,
    ) -> None:
        self._pool = ChildPool(
            children,
            wait_seconds=wait_seconds,
            statements_per_child=statements_per_child,
            settings=settings or ChildSettings(),
            tally=tally,
        )

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.__aexit__(kind, error, trace)

    def process_ids(self) -> list[int]:
        """The children's process ids, for diagnosis."""
        return self._pool.process_ids()

    @property
    def busy(self) -> int:
        """How many children a statement has."""
        return self._pool.busy

    async def run(self, statement: str, inputs: Sequence[Input], *, row_limit: int, byte_limit: int) -> Result:
        """See RelationalEngine.run."""
        async with AsyncExitStack() as closing:
            for item in inputs:
                closing.push_async_callback(_close, item)
            if len(inputs) > MAX_INPUTS:
                raise Failure(TooManyTables(len(inputs), MAX_INPUTS))
            if not _is_text(statement):
                raise Failure(ParameterNotUnicode())
            with span("duckdb", {"db.system.name": "duckdb"}) as tell:
                result = await self._in_child(statement, [Feed(item) for item in inputs], row_limit, byte_limit)
                tell({"db.response.returned_rows": result.table.num_rows})
        if not result.complete and result.table.num_rows == 0 and row_limit > 0:
            raise Failure(RowTooLarge())
        return result

    async def _in_child(self, statement: str, feeds: list[Feed], row_limit: int, byte_limit: int) -> Result:
        child = await self._pool.acquire()
        try:
            await _fill(feeds)
        except BaseException:
            self._pool.release(child)
            raise
        try:
            pumped = await child.start(statement, feeds, row_limit, byte_limit)
            outcome = await _pumped(child, pumped, byte_limit) if pumped else await child.result(byte_limit)
        except ChildLost:
            await _note_end(LOST, self._pool.replace(child, LOST))
            raise EvaluationLost from None
        except BaseException:
            self._pool.abandon(child)
            call_notes.current().child_became(INTERRUPTED)
            raise
        if isinstance(outcome, Failure) and outcome.code is not FailureCode.EVALUATION_ERROR:
            await _note_end(outcome.code.value, self._pool.replace(child, outcome.code.value))
        else:
            self._pool.release(child)
            call_notes.current().child_became(KEPT)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def _fill(feeds: list[Feed]) -> None:
    """Reads the beginnings of all inputs side by side."""
    if len(feeds) == 1:
        await feeds[0].fill()
    elif feeds:
        await all_of(feed.fill() for feed in feeds)


async def _pumped(child: Child, pumped: list[tuple[Feed, WriteEnd]], byte_limit: int) -> Outcome:
    """What the statement yields while its inputs are written. Raises what an input raises, and ChildLost."""
    outcome: Outcome | ChildLost
    try:
        async with anyio.create_task_group() as pumps:
            for feed, pipe in pumped:
                pumps.start_soon(feed.pump, pipe)
            try:
                outcome = await child.result(byte_limit)
            except ChildLost as error:
                outcome = error
            pumps.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise root_cause(group) from None
    finally:
        for _, pipe in pumped:
            pipe.close()
    if isinstance(outcome, ChildLost):
        raise outcome
    return outcome


async def _note_end(reason: str, ending: asyncio.Task[ChildEnd]) -> None:
    """Tells the call's line how a child ended. It is dead already, or killed: its caller waits for milliseconds."""
    notes = NOTES.get()
    if notes is None:
        return
    notes.child_became(reason)
    with anyio.move_on_after(REAPED_SECONDS):
        end = await asyncio.shield(ending)
        notes.child_ended(end.signal, end.exit_code, end.peak_mib)


async def _close(item: Input) -> None:
    with anyio.CancelScope(shield=True):
        await item.batches.aclose()


def _is_text(statement: str) -> bool:
    try:
        statement.encode()
    except UnicodeEncodeError:
        return False
    return True
