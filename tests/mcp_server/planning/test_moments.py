"""Conditions on moments that whole numbers count to become ranges of the numbers: exactly what DuckDB makes of them."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from mcp_server.domain.schema import AttributeType, Column, ColumnType, KeyAttribute, Table, TypeKind
from mcp_server.planning.access_path import plan_read
from mcp_server.planning.direct import kept
from mcp_server.planning.plan import Relation
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import parse

_NUMBER = frozenset({AttributeType.NUMBER})
_TEXT = frozenset({AttributeType.STRING})
TABLE = Table(
    schema="demo",
    name="events",
    physical_name="events",
    hash_key=KeyAttribute("pk", AttributeType.STRING),
    range_key=KeyAttribute("ms", AttributeType.NUMBER),
    indexes=(),
    columns=(
        Column("pk", ColumnType(TypeKind.VARCHAR), _TEXT, nullable=False),
        Column("ms", ColumnType(TypeKind.BIGINT), _NUMBER, nullable=False),
        Column("s", ColumnType(TypeKind.BIGINT), _NUMBER),
        Column("iso", ColumnType(TypeKind.VARCHAR), _TEXT),
    ),
    item_count=1000,
    size_bytes=100_000,
    refreshed_at=0.0,
)
MOMENTS = (
    "TIMESTAMP '2024-01-01 00:00:00'",
    "TIMESTAMP '2024-02-29 12:34:56'",
    "DATE '2024-03-01'",
    "'2023-12-31'",
    "TIMESTAMP '1969-12-31 23:59:59'",
    "CAST('2024-01-01' AS DATE) + INTERVAL 1 MONTH",
)


def relation_of(condition: str) -> Relation:
    statement = parse(f"SELECT pk FROM events WHERE {condition}", None)
    [relation] = bind(statement, "demo", dict.fromkeys(statement.tables, TABLE)).relations
    return relation


def edges() -> list[datetime]:
    days = ["1969-12-31", "1970-01-01", "2022-12-31", "2023-12-30", "2024-01-01", "2024-01-29", "2024-02-01"]
    days += ["2024-02-29", "2024-03-01", "2024-04-01", "2024-12-31", "2025-01-01", "2031-06-06", "0001-01-02"]
    starts = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in days]
    steps = [timedelta(seconds=1), timedelta(milliseconds=1), timedelta(hours=12, minutes=34, seconds=56)]
    return [moment for start in starts for step in steps for moment in (start - step, start, start + step)]


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = sorted({(moment - EPOCH) // timedelta(milliseconds=1) for moment in edges()})
S = [ms // 1000 for ms in MS]


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'; CREATE TABLE events(place INTEGER, ms BIGINT, s BIGINT)")
        rows = [*zip(range(len(MS)), MS, S, strict=True), (len(MS), 0, None)]
        connection.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
        yield connection


def condition(dice: random.Random) -> str:
    term = dice.choice(["epoch_ms(ms)", "make_timestamp_ms(ms)", "to_timestamp(s)", "CAST(epoch_ms(ms) AS TIMESTAMP)"])
    operator, one, other = dice.choice(["=", "<>", "<", "<=", ">", ">="]), dice.choice(MOMENTS), dice.choice(MOMENTS)
    period = f"date_trunc('{dice.choice(['day', 'week', 'month', 'quarter', 'year'])}', {term})"
    year = dice.randint(2022, 2025)
    return dice.choice(
        [
            f"{term} {operator} {one}",
            f"{one} {operator} {term}",
            f"NOT {term} {operator} {one}",
            f"{term} BETWEEN {one} AND {other}",
            f"{term} NOT BETWEEN {one} AND {other}",
            f"{term} IN ({one}, {other})",
            f"year({term}) {operator} {year}",
            f"extract(year FROM {term}) IN ({year}, {year + 2})",
            f"{period} {operator} {one}",
            f"CAST({term} AS DATE) {operator} {one}",
            f"CAST({period} AS DATE) {operator} {one}",
        ]
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 3))])
def test_a_range_keeps_what_the_condition_keeps(engine: duckdb.DuckDBPyConnection, seed: int) -> None:
    dice = random.Random(seed)
    said = 0
    for _ in range(150):
        sql = condition(dice)
        relation = relation_of(sql)
        expected = {row[0] for row in engine.execute(f"SELECT place FROM events WHERE {sql}").fetchall()}
        for one in relation.conjuncts:
            if one.predicate is None:
                continue
            said += 1
            found = set(kept([one.predicate], {"ms": [*MS, 0], "s": [*S, None]}, len(MS) + 1))
            assert found >= expected, sql
            assert not one.faithful or found == expected, sql
    assert said > 100


@pytest.mark.parametrize(
    ("sql", "arguments"),
    [
        ("epoch_ms(ms) >= TIMESTAMP '2024-01-01 00:00:00'", (">=", [1_704_067_200_000])),
        ("year(epoch_ms(ms)) = 2024", ("BETWEEN", [1_704_067_200_000, 1_735_689_599_999])),
        ("date_trunc('month', epoch_ms(ms)) = DATE '2024-02-01'", ("BETWEEN", [1_706_745_600_000, 1_709_251_199_999])),
    ],
)
def test_a_sort_key_of_milliseconds_is_read_by_range(sql: str, arguments: tuple[str, list[int]]) -> None:
    read = plan_read(relation_of(f"pk = 'a' AND {sql}"), consistent=False)

    operator, values = arguments
    assert read.access == "Query"
    assert f"#n1 {operator} :v1" in read.requests[0].arguments["KeyConditionExpression"]
    found = read.requests[0].arguments["ExpressionAttributeValues"]
    assert [int(found[f":v{place}"]["N"]) for place in range(1, len(values) + 1)] == values


@pytest.mark.parametrize(
    "sql",
    [
        "CAST(iso AS TIMESTAMP) >= TIMESTAMP '2024-01-01 00:00:00'",
        "year(CAST(iso AS TIMESTAMP)) = 2024",
        "epoch_ms(ms + 1) >= TIMESTAMP '2024-01-01 00:00:00'",
        "TRY_CAST(epoch_ms(ms) AS DATE) = DATE '2024-01-01'",
        "epoch_us(ms) >= TIMESTAMP '2024-01-01 00:00:00'",
    ],
)
def test_what_does_not_keep_the_order_becomes_no_range(sql: str) -> None:
    assert all(one.predicate is None for one in relation_of(sql).conjuncts)


def test_numbers_that_are_not_whole_become_no_range() -> None:
    column = replace(TABLE.columns[1], type=ColumnType(TypeKind.DECIMAL, scale=2))
    table = replace(TABLE, columns=(TABLE.columns[0], column))
    statement = parse("SELECT pk FROM events WHERE to_timestamp(ms) > TIMESTAMP '2024-01-01 00:00:00'", None)
    [relation] = bind(statement, "demo", dict.fromkeys(statement.tables, table)).relations
    assert all(one.predicate is None for one in relation.conjuncts)
