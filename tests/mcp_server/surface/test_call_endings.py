"""The line of a call says what became of the query process that it had, whatever ended the call."""

import os
import signal
from collections.abc import AsyncIterator

import anyio
import pytest
from structlog.testing import capture_logs

from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.ports.call_notes import NOTES, CallNotes
from tests.mcp_server.engine.conftest import ANN
from tests.mcp_server.engine.test_queries import ENDLESS
from tests.mcp_server.surface.exchanges import Exchanges
from tests.mcp_server.surface.statement_service import Statements, statements_over
from tests.support.descendants import processor_seconds
from tests.support.mcp_wire import ERAS, Era, message

MEMORY_HUNGRY = "SELECT len(array_agg(i)) FROM range(100000) a(i), range(10000) b(j)"
STARTED_SECONDS = 2.0

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def sandbox() -> AsyncIterator[DuckDbSandbox]:
    async with DuckDbSandbox(children=1, wait_seconds=60) as started:
        await started.run("SELECT 1", (), row_limit=1, byte_limit=100)
        yield started


@pytest.fixture
async def statements(sandbox: DuckDbSandbox) -> Statements:
    return await statements_over(sandbox, full_scan_items=1000, deadline_seconds=300)


async def computing(sandbox: DuckDbSandbox, *but: int) -> int:
    """The process that computes, other than some, once it does; of a new one, for longer than it takes to start."""
    before = {pid: processor_seconds([pid]) for pid in sandbox.process_ids()}
    with anyio.fail_after(60):
        while True:
            for pid in sandbox.process_ids():
                if pid not in but and processor_seconds([pid]) > before.get(pid, STARTED_SECONDS) + 0.2:
                    return pid
            await anyio.sleep(0.01)


async def test_a_process_that_served_its_statement_is_kept(statements: Statements) -> None:
    with capture_logs() as logs:
        await statements.call("SELECT count(*) FROM range(10) r")
    (line,) = (line for line in logs if line["event"] == "tool_call")
    assert (line["outcome"], line["child"]) == ("ok", "kept")
    assert "child_signal" not in line


CAUSES = [*((cause, era) for cause in ("disconnect", "shutdown") for era in ERAS), ("client", "2025-11-25")]
"""Over HTTP, a client of the newest revision cancels by leaving."""


@pytest.mark.parametrize(("cause", "era"), CAUSES)
async def test_a_call_that_is_cancelled_says_by_whom_and_interrupts_its_process(
    cause: str, era: Era, statements: Statements, sandbox: DuckDbSandbox
) -> None:
    gone = anyio.Event()
    with capture_logs() as logs, anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: statements.call(ENDLESS, era=era, gone=gone))
            await computing(sandbox)
            if cause == "disconnect":
                gone.set()
            elif cause == "shutdown":
                tasks.cancel_scope.cancel()
            else:
                await cancel(statements.exchanges, era)
    (line,) = (line for line in logs if line["event"] == "tool_call")
    assert (line["outcome"], line["cancelled_by"], line["child"]) == ("cancelled", cause, "interrupted")
    assert (line["rows"], line["read_units"]) == (None, 0.0)
    assert line["exec_ms"] is not None


async def cancel(exchanges: Exchanges, era: Era) -> None:
    """What the client of a handshake revision sends."""
    _, headers = message(era, 1, "ping", {})
    document = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    await exchanges.post(document, headers, principal=ANN)


@pytest.mark.parametrize("losses", [1, 2])
async def test_a_process_that_dies_is_in_the_line_even_if_the_next_one_answers(
    losses: int, statements: Statements, sandbox: DuckDbSandbox
) -> None:
    gone, killed = anyio.Event(), list[int]()
    with capture_logs() as logs, anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: statements.call(ENDLESS, gone=gone))
            for _ in range(losses):
                killed.append(await computing(sandbox, *killed))
                os.kill(killed[-1], signal.SIGKILL)
            if losses == 1:
                await computing(sandbox, *killed)
                gone.set()
    (line,) = (line for line in logs if line["event"] == "tool_call")
    assert line["outcome"] == ("cancelled" if losses == 1 else "internal_error")
    assert line["child"] == "lost"
    assert (line["child_signal"], line["child_exit_code"]) == ("SIGKILL", None)
    assert line["child_peak_mib"] > 1


async def test_a_process_that_ran_out_of_memory_is_in_the_line(statements: Statements) -> None:
    with capture_logs() as logs:
        await statements.call(MEMORY_HUNGRY)
    (line,) = (line for line in logs if line["event"] == "tool_call")
    assert line["outcome"] == line["child"] == "memory_exceeded"
    assert line["child_signal"] == "SIGKILL"


async def test_a_planning_process_that_is_ended_is_in_the_line() -> None:
    notes = CallNotes(statement="digest")
    token = NOTES.set(notes)
    async with PlanningProcesses(seconds=60, processes=1) as planning:
        with anyio.move_on_after(0.1):
            await planning.tables("SELECT 1", None)
    NOTES.reset(token)
    assert notes.fields()["planning_child"] == "killed"
