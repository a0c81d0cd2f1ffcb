"""What an error blames in the executed statement, found in the statement that was written."""

import json
from collections.abc import Iterator

import duckdb
import pytest

from mcp_server.domain.failures import Position
from mcp_server.sql.gate.parse import Statement, parse
from mcp_server.sql.places import part_at
from mcp_server.sql.positions import position_of
from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


@pytest.mark.parametrize(
    ("sql", "blamed"),
    [
        ("SELECT id, sum(name) FROM customers GROUP BY id", "sum(name)"),
        ("SELECT id,\n  country, count(*)\nFROM customers\nGROUP BY id", "country"),
        ("SELECT c.name::INT FROM customers c", "c.name::INT"),
        ("SELECT o.id FROM orders o JOIN customers c ON o.id = c.id WHERE CAST(c.name AS INT) > 1", "c.name AS INT"),
        ("WITH x AS (SELECT * FROM orders) SELECT date_trunc('day', total) FROM x", "date_trunc"),
        ("SELECT id FROM customers WHERE sum(id) > 1", "sum(id)"),
        ("SELECT unnest(id) FROM orders", "unnest"),
        ("SELECT label FROM items WHERE tags + 1 = 2", "tags"),
        ("SELECT upper('naïve'), substr(id, 'x', 'y') FROM orders", "substr"),
    ],
)
def test_an_error_is_placed_where_it_was_written(tables: PlainTables, sql: str, blamed: str) -> None:
    """By the names that the person used, though the executed statement has others."""
    statement = parse(sql, None)
    offset = sql.index(blamed)
    before = sql[:offset]
    expected = Position(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)
    assert place(statement, *blame(tables, sql)) == expected


def place(statement: Statement, executed: str, offset: int, length: int) -> Position | None:
    found = part_at(statement, executed, offset, length)
    return position_of(statement.text, found) if found is not None else None


def blame(tables: PlainTables, sql: str) -> tuple[str, int, int]:
    """The executed statement, and the part of it that DuckDB blames."""
    query = tables.bind(sql)
    with pytest.raises(duckdb.Error) as raised:
        tables.run(query, narrowed=False, errors_as_json=True).fetchall()
    _, brace, rest = str(raised.value).partition("{")
    offset, length = json.loads(json.loads(brace + rest)["location"])
    start = query.statement.encode()[:offset].decode()
    return query.statement, len(start), length


@pytest.mark.parametrize(
    "part",
    ["", ")", "1", "'x'", "SELECT 1", "1, 2", "x FROM y", "sum(", "upper(name)", "+", "a" * 3000, "\x00", "status § 1"],
)
def test_what_is_not_found_for_sure_has_no_place(part: str) -> None:
    """A wrong place would mislead more than none."""
    statement = parse("SELECT id + 1, name + 2, 'x' FROM customers", None)
    assert place(statement, part, 0, len(part)) is None


def test_the_same_expression_over_another_source_is_not_blamed() -> None:
    """Of two casts, the one of the table that the error is about."""
    statement = parse("SELECT a.name::INT, b.name::INT FROM customers a, customers b", None)
    part = 'CAST("b§2"."name" AS INT)'
    assert place(statement, part, 0, len(part)) == Position(1, 21)
