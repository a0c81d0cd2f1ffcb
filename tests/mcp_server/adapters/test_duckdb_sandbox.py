"""Statements in real DuckDB children: streams, bounds, cancellation, death, and what a child cannot do."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pyarrow as pa
import pytest

from mcp_server.adapters.duckdb.child import ChildSettings
from mcp_server.adapters.duckdb.pool import ChildPool
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.adapters.metrics import MeteredTally
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.availability import SourceThrottles
from mcp_server.domain.failures.limits import OutOfMemory
from mcp_server.domain.failures.values import NotEvaluated, ParameterNotUnicode, Trouble
from mcp_server.ports.items import SchemaConflict
from mcp_server.ports.relational import EvaluationLost, Input, Result
from tests.mcp_server.adapters.relations import table
from tests.support.metrics import tallied
from tests.support.processes import wait_for

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SCHEMA = pa.schema([("c0", pa.int64()), ("c1", pa.string())])
ROWS = 1000
ENDLESS_COMPUTATION = "SELECT count(*) FROM range(100000000000) t(i) WHERE (i * 7) % 13 = 1"
UNINTERRUPTIBLE = "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))"


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The service runs on uvloop; asyncio's own loop serves on Windows and in tests."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
async def sandbox(anyio_backend: object) -> AsyncIterator[DuckDbSandbox]:
    async with DuckDbSandbox(children=2, wait_seconds=60) as started:
        yield started


class Source:
    """Batches of 1000 rows each, one after the other; tells how many were asked for and whether it was closed."""

    def __init__(
        self, batches: int, *, failing: Exception | None = None, waiting: bool = False, width: int = 20
    ) -> None:
        self.count, self.failing, self.waiting = batches, failing, waiting
        self.text = "x" * width
        self.pulled = 0
        self.closed = False
        self.reached = asyncio.Event()

    async def batches(self) -> AsyncGenerator[pa.RecordBatch]:
        try:
            for number in range(self.count):
                self.pulled += 1
                first = number * ROWS
                yield pa.record_batch([range(first, first + ROWS), [self.text] * ROWS], schema=SCHEMA)
            self.reached.set()
            if self.failing is not None:
                raise self.failing
            if self.waiting:
                await asyncio.Event().wait()
        finally:
            self.closed = True

    def input(self, name: str = "r0", *, materialise: bool = False) -> Input:
        return Input(name, SCHEMA, self.batches(), materialise)


async def run(
    sandbox: DuckDbSandbox, statement: str, *inputs: Input, row_limit: int = 100_000, byte_limit: int = 1 << 26
) -> Result:
    with anyio.fail_after(100):
        return await sandbox.run(statement, inputs, row_limit=row_limit, byte_limit=byte_limit)


async def healthy(sandbox: DuckDbSandbox) -> None:
    """Every child answers."""
    results = await asyncio.gather(*(run(sandbox, f"SELECT {number} AS n") for number in range(4)))
    assert [result.table.to_pylist() for result in results] == [[{"n": number}] for number in range(4)]


async def test_a_statement_sees_its_inputs(sandbox: DuckDbSandbox) -> None:
    source = Source(20)
    result = await run(sandbox, "SELECT count(*) AS n, max(a) AS top, min(b) AS b FROM r0 AS t(a, b)", source.input())
    assert result.table.to_pylist() == [{"n": 20_000, "top": 19_999, "b": "x" * 20}]
    assert [(column.name, column.type) for column in result.columns] == [
        ("n", "BIGINT"),
        ("top", "BIGINT"),
        ("b", "VARCHAR"),
    ]
    assert result.complete
    assert source.closed


async def test_a_limit_stops_reading(sandbox: DuckDbSandbox) -> None:
    source = Source(10_000)
    result = await run(sandbox, "SELECT * FROM r0 LIMIT 5", source.input())
    assert result.table.num_rows == 5
    assert source.closed
    assert source.pulled < 100


async def test_types_of_every_kind_come_across(sandbox: DuckDbSandbox) -> None:
    largest = "170141183460469231731687303715884105727"
    statement = f"""
        SELECT {largest}::HUGEINT AS h, 'b'::ENUM('a', 'b') AS e, [{{'k': MAP {{'x': 'a'::ENUM('a')}}}}] AS n,
            '{{}}'::JSON AS j, 123456789012345678901234567890123456789012::BIGNUM AS b, NULL AS nothing,
            1 AS twice, 2 AS twice
        FROM range(5000)"""
    result = await run(sandbox, statement)
    assert result.table.num_rows == 5000
    assert [column.type for column in result.columns][:2] == ["HUGEINT", "ENUM('a', 'b')"]
    assert [column.name for column in result.columns][-2:] == ["twice", "twice"]
    assert str(result.table.column(0)[4999].as_py()) == largest
    assert result.table.column(1)[4999].as_py() == "b"
    assert result.table.column(2)[0].as_py() == [{"k": [("x", "a")]}]


async def test_two_references_are_two_streams(sandbox: DuckDbSandbox) -> None:
    """A pipe shared by both sides of a join could deadlock; each has its own, larger than any buffer on the way."""
    left, right = Source(200), Source(200)
    statement = "SELECT count(*) AS n FROM r0 AS l(a, b) JOIN r1 AS r(a, b) USING (a)"
    result = await run(sandbox, statement, left.input("r0"), right.input("r1"))
    assert result.table.to_pylist() == [{"n": 200_000}]


async def test_back_pressure_holds_the_source(sandbox: DuckDbSandbox) -> None:
    """While DuckDB waits for the other side of the join, only what pipe and buffers hold is read of this one."""
    waiting, flowing = Source(1, waiting=True), Source(10_000, width=1000)
    statement = "SELECT count(*) FROM r0 AS l(a, b) JOIN r1 AS r(a, b) USING (a)"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, sandbox, statement, flowing.input("r0"), waiting.input("r1"))
        with anyio.fail_after(60):
            await waiting.reached.wait()
        for _ in range(20):
            await run(sandbox, "SELECT 1")  # time enough for megabytes, were nothing holding them
        tasks.cancel_scope.cancel()
    assert flowing.closed
    assert flowing.pulled < 50


@pytest.mark.parametrize("statement", [ENDLESS_COMPUTATION, UNINTERRUPTIBLE, "SELECT sum(a) FROM r0 AS t(a, b)"])
async def test_cancelling_ends_a_run(sandbox: DuckDbSandbox, statement: str) -> None:
    before = set(sandbox.process_ids())
    source = Source(5, waiting=True)  # what a pipe holds, whether or not the statement reads it
    task = asyncio.create_task(run(sandbox, statement, source.input()))
    with anyio.fail_after(60):
        await source.reached.wait()
        for _ in range(20):
            await run(sandbox, "SELECT 1")  # time enough for the statement to start
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert source.closed
    await healthy(sandbox)
    if statement is UNINTERRUPTIBLE:
        with anyio.fail_after(60):
            while before <= set(sandbox.process_ids()):
                await run(sandbox, "SELECT 1")


@pytest.mark.parametrize("error", [SchemaConflict(table([]), ("a",)), Failure(SourceThrottles("shop"))])
async def test_what_an_input_raises_ends_the_run(sandbox: DuckDbSandbox, error: Exception) -> None:
    failing, other = Source(5, failing=error), Source(10_000)
    with pytest.raises(type(error)) as raised:
        await run(sandbox, "SELECT count(*) FROM r0, r1", failing.input("r0"), other.input("r1"))
    assert raised.value is error
    assert other.closed
    await healthy(sandbox)


@pytest.mark.parametrize(
    ("statement", "fact"),
    [
        ("SELECT 1 % 0", NotEvaluated("Division by zero in expression (1 % 0).", Trouble.DIVISION_BY_ZERO)),
        ("SELECT 'a'::INTEGER", NotEvaluated("Could not convert string 'a' to INT32.", Trouble.CONVERSION)),
        (
            "SELECT sum(x) FROM (VALUES (99999999999999999999999999999999999999::DECIMAL(38,0)), (1)) v(x)",
            NotEvaluated("Overflow in SUM of DECIMAL: the result does not fit in DECIMAL(38).", Trouble.OVERFLOW),
        ),
        ("SELECT nope FROM r0", NotEvaluated('Referenced column "nope" not found in FROM clause.', Trouble.OTHER)),
        (
            "SELECT length(repeat('x', 4000000000))",
            OutOfMemory(),
        ),
        (
            "SELECT string_agg(repeat('x', 1000000), '') FROM range(3000)",
            OutOfMemory(),
        ),
        (
            "SELECT count(*) FROM (SELECT unnest(range(1000000000)))",
            OutOfMemory(),
        ),
    ],
)
async def test_errors_are_told_without_duckdbs_internals(
    sandbox: DuckDbSandbox, statement: str, fact: NotEvaluated | OutOfMemory
) -> None:
    source = Source(3)
    with pytest.raises(Failure) as raised:
        await run(sandbox, statement, source.input())
    assert raised.value.fact == fact
    assert source.closed
    await healthy(sandbox)


async def test_what_is_no_text_reaches_no_child(sandbox: DuckDbSandbox) -> None:
    before = sandbox.process_ids()
    source = Source(3)
    with pytest.raises(Failure, match=ParameterNotUnicode.__name__):
        await run(sandbox, "SELECT '\ud800'", source.input())
    assert source.pulled == 0
    assert sandbox.process_ids() == before


async def test_division_by_zero_of_numbers_is_duckdbs_own(sandbox: DuckDbSandbox) -> None:
    result = await run(sandbox, "SELECT 1 / 0 AS q")
    assert result.table.to_pylist() == [{"q": float("inf")}]


async def test_memory_within_the_bounds_is_there(sandbox: DuckDbSandbox) -> None:
    statement = "SELECT count(*) AS n FROM r0 AS l(a, b) JOIN r1 AS r(a, b) USING (a)"
    result = await run(sandbox, statement, Source(700).input("r0"), Source(700).input("r1", materialise=True))
    assert result.table.to_pylist() == [{"n": 700_000}]


@pytest.mark.parametrize("batches", [2, 5])
async def test_killing_a_child_loses_its_call_and_no_other(sandbox: DuckDbSandbox, batches: int) -> None:
    await healthy(sandbox)
    source = Source(batches, waiting=True)

    async def kill_all_then() -> None:
        await source.reached.wait()
        await kill_all(sandbox)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kill_all_then)
        with pytest.raises(EvaluationLost):
            await run(sandbox, "SELECT count(*) FROM r0", source.input())
    assert source.closed
    await healthy(sandbox)


async def test_a_loss_puts_the_other_children_in_doubt(sandbox: DuckDbSandbox) -> None:
    """What kills one may kill all, one after the other: a stopped child stands for one that is still dying."""
    await healthy(sandbox)
    source = Source(5, waiting=True)

    async def kill_one_then() -> None:
        await source.reached.wait()
        pids = sandbox.process_ids()
        await asyncio.to_thread(wait_for, lambda: any(map(reads_a_pipe, pids)), 60, "the statement's start")
        for pid in sandbox.process_ids():
            if reads_a_pipe(pid):
                os.kill(pid, signal.SIGKILL)
            elif alive(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    stopped.append(pid)

    stopped: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kill_one_then)
        with pytest.raises(EvaluationLost):
            await run(sandbox, "SELECT count(*) FROM r0", source.input())
    rerun = asyncio.create_task(run(sandbox, "SELECT 1 AS n"))
    for _ in range(100):
        await asyncio.sleep(0)  # the rerun gets as far as it can without an answer
    for pid in set(stopped) & set(sandbox.process_ids()):
        os.kill(pid, signal.SIGKILL)
    assert (await rerun).table.to_pylist() == [{"n": 1}]
    await healthy(sandbox)


def reads_a_pipe(pid: int) -> bool:
    """Whether a child has an input that came through a pipe."""
    try:
        return any(target.startswith("pipe:") for target in open_descriptors(pid))
    except OSError:
        return False


async def kill_all(sandbox: DuckDbSandbox) -> None:
    """Kills every child, and returns when they are dead."""
    pids = sandbox.process_ids()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: not any(map(alive, pids)), 60, "their end")


async def test_a_child_that_died_idle_is_not_noticed(sandbox: DuckDbSandbox) -> None:
    await healthy(sandbox)
    await kill_all(sandbox)
    source = Source(3)
    result = await run(sandbox, "SELECT count(*) AS n FROM r0", source.input())
    assert result.table.to_pylist() == [{"n": 3000}]
    await healthy(sandbox)


async def test_whoever_finds_no_child_is_told_so_and_reads_nothing() -> None:
    async with DuckDbSandbox(children=1, wait_seconds=0.05) as small:
        reached = asyncio.Event()

        async def occupy() -> None:
            """Takes the child as soon as it is warm."""
            while True:
                source = Source(1, waiting=True)
                source.reached = reached
                with contextlib.suppress(Failure):
                    await run(small, "SELECT count(*) FROM r0", source.input())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(occupy)
            with anyio.fail_after(60):
                await reached.wait()
            others = [Source(1) for _ in range(3)]
            runs = (run(small, "SELECT count(*) FROM r0", other.input()) for other in others)
            outcomes = await asyncio.gather(*runs, return_exceptions=True)
            tasks.cancel_scope.cancel()
    assert [getattr(outcome, "code", None) for outcome in outcomes] == [FailureCode.BUSY] * 3
    assert [other.pulled for other in others] == [0] * 3


async def test_a_child_is_busy_while_a_statement_has_it_however_that_ends(sandbox: DuckDbSandbox) -> None:
    for ending in ("left", "killed"):
        source = Source(5, waiting=True)
        async with anyio.create_task_group() as tasks:

            async def until_it_ends(source: Source) -> None:
                with contextlib.suppress(EvaluationLost):
                    await run(sandbox, "SELECT count(*) FROM r0", source.input())

            tasks.start_soon(until_it_ends, source)
            with anyio.fail_after(60):
                await source.reached.wait()
            assert sandbox.busy == 1, ending
            if ending == "killed":
                await kill_all(sandbox)
            else:
                tasks.cancel_scope.cancel()
        assert sandbox.busy == 0, ending
    with pytest.raises(ValueError, match="its input"):
        await run(sandbox, "SELECT count(*) FROM r0", Source(1, failing=ValueError("its input")).input())
    await healthy(sandbox)
    assert sandbox.busy == 0


async def test_the_wait_for_a_child_is_counted() -> None:
    tally = MeteredTally()
    async with DuckDbSandbox(children=1, wait_seconds=60, tally=tally) as one:
        await healthy(one)
    assert tallied(tally, "mcp_duckdb_child_wait_seconds_count") == 4
    assert 0 < tallied(tally, "mcp_duckdb_child_wait_seconds_sum") < 240


async def test_the_event_loop_goes_on_meanwhile(sandbox: DuckDbSandbox) -> None:
    """It turns between any two batches, and never computes for long; both whatever else the machine does."""
    turns, longest = 0, 0.0

    async def tick() -> None:
        nonlocal turns, longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            turns, longest = turns + 1, max(longest, time.thread_time() - before)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await run(sandbox, "SELECT * FROM r0", Source(300).input())
        tasks.cancel_scope.cancel()
    assert turns > 300
    assert longest < 0.5  # in truth some milliseconds


def open_descriptors(pid: int | str = "self") -> list[str]:
    """What a process has open. The directory that is being read for it is left out."""
    entries = Path(f"/proc/{pid}/fd")
    return sorted(str(entry.readlink()) for entry in entries.iterdir() if entry.is_symlink())


def alive(pid: int) -> bool:
    """Whether a process is there, and not a zombie; its sockets are open until the last of its threads has ended."""
    process = Path(f"/proc/{pid}")
    try:
        ended = (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        return not ended or len(list((process / "task").iterdir())) > 1
    except OSError:
        return False


ENDING = """
import asyncio, os, sys
import anyio
from mcp_server.adapters.duckdb.child import ChildSettings
from mcp_server.adapters.duckdb.pool import ChildPool
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox

async def main():
    before = len(os.listdir("/proc/self/fd"))
    async with DuckDbSandbox(children=2, wait_seconds=60) as sandbox:
        await sandbox.run("SELECT 1", (), row_limit=1, byte_limit=100)
        with anyio.move_on_after(0.2):
            await sandbox.run(sys.argv[1], (), row_limit=1, byte_limit=100)
        pids = sandbox.process_ids()
    print(len(os.listdir("/proc/self/fd")) - before, *pids)

asyncio.run(main())
"""


async def test_children_and_descriptors_are_gone_at_the_end() -> None:
    with anyio.fail_after(60):
        ended = await anyio.run_process([sys.executable, "-c", ENDING, ENDLESS_COMPUTATION])
    more_descriptors, *pids = map(int, ended.stdout.split()[-3:])
    assert more_descriptors == 0
    assert not any(alive(pid) for pid in pids)


async def test_a_pool_ends_while_a_child_is_being_replaced() -> None:
    """A process can be reaped only once, whoever is cancelled while waiting for it."""
    pids = []
    for _ in range(5):
        settings = ChildSettings()
        async with ChildPool(1, wait_seconds=60, statements_per_child=9, settings=settings) as pool:
            child = await pool.acquire()
            pids.append(child.pid)
            pool.replace(child, "worn_out")
            for _ in range(10):
                await asyncio.sleep(0)  # it is killed, and a thread waits for its end
    assert not any(map(alive, pids))


def assert_powerless(pid: int) -> None:
    process = Path(f"/proc/{pid}")
    assert (process / "environ").read_bytes().rstrip(b"\0") == b""
    assert "NoNewPrivs:\t1" in (process / "status").read_text()
    limits = {line[:26].strip(): line[26:].split()[:2] for line in (process / "limits").read_text().splitlines()}
    assert limits["Max address space"] == [str(2 << 30)] * 2
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max file size"] == ["0", "0"]
    network = Path("ns/net")
    assert os.geteuid() != 0 or (process / network).readlink() != ("/proc/self" / network).readlink()
    assert [
        target for target in open_descriptors(pid) if not target.startswith(("socket:", "pipe:", "/dev/null"))
    ] == []


async def test_a_child_has_given_up_its_powers(sandbox: DuckDbSandbox) -> None:
    await healthy(sandbox)
    for pid in sandbox.process_ids():
        assert_powerless(pid)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "ATTACH '/tmp/x.db' AS x",
        "ATTACH ':memory:' AS x",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "CREATE TABLE x AS SELECT 1",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '50GB'",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "PRAGMA threads = 8",
        "CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '/tmp/x.csv'",
        "EXPLAIN SELECT 1",
        "CHECKPOINT",
        "SELECT getenv('HOME')",
        "SELECT * FROM connection",
        "",
    ],
)
async def test_behind_the_gate_stands_a_wall(sandbox: DuckDbSandbox, statement: str) -> None:
    """The gate refuses each of these; DuckDB has to as well."""
    with pytest.raises(Failure) as raised:
        await run(sandbox, statement)
    assert raised.value.code in (FailureCode.EVALUATION_ERROR, FailureCode.INTERNAL_ERROR)


async def test_many_statements_at_once_all_get_their_own_answer(sandbox: DuckDbSandbox) -> None:
    async def one(number: int) -> Any:
        result = await run(sandbox, f"SELECT sum(a) + {number} AS s FROM r0 AS t(a, b)", Source(20).input())
        return result.table.to_pylist()[0]["s"]

    total = sum(range(20_000))
    assert await asyncio.gather(*(one(number) for number in range(10))) == [total + number for number in range(10)]


PARENT = """
import asyncio, sys
import structlog
from mcp_server.adapters.duckdb.child import ChildSettings
from mcp_server.adapters.duckdb.pool import ChildPool
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox

async def main():
    async with DuckDbSandbox(children=2, wait_seconds=60) as sandbox:
        await sandbox.run("SELECT 1", (), row_limit=1, byte_limit=100)
        print(*sandbox.process_ids(), flush=True)
        statement = "SELECT levenshtein(repeat('a', 300000), repeat('b', 300000))"
        await sandbox.run(statement, (), row_limit=1, byte_limit=100)

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
asyncio.run(main())
"""


async def test_children_do_not_outlive_a_killed_parent() -> None:
    """One of them is deep in a computation that listens to nothing."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    with anyio.fail_after(60):
        pids = [int(pid) for pid in (await process.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(alive(pid) for pid in pids)
    process.kill()
    await process.wait()
    await asyncio.to_thread(wait_for, lambda: not any(alive(pid) for pid in pids), 60, "the children's end")
