"""Columns declared TIMESTAMPTZ: ISO 8601 texts and numbers since 1970 are instants, whatever DynamoDB narrows by."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.values import NotTheDeclaredType
from mcp_server.surface.tools import structure
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS = ["0001-01-02", "1582-10-10", "1969-12-31", "1970-01-01", "2023-12-31", "2024-01-01", "2024-02-29", "2024-03-01"]
STARTS = [datetime.fromisoformat(day).replace(tzinfo=UTC) for day in [*_DAYS, "2024-12-30", "2025-01-01", "9998-12-31"]]
STEPS = [timedelta(), timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(seconds=1), timedelta(hours=11)]
MOMENTS = sorted({start + sign * step for start in STARTS for step in STEPS for sign in (1, -1)})
ZONES = [0, 120, -480, 840, -1439, 1439]
"""Minutes from UTC of the times that are written."""


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def written(moment: datetime, number: int) -> str:
    """One of the ways to write the moment."""
    local = moment.astimezone(timezone(timedelta(minutes=ZONES[number % len(ZONES)])))
    text = local.isoformat(sep=" " if number % 3 == 0 else "T", timespec="microseconds")
    if text.endswith("+00:00"):
        return text.replace("+00:00", ["Z", "", "+0000", "987Z"][number % 4])
    return text


def event(number: int, moment: datetime) -> dict[str, Any]:
    """An item with the moment in each form; of a finer one than microseconds, the rest is cut off."""
    count = Decimal(micros(moment))
    finer = Decimal("0.9") if number % 5 == 0 else 0
    return {
        "pk": {"S": "a"},
        "ms": {"N": f"{(count + finer) / 1000:f}"},
        "n": {"N": str(number)},
        "s": {"N": f"{(count + finer) / 1_000_000:f}"},
        "us": {"N": str(count)},
        "iso": {"S": written(moment, number)},
    }


@pytest.fixture(scope="module")
async def events(service: Service) -> Service:
    items = [event(number, moment) for number, moment in enumerate(MOMENTS)]
    await service.create("ins_events", [*items, {"pk": {"S": "a"}, "n": {"N": "-1"}, "ms": {"N": "7"}}], range_key="ms")
    return service


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'; CREATE TABLE t(n INTEGER, c BIGINT)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, micros(moment)) for n, moment in enumerate(MOMENTS)])
        yield connection


CONSTANTS = (
    "TIMESTAMP '2024-01-01 00:00:00'",
    "TIMESTAMPTZ '2024-02-29 02:00:00+02:00'",
    "TIMESTAMPTZ '2024-01-01 00:00:00.000001'",
    "DATE '2024-03-01'",
    "'2023-12-31'",
    "'2024-01-01T00:00:00Z'",
    "'1969-12-31 23:59:59.999999'",
    "DATE '2024-01-01' + INTERVAL 1 MONTH",
    "TIMESTAMPTZ '2024-03-31 00:00:00Z' - INTERVAL 1 MONTH",
    "TIMESTAMP '0001-01-02 00:00:00'",
    "TIMESTAMP '9998-12-31 00:00:00'",
    "DATE '1582-10-10'",
)


def condition(dice: random.Random) -> str:
    term = dice.choice(["@", "@", "CAST(@ AS TIMESTAMP)", "CAST(@ AS TIMESTAMPTZ)"])
    operator, one, other = (
        dice.choice(["=", "<>", "<", "<=", ">", ">="]),
        dice.choice(CONSTANTS),
        dice.choice(CONSTANTS),
    )
    period = f"date_trunc('{dice.choice(['day', 'week', 'month', 'quarter', 'year'])}', {term})"
    year = dice.choice([1, 1582, 1969, 1970, 2023, 2024, 2025, 9998])
    day = dice.choice(["DATE '2024-03-01'", "DATE '2024-01-01'", "'1969-12-31'", "DATE '2024-12-30'", "'0001-01-01'"])
    return dice.choice(
        [
            f"{term} {operator} {one}",
            f"{one} {operator} {term}",
            f"NOT {term} {operator} {one}",
            f"{term} BETWEEN {one} AND {other}",
            f"{term} NOT BETWEEN {one} AND {other}",
            f"{term} IN ({one}, {other})",
            f"{term} NOT IN ({one}, {other})",
            f"{term} IS NOT DISTINCT FROM {one}",
            f"{term} IS NOT NULL AND {term} {operator} {other}",
            f"year({term}) {operator} {year}",
            f"extract(year FROM @) IN ({year}, {year + 1})",
            f"{period} {operator} {one}",
            f"{period} IN ({day}, {one})",
            f"CAST({term} AS DATE) {operator} {day}",
            f"CAST({period} AS DATE) {operator} {day}",
        ]
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
async def test_what_is_read_leaves_no_row_out(events: Service, oracle: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Our choice: the rows are those of DuckDB over the same instants, with what DynamoDB narrows and without it."""
    dice = random.Random(seed)
    for _ in range(40):
        column, sql = dice.choice(["ms", "s", "us", "iso"]), condition(dice)
        cast = sql.replace("@", "make_timestamptz(c)")
        expected = [list(row) for row in oracle.execute(f"SELECT n FROM t WHERE {cast} ORDER BY n").fetchall()]
        own = sql.replace("@", column)
        narrowed = f"SELECT n FROM ins_events WHERE pk = 'a' AND n >= 0 AND {own} ORDER BY n"
        whole = f"SELECT n FROM (SELECT n, {own} AS kept FROM ins_events) WHERE n >= 0 AND kept ORDER BY n"
        assert await events.rows(narrowed) == expected, own
        assert await events.rows(whole, allow_full_scan=True) == expected, own


@pytest.mark.parametrize(
    ("condition", "said", "values"),
    [
        ("pk = 'a' AND ms >= TIMESTAMPTZ '2024-01-01 00:00:00Z'", "#n0 = :v0 AND #n1 >= :v1", ["1704067200000"]),
        ("pk = 'a' AND ms > DATE '2024-01-01'", "#n0 = :v0 AND #n1 >= :v1", ["1704067200000.001"]),
        (
            "pk = 'a' AND date_trunc('month', ms) = DATE '2024-02-01'",
            "#n0 = :v0 AND #n1 BETWEEN :v1 AND :v2",
            ["1706745600000", "1709251200000"],
        ),
        ("s < TIMESTAMP '2024-01-01 00:00:00.5'", "#n0 < :v0", ["1704067200.5"]),
        ("year(us) = 2024", "#n0 >= :v0 #n0 < :v2", ["1704067200000000", "1735689600000000"]),
        ("iso = DATE '2024-03-01'", "#n0 >= :v0 #n0 < :v2", ["2024-02-29", "2024-03-03"]),
        ("pk = 'a' AND iso < '2024-03-01T12:00:00+02:00'", "#n1 < :v1", ["2024-03-03"]),
        ("iso < '0001-01-03'", "#n0 < :v0", ["0001-01-05"]),
        ("iso < '0001-01-01'", "attribute_exists(#n0)", []),
        ("iso > '9999-12-31'", "attribute_exists(#n0)", []),
    ],
)
async def test_conditions_become_ranges(events: Service, condition: str, said: str, values: list[str]) -> None:
    explained = await events.queries().explain_sql(ANN, sql=f"SELECT n FROM ins_events WHERE {condition}")

    arguments = explained.reads[0].requests[0].arguments
    expression = arguments.get("FilterExpression") or arguments["KeyConditionExpression"]
    comparisons = re.findall(r"#n\d (?:[<>]=?) :v\d|attribute_exists\(#n0\)$", expression)
    assert expression == said or " ".join(comparisons) == said
    held = [content for value in arguments.get("ExpressionAttributeValues", {}).values() for content in value.values()]
    assert [content for content in held if content not in ("a", "S", "N")] == values


@pytest.mark.parametrize(("column", "first"), [("ms", True), ("iso", False)])
async def test_only_numbers_come_in_their_order(events: Service, column: str, first: bool) -> None:
    """Our choice: texts do not stand in the order of the instants that they name, so all of them are read."""
    await events.tables.create(f"ins_by_{column}", (("pk", "S"), (column, "S" if column == "iso" else "N")))
    await events.put(f"ins_by_{column}", [event(number, moment) for number, moment in enumerate(MOMENTS)])

    result = await events.run(f"SELECT n FROM ins_by_{column} WHERE pk = 'a' ORDER BY {column} DESC LIMIT 1")
    ranged = await events.rows(f"SELECT n FROM ins_by_{column} WHERE pk = 'a' AND year({column}) = 2024 ORDER BY n")

    assert result.rows == [[len(MOMENTS) - 1]]
    assert (result.statistics.items_read == 1) is first
    assert ranged == [[number] for number, moment in enumerate(MOMENTS) if moment.year == 2024]


async def test_values_are_instants_of_utc(events: Service) -> None:
    number = MOMENTS.index(datetime(2024, 2, 29, tzinfo=UTC))
    for end in ("", " AND n + 0 = n"):  # without DuckDB, and by it
        result = await events.run(f"SELECT iso, s, us FROM ins_events WHERE n = {number}{end}")
        assert result.rows == [["2024-02-29T00:00:00+00:00"] * 3]
        assert [column.type for column in result.columns] == ["TIMESTAMP WITH TIME ZONE"] * 3


@pytest.mark.parametrize(
    ("column", "held"),
    [
        ("iso", "ISO 8601 text"),
        ("s", "seconds since 1970"),
        ("ms", "milliseconds since 1970"),
        ("us", "microseconds since 1970"),
    ],
)
async def test_a_description_tells_what_is_declared(events: Service, column: str, held: str) -> None:
    """Our choice: whoever reads only the type cannot know that a time of any unit is compared with a time."""
    table = (await events.browsing().describe_table(ANN, table_name="ins_events")).table
    described = table.column(column)
    assert described is not None

    told = structure.column(described, with_values=True)
    whole = f"time, stored as {held}; compare it with a time: a range of times is pushed down"
    assert told["format"] == structure.column(described, with_values=False)["format"] == whole
    if column != "iso":
        assert [datetime.fromisoformat(end) for end in told["range"]] == [MOMENTS[0], MOMENTS[-1]]
        counted = await events.rows(
            f"SELECT count(*) FROM ins_events WHERE {column} BETWEEN '{told['range'][0]}' AND '{told['range'][1]}'",
            allow_full_scan=True,
        )
        assert counted == [[len(MOMENTS) + (column == "ms")]]


LATE: list[dict[str, Any]] = [
    {"iso": {"S": "yesterday"}},
    {"iso": {"S": "2026-02-30T00:00:00Z"}},
    {"iso": {"S": "9999-12-31T23:30:00-01:00"}},
    {"iso": {"N": "1"}},
    {"s": {"S": "2026-03-01T10:00:00Z"}},
    {"s": {"N": "253402300800"}},
    {"ms": {"N": "1e100"}},
    {"us": {"BOOL": True}},
]


@pytest.mark.parametrize("number", range(len(LATE)))
async def test_a_value_that_is_no_instant_is_said_to_be_none(service: Service, number: int) -> None:
    """Our choice, as of every declared type: an item that breaks the declaration is not passed over."""
    table = f"ins_late{number}"
    await service.create(table, [event(place, moment) for place, moment in enumerate(MOMENTS)], range_key="n")
    (column,) = LATE[number]
    assert await service.rows(f"SELECT count({column}) FROM {table} WHERE pk = 'a'") == [[len(MOMENTS)]]
    await service.put(table, [event(1002, MOMENTS[0]) | LATE[number]])

    narrow = [f"{column} > DATE '9999-01-01'"] if LATE[number] != {"iso": {"S": "2026-02-30T00:00:00Z"}} else []
    for condition in ("true", f"{column} <> DATE '2024-01-01'", *narrow):
        with pytest.raises(Failure) as raised:
            await service.run(f"SELECT max({column}) FROM {table} WHERE {condition}")
        assert isinstance(raised.value.fact, NotTheDeclaredType)
        assert raised.value.fact.declared == "TIMESTAMP WITH TIME ZONE"
