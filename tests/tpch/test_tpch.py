"""The 22 TPC-H queries give through `run_sql` what DuckDB gives over the files that the tables were loaded from."""

import datetime
import decimal
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import demo_data
from tests.support.emulator import Emulator
from tests.support.mcp_wire import Wire
from tests.support.services import Addresses, AuthServer, McpServer, mcp_replica

pytestmark = pytest.mark.slow

QUERIES = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "queries").glob("q*.sql"))}
PAGE_ROWS = 100


@pytest.fixture(scope="session")
def oracle(tpch_files: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB over the generated files."""
    with demo_data.oracle(tpch_files) as connection:
        yield connection


@pytest.fixture
def wire(auth_server: AuthServer, mcp_server: McpServer) -> Wire:
    """The MCP endpoint with a token of its own: one lives ten minutes, which all queries may take on a busy machine."""
    return Wire(mcp_server.resource, auth_server.token())


@pytest.fixture(scope="session")
def other_server(
    addresses: Addresses, demo_tables_elsewhere: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[McpServer]:
    """The service over a DynamoDB of other authors."""
    with mcp_replica(addresses, tmp_path_factory.mktemp("elsewhere"), demo_tables_elsewhere.endpoint_url) as server:
        yield server


@pytest.fixture
def other_wire(auth_server: AuthServer, other_server: McpServer) -> Wire:
    """The same over that."""
    return Wire(other_server.resource, auth_server.token())


def test_all_22_queries_are_here() -> None:
    assert list(QUERIES) == [f"q{number:02d}" for number in range(1, 23)]


def test_at_least_21_of_them_have_an_answer(oracle: duckdb.DuckDBPyConnection) -> None:
    """An empty answer, or one of NULLs only, would be easy to agree on."""
    answered = [
        name
        for name, sql in QUERIES.items()
        if any(value is not None for row in oracle.execute(sql).fetchall() for value in row)
    ]
    assert len(answered) >= 21


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_gives_what_duckdb_gives(name: str, oracle: duckdb.DuckDBPyConnection, wire: Wire) -> None:
    """Row by row: over these files every ORDER BY of the specification is total, and the rest give one row.

    The second time the plan is not made anew; the rows come on pages of another size.
    """
    check(name, oracle, wire, max_rows=PAGE_ROWS)
    check(name, oracle, wire, max_rows=7)


@pytest.mark.parametrize("name", QUERIES)
def test_it_does_so_over_another_dynamodb(name: str, oracle: duckdb.DuckDBPyConnection, other_wire: Wire) -> None:
    check(name, oracle, other_wire, max_rows=PAGE_ROWS)


def check(name: str, oracle: duckdb.DuckDBPyConnection, wire: Wire, *, max_rows: int) -> None:
    """A query's answer is DuckDB's."""
    expected = oracle.execute(QUERIES[name])
    names = [column[0] for column in expected.description or []]
    expected_rows = expected.fetchall()
    columns, rows = wire.table(QUERIES[name], max_rows=max_rows)
    assert [column["name"].lower() for column in columns] == [name.lower() for name in names]
    assert len(rows) == len(expected_rows)
    types = [column["type"] for column in columns]
    for row, expected_row in zip(rows, expected_rows, strict=True):
        for value, sql_type, exact in zip(row, types, expected_row, strict=True):
            assert_same(value, sql_type, exact)


def assert_same(value: Any, sql_type: str, expected: Any) -> None:
    """A JSON value of a result is exactly the expected Python value; a DOUBLE within 1e-9 of it."""
    if expected is None:
        assert value is None
    elif isinstance(expected, float):
        assert sql_type == "DOUBLE"
        assert math.isclose(value, expected, rel_tol=1e-9), (value, expected)
    elif isinstance(expected, int | decimal.Decimal):
        # A DECIMAL travels as text, so that no reader rounds it.
        assert isinstance(value, str if sql_type.startswith("DECIMAL") or abs(expected) > 2**53 - 1 else int)
        assert decimal.Decimal(value) == expected
    elif isinstance(expected, datetime.date):
        assert value == expected.isoformat()
    else:
        assert value == expected
