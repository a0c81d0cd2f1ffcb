"""Random statements give through `run_sql` what DuckDB gives over the same rows."""

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import botocore.session
import duckdb
import pytest

from tests.mcp_server.planning import typed_tables
from tests.support import demo_data
from tests.support.emulator import Emulator
from tests.support.mcp_wire import Wire
from tests.support.random_sql.columns import Column, Table
from tests.support.random_sql.statements import Statements
from tests.support.services import Addresses, AuthServer, McpServer, mcp_replica

pytestmark = pytest.mark.slow

SEED = 20261122
STATEMENTS = 100
MAX_ROWS = 2_000
"""Larger results are passed over."""
_BEYOND_PYTHON = re.compile(r"\d{5,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?")
"""A time after the year 9999, which DuckDB's client hands out as a text."""
TPCH = {
    "supplier": ["s_suppkey", "s_nationkey", "s_acctbal", "s_name", "s_phone", "s_address"],
    "nation": ["n_nationkey", "n_regionkey", "n_name"],
    "region": ["r_regionkey", "r_name"],
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, DuckDB with the rows of its tables, and statements over them."""

    wire: Wire
    oracle: duckdb.DuckDBPyConnection
    statements: Statements


@pytest.fixture
def over_tpch(auth_server: AuthServer, mcp_server: McpServer, tpch_files: Path) -> Iterator[Subject]:
    """The demo tables, whose keys and indexes are used."""
    with demo_data.oracle(tpch_files) as oracle:
        tables = [
            Table(name, [_tpch_column(oracle, name, column) for column in columns]) for name, columns in TPCH.items()
        ]
        wire = Wire(mcp_server.resource, auth_server.token())
        yield Subject(wire, oracle, Statements(random.Random(SEED), tables))


def _tpch_column(oracle: duckdb.DuckDBPyConnection, table: str, column: str) -> Column:
    found = oracle.execute(f"select distinct {column} from {table} order by 1").fetchall()
    values = [row[0] for row in found[:: max(1, len(found) // 40)]]
    if isinstance(values[0], str):
        return Column(column, "text", ["'" + value.replace("'", "''") + "'" for value in values])
    return Column(column, "number", [*map(str, values), f"{values[0]}e0", f"{values[-1]} + 0.5"])


@pytest.fixture
def over_edges(addresses: Addresses, auth_server: AuthServer, emulator: Emulator, tmp_path: Path) -> Iterator[Subject]:
    """Tables with values at the edges of every type, NULLs, missing attributes, and an attribute that is a map."""
    client = botocore.session.get_session().create_client(
        "dynamodb", endpoint_url=emulator.endpoint_url, region_name=emulator.region
    )
    for name, table in typed_tables.TABLES.items():
        client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **typed_tables.definition(table))
        for item in typed_tables.ITEMS[name]:
            client.put_item(TableName=name, Item=item)
    with (
        mcp_replica(addresses, tmp_path, emulator.endpoint_url) as replica,
        typed_tables.oracle() as oracle,
    ):
        statements = Statements(random.Random(SEED), typed_tables.RANDOM_TABLES, names=["j"])
        yield Subject(Wire(replica.resource, auth_server.token()), oracle, statements)
    for name in typed_tables.TABLES:
        client.delete_table(TableName=name)
    client.close()


def comparable(rows: list[Any]) -> Counter[tuple[Any, ...]]:
    """Rows as a multiset; a DECIMAL travels as text and so does a DATE, so numbers compare by value."""
    return Counter(tuple(_comparable(value) for value in row) for row in rows)


def _comparable(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and _BEYOND_PYTHON.fullmatch(value):
        return value.replace(" ", "T")
    try:
        return Decimal(value)
    except (ArithmeticError, TypeError):
        return value


@pytest.mark.parametrize("subject", ["over_tpch", "over_edges"])
def test_random_statements_give_what_duckdb_gives(subject: str, request: pytest.FixtureRequest) -> None:
    about: Subject = request.getfixturevalue(subject)
    answered = compared = 0
    for _ in count():
        sql = about.statements.next()
        try:
            expected = about.oracle.execute(sql).fetchmany(MAX_ROWS + 1)
        except duckdb.Error:  # not every join takes every condition
            continue
        if len(expected) > MAX_ROWS:
            continue

        assert comparable(about.wire.rows(sql, max_rows=1000)) == comparable(expected), sql

        answered += bool(expected)
        compared += 1
        if compared == STATEMENTS:
            break
    assert answered > STATEMENTS / 2
