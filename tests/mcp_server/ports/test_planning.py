"""The contract of HeavyPlanning: real processes, and the double that covers the engine in fast tests."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.schema import AttributeType, Column, ColumnType, TypeKind
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import TableName, parse
from tests.mcp_server.adapters.relations import table
from tests.mcp_server.doubles.planning import InProcessPlanning

pytestmark = pytest.mark.anyio

THINGS = table(
    [
        Column("pk", ColumnType(TypeKind.VARCHAR), frozenset({AttributeType.STRING}), nullable=False),
        Column("n", ColumnType(TypeKind.BIGINT), frozenset({AttributeType.NUMBER})),
    ]
)
NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)


@pytest.fixture(scope="module", params=["double", pytest.param("processes", marks=pytest.mark.slow)])
async def planning(request: pytest.FixtureRequest) -> AsyncIterator[HeavyPlanning]:
    if request.param == "double":
        yield InProcessPlanning()
    else:
        async with PlanningProcesses(seconds=60, processes=1) as processes:
            yield processes


async def test_a_statement_is_planned_as_in_the_service(planning: HeavyPlanning) -> None:
    sql = "SELECT n FROM things WHERE pk = $who"
    tables = await planning.tables(sql, {"who": "a"})
    assert tables == {TableName(None, "things")}
    found = dict.fromkeys(tables, THINGS)
    query, reads = await planning.plan(sql, {"who": "a"}, NOW, "demo", found, consistent=True)
    expected = bind(parse(sql, {"who": "a"}), "demo", found)
    assert query.statement == expected.statement
    assert reads == tuple(expected.reads(consistent=True))
    assert reads[0].consistent


async def test_what_asks_for_the_time_is_told_that_of_the_call(planning: HeavyPlanning) -> None:
    sql = "SELECT n FROM things WHERE pk = strftime(now(), '%Y-%m-%d')"
    tables = dict.fromkeys(await planning.tables(sql, None), THINGS)
    query, reads = await planning.plan(sql, None, NOW, "demo", tables, consistent=False)
    assert query.timed
    assert reads[0].requests[0].arguments["Keys"] == [{"pk": {"S": "2026-01-02"}}]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DELETE FROM things", FailureCode.STATEMENT_NOT_ALLOWED),
        ("SELECT (1 FROM things", FailureCode.SYNTAX_ERROR),
    ],
)
async def test_what_the_gate_refuses_is_refused(planning: HeavyPlanning, sql: str, code: FailureCode) -> None:
    with pytest.raises(Failure) as caught:
        await planning.tables(sql, None)
    assert caught.value.code is code


async def test_what_cannot_be_bound_says_why(planning: HeavyPlanning) -> None:
    sql = "SELECT nope FROM things"
    tables = dict.fromkeys(await planning.tables(sql, None), THINGS)
    with pytest.raises(Failure) as caught:
        await planning.plan(sql, None, NOW, "demo", tables, consistent=False)
    assert caught.value.code is FailureCode.UNKNOWN_COLUMN
