"""Random statements give the same over what their plans receive as over all the rows.

RANDOM_STATEMENTS in the environment makes them more, RANDOM_SEED others; `--timeout=0` gives them the time.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from itertools import count

import duckdb
import pytest

from mcp_server.planning.access_path import plan_read
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse
from tests.mcp_server.planning.filter_language import received_by
from tests.mcp_server.planning.typed_tables import ITEMS, RANDOM_TABLES, TABLES, oracle, rows
from tests.support.random_sql.statements import Statements

STATEMENTS = int(os.environ.get("RANDOM_STATEMENTS", "150"))
FIRST_SEED = int(os.environ.get("RANDOM_SEED", "0"))
PARTITIONED = STATEMENTS // 3


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with oracle() as connection:
        yield connection


def answer(engine: duckdb.DuckDBPyConnection, sql: str) -> Counter[str]:
    """The rows that the planned requests lead to."""
    statement = parse(sql, None)
    query = bind(statement, "demo", {name: TABLES[name.name] for name in statement.tables})
    for relation in query.relations:
        items = received_by(plan_read(relation, consistent=False), ITEMS[relation.table.name])
        engine.register(relation.name, rows(relation.columns, items))
    return Counter(map(repr, engine.execute(query.statement).fetchall()))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 4))
def test_random_statements_give_what_they_give_over_all_rows(engine: duckdb.DuckDBPyConnection, seed: int) -> None:
    statements = Statements(random.Random(seed), RANDOM_TABLES, names=["j"])
    compared = answered = 0
    for _ in count():
        sql = statements.next()
        try:
            expected = Counter(map(repr, engine.execute(sql).fetchall()))
        except duckdb.Error:  # not every join takes every condition
            continue

        try:
            got = answer(engine, sql)
        except duckdb.ConversionException:  # which of two conditions is evaluated first is up to DuckDB
            continue
        assert got == expected, sql

        answered += bool(expected)
        compared += 1
        if compared == STATEMENTS:
            break
    assert answered > STATEMENTS / 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + 2))
def test_a_condition_parts_the_rows_into_three(engine: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Ternary logic partitioning (Rigger, Su: "Finding Bugs in Database Systems via Query Partitioning", 2020).

    No oracle is asked: what narrows one part and not another would lose or repeat a row.
    """
    statements = Statements(random.Random(f"parts {seed}"), RANDOM_TABLES, names=["j"])
    compared = parted = 0
    while compared < PARTITIONED:
        statement, parts = statements.partitions()
        try:
            engine.execute(f"explain {parts[0]}")
            whole = answer(engine, statement)
            found = [answer(engine, part) for part in parts]
        except duckdb.Error:  # not every join takes every condition
            continue
        assert sum(found, Counter[str]()) == whole, parts[0]
        parted += sum(map(bool, found)) > 1
        compared += 1
    assert parted > PARTITIONED / 5
