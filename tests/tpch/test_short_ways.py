"""Statements over TPC-H's tables that DuckDB is left out of, or that are read by the page, give what DuckDB gives.

None of the 22 queries is one of these. Each statement runs with the shortcut past DuckDB on and off, over both
emulators, and each time planned anew and from the remembered plan.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import duckdb
import pytest

from mcp_server.domain.schema import Schema
from mcp_server.engine import messages
from mcp_server.engine.queries import QueryService
from mcp_server.ports.relational import Input, Result
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.support import demo_data
from tests.support.demo_data import DemoTables
from tests.tpch.reading import LIMITS, SOMEBODY, serving
from tests.tpch.test_tpch import assert_same

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

PAGE_ROWS, WHOLE_ROWS = 7, 1000
BY_PAGE = (
    "SELECT l_orderkey, l_linenumber, l_quantity FROM lineitem WHERE l_orderkey IN (1, 2, 3, 7)",
    "SELECT l_linenumber, l_shipmode FROM lineitem WHERE l_orderkey = 7 AND l_linenumber BETWEEN 2 AND 5",
    "SELECT o_orderkey, o_orderstatus FROM orders WHERE o_custkey = 370 AND o_totalprice > 100000.5",
    "SELECT p_partkey, p_name FROM part WHERE p_brand = 'Brand#23' AND p_size IN (3, 14, 15) AND p_name <> ''",
    "SELECT s_name FROM supplier WHERE s_nationkey = 3 OR s_acctbal < -900",
    "SELECT c_custkey, c_name FROM customer WHERE c_mktsegment = 'BUILDING' AND c_acctbal > 9000",
    "SELECT n_nationkey, n_name, n_regionkey FROM nation",
    "SELECT l_linenumber, l_extendedprice FROM lineitem WHERE l_orderkey = 7 ORDER BY l_linenumber DESC",
    "SELECT ps_partkey, ps_availqty FROM partsupp WHERE ps_suppkey = 3 AND ps_partkey < 700",
)
"""Statements that select columns of rows by simple conditions, and whose read stops when a page is full.

The last one is read by an index whose items are fetched by key.
"""
AT_ONCE = "SELECT o_custkey, o_orderdate, o_totalprice FROM orders WHERE o_orderkey = 7"
"""Another one, which is read at once, by GetItem."""
DIRECT = (*BY_PAGE, AT_ONCE)
COMPUTED = (
    "SELECT upper(c_name), length(c_mktsegment) FROM customer WHERE c_nationkey = 3",
    "SELECT n_name || '!' FROM nation WHERE length(n_name) > 5",
)
"""Statements that are read by the page, and that DuckDB has to answer."""


class CountedRuns(InProcessDuckDb):
    """Counts what DuckDB was asked to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    async def run(self, statement: str, inputs: Sequence[Input], *, row_limit: int, byte_limit: int) -> Result:
        """See RelationalEngine.run."""
        self.runs += 1
        return await super().run(statement, inputs, row_limit=row_limit, byte_limit=byte_limit)


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("direct", [True, False], ids=["direct", "by-duckdb"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["ministack", "dynoxide"])
async def test_statements_give_what_duckdb_gives(
    elsewhere: bool, direct: bool, schema_of: Callable[[bool], Schema], demo_tables: DemoTables
) -> None:
    """Page by page and whole; DuckDB is left out exactly of those that do not need it, and only where that is on."""
    relational = CountedRuns()
    limits = LIMITS if direct else replace(LIMITS, direct_rows=0)
    with demo_data.oracle(demo_tables.files) as oracle:
        async with serving(schema_of(elsewhere), relational=relational, limits=limits) as service:
            for sql in (*DIRECT, *COMPUTED):
                for max_rows in (PAGE_ROWS, WHOLE_ROWS, PAGE_ROWS):
                    relational.runs = 0
                    await check(sql, max_rows, oracle, service)
                    assert (relational.runs == 0) == (direct and sql in DIRECT), sql


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize("elsewhere", [False, True], ids=["ministack", "dynoxide"])
async def test_they_are_read_by_the_page(elsewhere: bool, schema_of: Callable[[bool], Schema]) -> None:
    async with serving(schema_of(elsewhere)) as service:
        plans = {sql: (await service.explain_sql(SOMEBODY, sql=sql)).plan for sql in (*DIRECT, *COMPUTED)}
    assert [sql for sql, plan in plans.items() if messages.read_by_page() in plan] == [*BY_PAGE, *COMPUTED]


async def check(sql: str, max_rows: int, oracle: duckdb.DuckDBPyConnection, service: QueryService) -> None:
    """All pages together hold DuckDB's rows: in its order where the statement says one."""
    expected = oracle.execute(sql).fetchall()
    assert expected, sql
    result = await service.run_sql(SOMEBODY, sql=sql, max_rows=max_rows)
    types, rows = [column.type for column in result.columns], result.rows
    while result.next_cursor is not None:
        result = await service.run_sql(SOMEBODY, sql=sql, max_rows=max_rows, cursor=result.next_cursor)
        rows = rows + result.rows
    assert len(rows) == len(expected), sql
    if "ORDER BY" not in sql:
        rows, expected = sorted(rows, key=_key), sorted(expected, key=_key)
    for row, expected_row in zip(rows, expected, strict=True):
        for value, sql_type, exact in zip(row, types, expected_row, strict=True):
            assert_same(value, sql_type, exact)


def _key(row: Sequence[object]) -> list[str]:
    return [str(value) for value in row[:2]]  # no two rows have both alike
