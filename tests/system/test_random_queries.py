"""Random statements give through `run_sql` what DuckDB gives over the files that the tables were loaded from."""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support import demo_data
from tests.support.mcp_wire import Wire
from tests.support.random_sql import Statements
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

SEED = 20261122
STATEMENTS = 100


def comparable(rows: list[Any]) -> Counter[tuple[Any, ...]]:
    """Rows as a multiset; a DECIMAL travels as text, so numbers compare by value."""
    return Counter(tuple(_comparable(value) for value in row) for row in rows)


def _comparable(value: Any) -> Any:
    try:
        return Decimal(value)
    except (ArithmeticError, TypeError):
        return value


def test_random_statements_give_what_duckdb_gives(
    auth_server: AuthServer, mcp_server: McpServer, tpch_files: Path
) -> None:
    wire = Wire(mcp_server.resource, auth_server.token())
    answered = 0
    with demo_data.oracle(tpch_files) as oracle:
        statements = Statements(random.Random(SEED), oracle)
        for _ in range(STATEMENTS):
            sql = statements.next()
            expected = oracle.execute(sql).fetchall()
            assert comparable(wire.rows(sql, max_rows=1000)) == comparable(expected), sql
            answered += bool(expected)
    assert answered > STATEMENTS / 2
