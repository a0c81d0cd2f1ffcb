"""Heavy statements are planned in children that give the same plans, and can be ended."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.domain.failures import Failure, FailureCode, Position
from mcp_server.domain.failures.functions import UnknownFunction
from mcp_server.domain.schema import Table
from mcp_server.planning.access_path import plan_read
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import TableName, parse
from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables
from tests.support.descendants import descendants

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

HOSTILE = f"SELECT {', '.join('*' * 5000)} FROM orders a, orders b, orders c, orders d"
"""Its stars stand for 100,000 columns."""
NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


@pytest.fixture
async def planning() -> AsyncIterator[PlanningProcesses]:
    async with PlanningProcesses(seconds=60, processes=1) as processes:
        yield processes


def _named(tables: PlainTables, sql: str) -> dict[TableName, Table]:
    by_folded = {name.lower(): table for name, table in tables.tables.items()}
    return {name: by_folded[name.name.lower()] for name in parse(sql, None).tables}


def _children() -> set[int]:
    found = set()
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # the `ps` that listed them, for one
            if b"mcp_server.adapters.planning.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer = c.id WHERE o.id = 3 AND c.country = 'AT'",
        "SELECT * FROM orders WHERE id IN (1, 2, 3) AND total > 1.5 AND placed >= DATE '2024-01-01'",
        "WITH a AS (SELECT * FROM orders) SELECT status, count(*) FROM a GROUP BY status HAVING count(*) > 1",
    ],
)
async def test_the_plan_is_the_one_that_the_service_would_make(
    planning: PlanningProcesses, tables: PlainTables, sql: str
) -> None:
    expected = bind(parse(sql, None), "demo", _named(tables, sql))

    assert await planning.tables(sql, None) == parse(sql, None).tables
    query, reads = await planning.plan(sql, None, NOW, "demo", _named(tables, sql), consistent=False)

    assert query == expected
    assert reads == tuple(plan_read(relation, consistent=False) for relation in expected.relations)


async def test_parameters_and_failures_pass_through(planning: PlanningProcesses, tables: PlainTables) -> None:
    sql = "SELECT id FROM orders WHERE id = $wanted"
    query, _ = await planning.plan(sql, {"wanted": 7}, NOW, "demo", _named(tables, "FROM orders"), consistent=True)
    with pytest.raises(Failure) as caught:
        await planning.tables("SELECT\n coutn(*)", None)

    assert "7" in query.statement
    assert caught.value.fact == UnknownFunction("coutn", ("count", "cot"))
    assert caught.value.position == Position(2, 2)


async def test_planning_that_takes_too_long_is_ended_with_its_child(tables: PlainTables) -> None:
    """The next statement is planned by another child."""
    async with PlanningProcesses(seconds=2, processes=1) as planning:
        await planning.tables("SELECT 1", None)
        before = _children()
        with pytest.raises(Failure) as caught:
            await planning.plan(HOSTILE, None, NOW, "demo", _named(tables, "FROM orders"), consistent=False)
        after = _children()

        assert caught.value.code in (FailureCode.DEADLINE_EXCEEDED, FailureCode.MEMORY_EXCEEDED)
        assert len(before) == 1
        assert not after
        assert await planning.tables("SELECT * FROM orders", None) == {TableName(None, "orders")}


async def test_a_caller_who_leaves_takes_the_child_along(planning: PlanningProcesses, tables: PlainTables) -> None:
    await planning.tables("SELECT 1", None)
    before = _children()
    with anyio.move_on_after(0.3) as leaving:
        await planning.plan(HOSTILE, None, NOW, "demo", _named(tables, "FROM orders"), consistent=False)

    assert leaving.cancelled_caught
    assert len(before) == 1
    assert not _children()


async def test_a_child_that_dies_is_replaced(planning: PlanningProcesses) -> None:
    await planning.tables("SELECT 1", None)
    (child,) = _children()
    os.kill(child, signal.SIGKILL)

    assert await planning.tables("SELECT * FROM orders", None) == {TableName(None, "orders")}


async def test_children_end_with_the_service() -> None:
    async with PlanningProcesses(seconds=60) as planning:
        async with anyio.create_task_group() as callers:
            for _ in range(4):
                callers.start_soon(planning.tables, "SELECT 1", None)
        assert 1 <= len(_children()) <= 2
    assert not _children()
