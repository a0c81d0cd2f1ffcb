"""The relational engine without processes: the child's database in threads of the test."""

import asyncio
import contextlib
import io
import json
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, BinaryIO

import anyio
import pyarrow as pa

from mcp_server.adapters.concurrency import root_cause
from mcp_server.adapters.duckdb import errors as duckdb_errors
from mcp_server.adapters.duckdb import protocol
from mcp_server.adapters.duckdb.database import Database
from mcp_server.adapters.duckdb.feeds import Feed, WriteEnd, open_pipes
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.limits import RowTooLarge
from mcp_server.domain.failures.syntax import TooManyTables
from mcp_server.domain.failures.values import ParameterNotUnicode
from mcp_server.ports.relational import EvaluationLost, Input, Place, Result, ResultColumn

INTERRUPT_SECONDS = 0.05
REMEMBERED = 256
"""How many answers are kept of statements that run in the caller's thread."""


class InProcessDuckDb:
    """A RelationalEngine of a few databases, made when first needed. It bounds nothing but what DuckDB itself bounds.

    Without `threads` a statement runs in the caller's thread, once its inputs are read to their ends, and nothing
    interrupts it: for tests of many small statements. Then the same statement over the same inputs runs once for all
    who ask soon after one another, in whatever ways they came to it.
    """

    def __init__(self, databases: int = 2, memory_mib: int = 512, *, threads: bool = True) -> None:
        self._threads = threads
        self._answers: dict[tuple[str, bytes], bytes] = {}
        self._memory_mib = memory_mib
        # To make a database takes longer than many a test. The last one used comes first.
        self._idle: asyncio.LifoQueue[Database | None] = asyncio.LifoQueue()
        for _ in range(databases):
            self._idle.put_nowait(None)
        self.losses = 0
        """How many of the next runs end as if their process had died."""

    async def run(self, statement: str, inputs: Sequence[Input], *, row_limit: int, byte_limit: int) -> Result:
        async with AsyncExitStack() as closing:
            for item in inputs:
                closing.push_async_callback(item.batches.aclose)
            if len(inputs) > protocol.MAX_INPUTS:
                raise Failure(TooManyTables(len(inputs), protocol.MAX_INPUTS))
            try:
                statement.encode()
            except UnicodeEncodeError:
                raise Failure(ParameterNotUnicode()) from None
            feeds = [Feed(item) for item in inputs]
            for feed in feeds:
                await feed.fill()
            result = await self._evaluated(statement, feeds, row_limit, byte_limit)
        if self.losses:
            self.losses -= 1
            raise EvaluationLost
        if not result.complete and result.table.num_rows == 0 and row_limit > 0:
            raise Failure(RowTooLarge())
        return result

    async def _evaluated(self, statement: str, feeds: list[Feed], row_limit: int, byte_limit: int) -> Result:
        streams = [feed.stream() if feed.whole else None for feed in feeds]
        request = {
            "statement": statement,
            "inputs": [
                {
                    "name": feed.item.name,
                    "materialise": feed.item.materialise,
                    "views": [{"name": view.name, "columns": view.columns} for view in feed.item.views],
                    "inline": None if stream is None else len(stream),
                }
                for feed, stream in zip(feeds, streams, strict=True)
            ],
            "row_limit": row_limit,
            "byte_limit": byte_limit,
        }
        inline = [memoryview(stream) for stream in streams if stream is not None]
        piped = [feed for feed in feeds if not feed.whole]
        if not self._threads:
            return _result(await self._remembered(request, inline, [await _held(feed) for feed in piped]))
        database = await self._borrowed()
        read_ends, write_ends = open_pipes(len(piped))
        files = [os.fdopen(read_end, "rb") for read_end in read_ends]
        running = asyncio.create_task(asyncio.to_thread(_answered, database, request, inline, files))
        try:
            async with anyio.create_task_group() as pumps:
                for feed, pipe in zip(piped, write_ends, strict=True):
                    pumps.start_soon(feed.pump, pipe)
                answer = await asyncio.shield(running)
                pumps.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise root_cause(group) from None
        finally:
            for pipe in write_ends:
                pipe.close()
            with anyio.CancelScope(shield=True):
                while not running.done():
                    database.interrupt()
                    await asyncio.wait([running], timeout=INTERRUPT_SECONDS)
            self._idle.put_nowait(database)
        return _result(bytes(answer))

    async def _borrowed(self) -> Database:
        return await self._idle.get() or Database(self._memory_mib)

    async def _remembered(
        self, request: dict[str, Any], inline: Sequence[memoryview], piped: Sequence[io.BytesIO]
    ) -> bytes:
        """The answer to a request, by one of the databases where it is not one of the last."""
        key = (json.dumps(request), b"".join([*inline, *(one.getbuffer() for one in piped)]))
        if key not in self._answers:
            if len(self._answers) >= REMEMBERED:
                del self._answers[next(iter(self._answers))]
            database = await self._borrowed()
            try:
                self._answers[key] = bytes(_answered(database, request, inline, piped))
            finally:
                self._idle.put_nowait(database)
        return self._answers[key]


class _Held(WriteEnd):
    """An end at which all that is written waits for its reader."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()

    async def write(self, data: Any) -> None:
        self.stream.write(data)

    def close(self) -> None:
        self.stream.seek(0)


async def _held(feed: Feed) -> io.BytesIO:
    """All of an input that would travel through a pipe."""
    held = _Held()
    await feed.pump(held)
    return held.stream


def _answered(
    database: Database, request: dict[str, Any], inline: Sequence[memoryview], files: Sequence[BinaryIO]
) -> bytearray:
    answer = bytearray()
    with contextlib.ExitStack() as closing:
        for file in files:
            closing.enter_context(file)
        database.run(request, inline, files, answer.extend)
    return answer


def _result(answer: bytes) -> Result:
    """What the frames of an answer hold. Raises what stands for an error."""
    frames: dict[bytes, bytes] = {}
    source = io.BytesIO(answer)
    while header := source.read(protocol.HEADER.size):
        kind, length = protocol.HEADER.unpack(header)
        frames[kind] = frames.get(kind, b"") + source.read(length)
    if protocol.ERROR in frames:
        error = json.loads(frames[protocol.ERROR])
        place = None if error["place"] is None else Place(*error["place"])
        raise duckdb_errors.failure(error["kind"], error["message"], place)
    with pa.ipc.open_stream(frames[protocol.DATA]) as reader:
        table = reader.read_all()
    columns = tuple(ResultColumn(name, kind) for name, kind in json.loads(frames[protocol.COLUMNS]))
    return Result(columns, table, json.loads(frames[protocol.FINISHED])["complete"])
