"""Plans heavy statements in a few child processes, each ended when its statement takes too long."""

import asyncio
import os
import pickle
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import anyio
import structlog

from mcp_server.adapters.planning import worker
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.limits import PlanningOverdue, PlanningTooLarge
from mcp_server.domain.schema import Table
from mcp_server.planning.plan import Pin, Read
from mcp_server.ports import call_notes
from mcp_server.sql.binding.bind import Query
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import TableName

ADDRESS_SPACE_MIB = 1024
_log = structlog.get_logger("planning")
_Answer = TypeVar("_Answer")


class PlanningProcesses:
    """The HeavyPlanning port over at most `processes` children, which are started when they are first needed."""

    def __init__(self, *, seconds: float, processes: int = 2) -> None:
        self._seconds = seconds
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        """Children start later."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends all children."""
        while self._idle:
            await _end(self._idle.pop())

    async def tables(self, text: str, parameters: Parameters) -> frozenset[TableName]:
        """See HeavyPlanning."""
        return await self._run(worker.tables_of, text, parameters)

    async def plan(
        self,
        text: str,
        parameters: Parameters,
        instant: datetime,
        default_schema: str,
        tables: Mapping[TableName, Table],
        *,
        consistent: bool,
        allow_full_scan: bool = False,
        pin: Pin | None = None,
    ) -> tuple[Query, tuple[Read, ...]]:
        """See HeavyPlanning."""
        arguments = (text, parameters, instant, default_schema, dict(tables), consistent, allow_full_scan, pin)
        return await self._run(worker.planned, *arguments)

    async def _run(self, function: Callable[..., _Answer], *arguments: Any) -> _Answer:
        request = pickle.dumps((function, arguments))
        reply = None
        async with self._slots:
            with anyio.move_on_after(self._seconds):
                reply = await self._reply(request)
        if reply is None:
            raise Failure(PlanningOverdue(self._seconds))
        value, failure = pickle.loads(reply)  # noqa: S301 - from our own child
        if failure is not None:
            raise failure
        return cast("_Answer", value)

    async def _reply(self, request: bytes) -> bytes:
        """What a child answers. An idle child may have died unnoticed, so only a new one's end is the statement's."""
        reply = None
        while reply is None:
            fresh = not self._idle
            child = await _start() if fresh else self._idle.pop()
            try:
                reply = await _exchange(child, request)
                self._idle.append(child)
            except (asyncio.IncompleteReadError, ConnectionError):
                call_notes.current().planning_child = "lost"
                _log.warning("planning_child_lost", exit_code=await _end(child))
                if fresh:
                    raise Failure(PlanningTooLarge()) from None
            except BaseException:
                call_notes.current().planning_child = "killed"
                await _end(child)
                raise
        return reply


async def _start() -> asyncio.subprocess.Process:
    # An empty environment: the child needs none of the service's credentials.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "mcp_server.adapters.planning.worker", str(ADDRESS_SPACE_MIB), str(os.getpid())),
        env={},
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )


async def _exchange(child: asyncio.subprocess.Process, request: bytes) -> bytes:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(worker.LENGTH.pack(len(request)) + request)
    await child.stdin.drain()
    header = await child.stdout.readexactly(worker.LENGTH.size)
    return await child.stdout.readexactly(worker.LENGTH.unpack(header)[0])


async def _end(child: asyncio.subprocess.Process) -> int | None:
    if child.returncode is None:
        child.kill()
    with anyio.CancelScope(shield=True):
        await child.wait()
    return child.returncode
