"""The weight of a statement is known before it is bound, and is never too low in what its stars stand for."""

from collections.abc import Iterator

import pytest
from sqlglot import exp

from mcp_server.sql.binding.weight import MAX_WEIGHT, weight
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables
from tests.mcp_server.sql.test_same_results import STATEMENTS


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


def _weight(tables: PlainTables, sql: str) -> tuple[int, int]:
    """The weight, and the nodes among it."""
    statement = parse(sql, None)
    by_folded = {name.lower(): table for name, table in tables.tables.items()}
    found = weight(statement, {name: by_folded[name.name.lower()] for name in statement.tables})
    return found, sum(1 for _ in statement.expression.walk())


@pytest.mark.parametrize("sql", STATEMENTS, ids=range(1, len(STATEMENTS) + 1))
def test_no_result_has_more_columns_than_were_counted(tables: PlainTables, sql: str) -> None:
    columns = len(tables.connection.execute(sql).description)
    found, nodes = _weight(tables, sql)
    starred = any(
        projection.is_star
        for select in parse(sql, None).expression.find_all(exp.Select)
        for projection in select.expressions
    )

    assert found >= nodes
    if starred:
        assert (found - nodes) / 2 >= columns


def test_stars_count_as_the_columns_that_they_stand_for(tables: PlainTables) -> None:
    named, nodes = _weight(tables, "SELECT id FROM orders")
    starred, starred_nodes = _weight(tables, "SELECT * FROM orders a, orders b")

    assert named == nodes + 2
    assert starred == starred_nodes + 2 * 10


def test_columns_that_double_with_every_cte_are_counted_at_once(tables: PlainTables) -> None:
    """2^60 columns: neither time nor the number grows with them."""
    ctes = ", ".join(f"c{i} AS (SELECT * FROM c{i - 1} a, c{i - 1} b)" for i in range(1, 60))

    found, _ = _weight(tables, f"WITH c0 AS (SELECT * FROM orders), {ctes} SELECT * FROM c59")

    assert found == MAX_WEIGHT


def test_recursion_ends(tables: PlainTables) -> None:
    found, nodes = _weight(
        tables, "WITH RECURSIVE r AS (SELECT * FROM orders UNION ALL SELECT * FROM r) SELECT * FROM r"
    )

    assert nodes < found < MAX_WEIGHT
