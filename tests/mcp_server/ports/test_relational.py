"""The contract of RelationalEngine: real children, and the double that covers the engine in fast tests."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio
import pyarrow as pa
import pytest

from mcp_server.adapters.duckdb.database import Database
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.availability import SourceThrottles
from mcp_server.domain.failures.values import ParameterNotUnicode
from mcp_server.ports.relational import EvaluationError, Input, RelationalEngine, Result, StreamReadTwice, View
from tests.mcp_server.doubles.relational import InProcessDuckDb

pytestmark = pytest.mark.anyio

SCHEMA = pa.schema([("c0", pa.int64()), ("c1", pa.string())])
ROWS = 1000
COUNT = "SELECT count(*) FROM r0"
ENDLESS = "SELECT count(*) FROM range(100000000000) t(i) WHERE (i * 7) % 13 = 1"


@pytest.fixture(scope="module", params=["double", "one thread", pytest.param("children", marks=pytest.mark.slow)])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[RelationalEngine]:
    if request.param in ("double", "one thread"):
        yield InProcessDuckDb(threads=request.param == "double")
    else:
        async with DuckDbSandbox(children=2, wait_seconds=60) as sandbox:
            yield sandbox


in_parallel = pytest.mark.parametrize(
    "engine", ["double", pytest.param("children", marks=pytest.mark.slow)], indirect=True
)
"""Marks a test of inputs that are read while the statement runs."""


class Source:
    """Batches of 1000 rows; tells how many were pulled, when all were, and whether it was closed."""

    def __init__(self, batches: int, *, failing: Exception | None = None, waiting: bool = False) -> None:
        self.count, self.failing, self.waiting = batches, failing, waiting
        self.pulled, self.closed, self.reached = 0, False, asyncio.Event()

    async def batches(self) -> AsyncGenerator[pa.RecordBatch]:
        try:
            for number in range(self.count):
                self.pulled += 1
                first = number * ROWS
                yield pa.record_batch([range(first, first + ROWS), ["x" * 20] * ROWS], schema=SCHEMA)
            self.reached.set()
            if self.failing is not None:
                raise self.failing
            if self.waiting:
                await asyncio.Event().wait()
        finally:
            self.closed = True

    def input(self, name: str = "r0", *, materialise: bool = False, views: tuple[View, ...] = ()) -> Input:
        return Input(name, SCHEMA, self.batches(), materialise, views)


async def run(
    engine: RelationalEngine, statement: str, *inputs: Input, row_limit: int = 100_000, byte_limit: int = 1 << 26
) -> Result:
    with anyio.fail_after(100):
        return await engine.run(statement, inputs, row_limit=row_limit, byte_limit=byte_limit)


@pytest.mark.parametrize("batches", [0, 1, 20, 200])
@pytest.mark.parametrize("materialise", [False, True])
async def test_a_statement_sees_all_of_an_input(engine: RelationalEngine, batches: int, materialise: bool) -> None:
    source = Source(batches)
    result = await run(engine, "SELECT count(*) AS n, max(c0) AS top FROM r0", source.input(materialise=materialise))
    assert result.table.to_pylist() == [{"n": batches * ROWS, "top": batches * ROWS - 1 if batches else None}]
    assert [(column.name, column.type) for column in result.columns] == [("n", "BIGINT"), ("top", "BIGINT")]
    assert (result.complete, source.closed) == (True, True)


async def test_views_are_columns_of_an_input_that_is_held(engine: RelationalEngine) -> None:
    views = (View("v", ("c1", "c0")), View("w", ("c0",)))
    result = await run(
        engine,
        "SELECT count(*) AS n, min(v.c1) AS t FROM v JOIN w USING (c0)",
        Source(20).input("s0", materialise=True, views=views),
    )
    assert result.table.to_pylist() == [{"n": 20_000, "t": "x" * 20}]


@pytest.mark.parametrize("condition", ["address.city LIKE 'O%'", "starts_with(address.city, '')"])
async def test_a_part_of_a_map_that_is_null_begins_like_no_text(engine: RelationalEngine, condition: str) -> None:
    """Statistics of a table with a common beginning once led DuckDB to let such rows pass."""
    rows = [{"address": {"city": city}} for city in ("Oslo", None, "Oscar", "Omsk")]
    schema = pa.schema([("address", pa.struct([("city", pa.string())]))])

    async def batches() -> AsyncGenerator[pa.RecordBatch]:
        for row in rows:
            yield pa.RecordBatch.from_pylist([row], schema)

    held = Input("r0", schema, batches(), materialise=True)
    result = await run(engine, f"SELECT address FROM r0 WHERE {condition}", held)
    assert result.table.to_pylist() == [rows[0], *rows[2:]]


async def test_a_result_is_cut_and_says_so(engine: RelationalEngine) -> None:
    by_rows = await run(engine, "SELECT c0 FROM r0", Source(300).input(), row_limit=2500)
    assert (by_rows.table.column(0).to_pylist(), by_rows.complete) == (list(range(2500)), False)
    exact = await run(engine, "SELECT * FROM r0", Source(3).input(), row_limit=3000)
    assert (exact.table.num_rows, exact.complete) == (3000, True)
    by_bytes = await run(engine, "SELECT * FROM r0", Source(300).input(), byte_limit=100_000)
    assert 0 < by_bytes.table.nbytes <= 100_000
    assert not by_bytes.complete
    with pytest.raises(Failure) as raised:
        await run(engine, "SELECT repeat('x', 200000) AS t", byte_limit=100_000)
    assert raised.value.code is FailureCode.RESULT_TOO_LARGE


@in_parallel
async def test_inputs_are_read_as_far_as_needed(engine: RelationalEngine) -> None:
    source = Source(10_000)
    result = await run(engine, "SELECT * FROM r0 LIMIT 5", source.input())
    assert result.table.num_rows == 5
    assert source.closed
    assert source.pulled < 200


async def test_a_stream_read_twice_is_reported_and_a_table_is_not(engine: RelationalEngine) -> None:
    statement = "SELECT count(*) AS n FROM r0 AS l JOIN r0 AS r USING (c0)"
    with pytest.raises(StreamReadTwice):
        await run(engine, statement, Source(20).input())
    result = await run(engine, statement, Source(20).input(materialise=True))
    assert result.table.to_pylist() == [{"n": 20_000}]


@pytest.mark.parametrize(
    ("statement", "place", "message"),
    [
        ("SELECT 1 % 0", None, "Division by zero in expression (1 % 0)."),
        ("SELECT c0, nope FROM r0", (11, 4), 'Referenced column "nope" not found in FROM clause.'),
    ],
)
async def test_an_error_of_the_evaluation_says_what_and_where(
    engine: RelationalEngine, statement: str, place: tuple[int, int] | None, message: str
) -> None:
    source = Source(3)
    with pytest.raises(EvaluationError) as raised:
        await run(engine, statement, source.input())
    assert raised.value.fact.told == message
    if place is not None:
        assert raised.value.place is not None
        assert raised.value.place.offset == place[0]
    assert source.closed
    assert (await run(engine, "SELECT 1 AS n")).table.to_pylist() == [{"n": 1}]


@pytest.mark.parametrize("last", [0, 4_999])
async def test_an_error_is_one_of_the_statement_however_many_rows_came_before(
    engine: RelationalEngine, last: int
) -> None:
    statement = f"SELECT CAST(CASE WHEN c0 = {last} THEN 'text' ELSE '1' END AS INTEGER) AS n FROM r0"
    with pytest.raises(EvaluationError) as raised:
        await run(engine, statement, Source(5).input())
    assert raised.value.fact.told.startswith("Could not convert string 'text' to INT32")
    assert raised.value.code is FailureCode.EVALUATION_ERROR


async def test_what_an_input_raises_ends_the_run(engine: RelationalEngine) -> None:
    error = Failure(SourceThrottles("shop"))
    failing, other = Source(5, failing=error), Source(10_000)
    with pytest.raises(Failure) as raised:
        await run(engine, "SELECT count(*) FROM r0, r1", failing.input("r0"), other.input("r1"))
    assert raised.value is error
    assert other.closed


@in_parallel
@pytest.mark.parametrize("statement", [ENDLESS, "SELECT sum(c0) FROM r0"])
async def test_cancelling_ends_a_run(engine: RelationalEngine, statement: str) -> None:
    source = Source(5, waiting=True)
    task = asyncio.create_task(run(engine, statement, source.input()))
    with anyio.fail_after(60):
        await source.reached.wait()
        for _ in range(5):
            await run(engine, "SELECT 1")  # time enough for the statement to start
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    assert source.closed
    assert (await run(engine, "SELECT 1 AS n")).table.to_pylist() == [{"n": 1}]


async def test_what_is_no_text_and_too_many_inputs_are_refused_unread(engine: RelationalEngine) -> None:
    source = Source(3)
    with pytest.raises(Failure, match=ParameterNotUnicode.__name__):
        await run(engine, "SELECT '\ud800'", source.input())
    assert source.pulled == 0
    with pytest.raises(Failure) as raised:
        await run(engine, "SELECT 1", *(Source(1).input(f"r{number}") for number in range(65)))
    assert raised.value.code is FailureCode.SYNTAX_NOT_SUPPORTED


async def test_nothing_of_a_statement_is_left_for_the_next(engine: RelationalEngine) -> None:
    for _ in range(4):
        await run(engine, "SELECT count(*) FROM r0", Source(1).input(materialise=True))
    for _ in range(4):
        with pytest.raises(EvaluationError):
            await run(engine, "SELECT count(*) FROM r0")


async def test_one_thread_evaluates_a_statement_once_over_the_same_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluated: list[str] = []
    run = Database.run

    def counted(database: Database, request: dict[str, Any], *rest: Any) -> None:
        evaluated.append(request["statement"])
        run(database, request, *rest)

    monkeypatch.setattr(Database, "run", counted)
    engine = InProcessDuckDb(threads=False)
    for statement, batches in [(COUNT, 1), (COUNT, 1), (COUNT, 30), (COUNT, 30), ("SELECT max(c0) FROM r0", 1)]:
        result = await engine.run(statement, [Source(batches).input()], row_limit=10, byte_limit=1 << 20)
        assert result.table.column(0).to_pylist() == [batches * ROWS - (statement != COUNT)]
    assert evaluated == [COUNT, COUNT, "SELECT max(c0) FROM r0"]
