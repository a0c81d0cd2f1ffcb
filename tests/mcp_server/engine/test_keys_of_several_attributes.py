"""Global indexes whose partition and sort keys have several attributes, over doubles and over an emulator.

Developer guide, Multi-attribute keys: "You must specify all partition key attributes using equality conditions", and
"Sort key attributes must be queried left-to-right […] inequality conditions […] must be the last condition". The
emulator refuses any other key condition, as AWS does.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mcp_server.planning.plan import Read
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service, only_real

pytestmark = pytest.mark.anyio

INDEX = HeldIndex("by_round", (("cup", "S"), ("year", "N"), ("stage", "S"), ("match", "N"), ("side", "S")), hash_keys=2)
KEYS_ALONE = HeldIndex("by_goals", (("goals", "N"), ("side", "S"), ("year", "N"), ("match", "N")), frozenset(), 2)
COLUMNS = ("pk", "cup", "year", "stage", "match", "side", "goals")
PRESENT = " AND stage IS NOT NULL AND match IS NOT NULL AND side IS NOT NULL"
ITEMS = 400


def made() -> list[dict[str, Any]]:
    """Rows of which some lack an attribute of the index, so that it is sparse."""
    dice = random.Random("cups")
    rows: list[dict[str, Any]] = []
    for number in range(ITEMS):
        row: dict[str, Any] = {
            "pk": f"m{number}",
            "cup": dice.choice(["Winter", "Summer"]),
            "year": dice.choice([2024, 2025, 2026]),
            "stage": dice.choice(["GROUP", "QUARTER", "SEMI", "FINAL"]),
            "match": dice.choice([1, 2, 3, 10]),
            "side": dice.choice(["A", "AB", "B"]),
            "goals": dice.randint(0, 5),
        }
        for name in ("year", "stage", "match", "side"):
            if dice.random() < 0.05:
                del row[name]
        rows.append(row)
    return rows


ROWS = made()


@pytest.fixture(scope="module")
async def judge(service: Service) -> AsyncIterator[duckdb.DuckDBPyConnection]:
    """The table `cups`, in the service and in the DuckDB that judges."""
    await service.tables.create("cups", (("pk", "S"),), [INDEX, KEYS_ALONE])
    numbers = ("year", "match", "goals")
    items = [
        {name: {"N": str(value)} if name in numbers else {"S": value} for name, value in row.items()}
        | {"about": {"S": "x" * 400}}
        for row in ROWS
    ]
    await service.put("cups", items)
    with duckdb.connect() as connection:
        held = pa.Table.from_pylist([{name: row.get(name) for name in COLUMNS} for row in ROWS])
        connection.register("cups", held)
        yield connection
    await service.tables.drop("cups")


async def read_of(service: Service, sql: str) -> Read:
    [read] = (await service.queries().explain_sql(ANN, sql=sql)).reads
    return read


def key_conditions(read: Read) -> list[str]:
    """The key conditions of a read's requests, with the names that they mean."""
    said: list[str] = []
    for request in read.requests:
        expression: str = request.arguments["KeyConditionExpression"]
        for placeholder, name in request.arguments["ExpressionAttributeNames"].items():
            expression = expression.replace(placeholder, name)
        for place, placeholder in enumerate(request.arguments["ExpressionAttributeValues"]):
            expression = expression.replace(placeholder, f":{place}")
        said.append(expression)
    return said


BOTH = "cup = 'Winter' AND year = 2025"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (BOTH, ["cup = :0 AND year = :1"]),
        (f"{BOTH} AND stage = 'FINAL'", ["cup = :0 AND year = :1 AND stage = :2"]),
        (f"{BOTH} AND stage LIKE 'F%'", ["cup = :0 AND year = :1 AND begins_with(stage, :2)"]),
        (f"{BOTH} AND stage = 'FINAL' AND match > 2", ["cup = :0 AND year = :1 AND stage = :2 AND match > :3"]),
        (
            f"{BOTH} AND stage = 'FINAL' AND match = 2 AND side BETWEEN 'A' AND 'B'",
            ["cup = :0 AND year = :1 AND stage = :2 AND match = :3 AND side BETWEEN :4 AND :5"],
        ),
        # what comes after a range, or after a gap, is no part of the key condition
        (f"{BOTH} AND stage > 'F' AND match = 2", ["cup = :0 AND year = :1 AND stage > :2"]),
        (f"{BOTH} AND match = 2 AND side = 'A'", ["cup = :0 AND year = :1"]),
        (
            f"{BOTH} AND (stage = 'FINAL' OR stage = 'SEMI')",
            ["cup = :0 AND year = :1 AND stage = :2", "cup = :0 AND year = :1 AND stage = :2"],
        ),
        ("cup = 'Winter' AND year IN (2024, 2026)", ["cup = :0 AND year = :1", "cup = :0 AND year = :1"]),
    ],
)
async def test_sort_keys_are_given_from_the_left_and_the_last_may_be_a_range(
    service: Service, judge: duckdb.DuckDBPyConnection, condition: str, expected: list[str]
) -> None:
    sql = f"SELECT pk, goals FROM cups WHERE {condition}{PRESENT}"
    read = await read_of(service, sql)
    assert (read.access, read.index) == ("Query", "by_round")
    assert key_conditions(read) == expected
    found = [tuple(row) for row in await service.rows(sql, max_rows=1000)]
    assert Counter(found) == Counter(judge.sql(sql).fetchall())
    assert found


@pytest.mark.parametrize("condition", ["cup = 'Winter'", "year = 2025", "cup = 'Winter' AND year > 2024"])
async def test_without_an_equality_on_each_part_of_the_partition_key_it_is_a_scan(
    service: Service, judge: duckdb.DuckDBPyConnection, condition: str
) -> None:
    sql = f"SELECT pk FROM cups WHERE {condition}{PRESENT} AND side = 'A'"
    assert (await read_of(service, sql)).access == "Scan"
    assert sorted(await service.rows(sql, max_rows=1000)) == sorted(map(list, judge.sql(sql).fetchall()))


@pytest.mark.complaint(3)
async def test_each_attribute_of_the_key_may_be_missing(service: Service, judge: duckdb.DuckDBPyConnection) -> None:
    sql = f"SELECT pk FROM cups WHERE {BOTH}"
    read = await read_of(service, sql)
    assert read.access == "Scan"
    assert 'it lacks the items without "stage"' in read.rejected[0].reason
    assert sorted(await service.rows(sql, max_rows=1000)) == sorted(map(list, judge.sql(sql).fetchall()))


async def test_items_come_in_the_order_of_the_first_sort_key_that_has_no_value(
    service: Service, judge: duckdb.DuckDBPyConnection
) -> None:
    for order, more in (("stage", ""), ("match", " AND stage = 'SEMI'"), ("side", " AND stage = 'SEMI' AND match = 3")):
        for direction in ("ASC", "DESC"):
            sql = f"SELECT {order} FROM cups WHERE {BOTH}{more}{PRESENT} ORDER BY {order} {direction} LIMIT 2"
            result = await service.run(sql)
            assert result.rows == [list(row) for row in judge.sql(sql).fetchall()]
            assert result.statistics.items_read == 2, sql
    sql = f"SELECT match FROM cups WHERE {BOTH}{PRESENT} ORDER BY match DESC LIMIT 2"
    result = await service.run(sql)
    assert result.rows == [[10], [10]]
    assert result.statistics.items_read > 2


async def test_pages_go_on_after_all_attributes_of_the_key(service: Service, judge: duckdb.DuckDBPyConnection) -> None:
    for order in ("", " ORDER BY stage", " ORDER BY stage DESC"):
        sql = f"SELECT pk, stage, goals FROM cups WHERE {BOTH}{PRESENT}{order}"
        found: list[list[Any]] = []
        cursor = None
        while True:
            page = await service.run(sql, max_rows=3, cursor=cursor)
            assert page.statistics.items_read <= 8
            found += page.rows
            cursor = page.next_cursor
            if cursor is None:
                break
        expected = judge.sql(sql).fetchall()
        assert Counter(map(tuple, found)) == Counter(expected)
        if order:
            assert [row[1] for row in found] == [row[1] for row in expected]


async def test_numbers_are_counted_and_ends_are_found(service: Service, judge: duckdb.DuckDBPyConnection) -> None:
    for what in ("count(*)", "max(match)", "min(match)"):
        sql = f"SELECT {what} FROM cups WHERE {BOTH} AND stage = 'SEMI' AND match > 1{PRESENT}"
        assert (await read_of(service, sql)).index == "by_round"
        result = await service.run(sql)
        assert result.rows == [list(row) for row in judge.sql(sql).fetchall()]
        assert result.statistics.items_read <= (judge.sql(sql).fetchall()[0][0] if what == "count(*)" else 1)


@only_real  # the double does not tell how large the partitions of indexes are
async def test_an_index_of_keys_alone_names_the_items(service: Service, judge: duckdb.DuckDBPyConnection) -> None:
    where = "goals = 2 AND side = 'AB' AND year = 2024 AND match >= 2"
    sql = f"SELECT pk, cup FROM cups WHERE {where}"
    read = await read_of(service, sql)
    assert (read.index, read.lookup is not None) == ("by_goals", True)
    assert sorted(await service.rows(sql)) == sorted(map(list, judge.sql(sql).fetchall()))


async def test_random_conditions_find_what_duckdb_finds(service: Service, judge: duckdb.DuckDBPyConnection) -> None:
    dice = random.Random("conditions")
    read_by_key = 0
    for _ in range(40):
        parts = [
            dice.choice(["cup = 'Winter'", "cup IN ('Winter', 'Summer')", "cup IN ('Summer', 'none')"]),
            dice.choice(["year = 2025", "year IN (2024, 2026)", "year = 2025.0", "year = '2024'", "year >= 2025"]),
            *dice.sample(
                [
                    *["stage = 'SEMI'", "stage LIKE 'F%'", "stage IN ('FINAL', 'GROUP')", "stage > 'G'"],
                    *["match = 3", "match BETWEEN 2 AND 9", "match IN (1, 10, 11)", "match < 3", "match <> 1"],
                    *["side = 'A'", "side LIKE 'A%'", "left(side, 1) = 'A'", "side > 'A'", "side IS NULL"],
                    *["goals > 2", "(stage, match) IN (('SEMI', 1), ('FINAL', 3))"],
                ],
                dice.randint(0, 4),
            ),
            *(["stage IS NOT NULL", "match IS NOT NULL", "side IS NOT NULL"] if dice.random() < 0.8 else []),
        ]
        sql = f"SELECT {dice.choice(['pk, goals', 'pk', 'count(*)'])} FROM cups WHERE {' AND '.join(parts)}"
        read_by_key += (await read_of(service, sql)).index is not None
        found = [tuple(row) for row in await service.rows(sql, max_rows=1000)]
        assert Counter(found) == Counter(judge.sql(sql).fetchall()), sql
    assert read_by_key > 15
