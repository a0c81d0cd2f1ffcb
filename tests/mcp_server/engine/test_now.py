"""What asks for the time is the one instant of its call, and conditions with it are narrowed by like any other."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.functions import UnboundedSize
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOWS = [
    datetime(2024, 3, 31, 12, 30, 15, 250_500, UTC),
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2025, 1, 1, 0, 0, 0, 1, UTC),
    datetime(2024, 12, 31, 23, 59, 59, 999_999, UTC),
]
_STEPS = [
    timedelta(),
    timedelta(microseconds=1),
    timedelta(milliseconds=1),
    timedelta(seconds=1),
    timedelta(hours=12, minutes=30, seconds=15),
    timedelta(hours=36),
    timedelta(days=7),
    timedelta(days=31),
    timedelta(days=366),
]
MOMENTS = sorted({now + sign * step for now in NOWS for step in _STEPS for sign in (1, -1)})


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def item(number: int, moment: datetime) -> dict[str, Any]:
    """An item with the moment in several forms; ms and iso are declared as times in ins_events, not in now_events."""
    return {
        "pk": {"S": "a"},
        "n": {"N": str(number)},
        "ms": {"N": str(micros(moment) // 1000)},
        "iso": {"S": f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"},
        "day": {"S": f"{moment:%Y-%m-%d}"},
    }


@pytest.fixture(scope="module")
async def events(service: Service) -> Service:
    items = [item(number, moment) for number, moment in enumerate(MOMENTS)]
    await service.create("ins_events", items, range_key="n")
    await service.tables.create("now_events", (("pk", "S"), ("iso", "S")))
    await service.put("now_events", items)
    return service


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "SET TimeZone='UTC'; CREATE TABLE t(n INTEGER, c TIMESTAMPTZ, ms BIGINT, iso VARCHAR, day DATE)"
        )
        rows = [
            (number, *(one[name][kind] for name, kind in (("ms", "N"), ("iso", "S"), ("day", "S"))))
            for number, moment in enumerate(MOMENTS)
            for one in [item(number, moment)]
        ]
        connection.executemany(
            "INSERT INTO t VALUES (?, make_timestamptz(CAST(? AS BIGINT) * 1000), ?, ?, ?)",
            [(number, ms, ms, iso, day) for number, ms, iso, day in rows],
        )
        yield connection


def time(dice: random.Random) -> str:
    """A term for a moment."""
    now = dice.choice(["now()", "current_timestamp", "get_current_timestamp()", "transaction_timestamp()", "today()"])
    now = dice.choice([now, "current_date", "localtimestamp", "current_localtimestamp()"])
    amount, unit = dice.choice(
        [(7, "DAY"), (1, "MONTH"), (1, "YEAR"), (36, "HOUR"), (90, "MINUTES"), (1, "SECOND"), (1, "WEEK")]
    )
    shift = dice.choice([f"INTERVAL {amount} {unit}", f"INTERVAL '{amount} {unit}'", f"INTERVAL ({amount}) {unit}"])
    shifted = dice.choice([now, f"{now} - {shift}", f"({now} + {shift})", f"{now} - {shift} - INTERVAL 1 DAY"])
    cut = f"date_trunc('{dice.choice(['second', 'minute', 'hour', 'day', 'week', 'month', 'year'])}', {shifted})"
    return dice.choice([shifted, shifted, cut, f"{cut} - {shift}", f"CAST({shifted} AS DATE)", "current_date - 7"])


def condition(dice: random.Random, *, declared: bool) -> str:
    """A condition on one of the columns."""
    operator, one, other = dice.choice(["=", "<>", "<", "<=", ">", ">="]), time(dice), time(dice)
    form = dice.choice(["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m", "%d", "%Y %% %g"])
    if declared:
        column = dice.choice(["ms", "day"])
        return dice.choice(
            [
                f"{column} {operator} {one}",
                f"{one} {operator} {column}",
                f"{column} BETWEEN {one} AND {other}",
                f"NOT {column} {operator} {one}",
                f"date_trunc('month', {column}) {operator} {one}",
                f"CAST({column} AS DATE) {operator} {one}",
                f"{column} IN ({one}, {other})",
            ]
        )
    return dice.choice(
        [
            f"iso {operator} strftime({one}, '{form}')",
            f"iso {operator} CAST({one} AS VARCHAR)",
            f"left(iso, 10) {operator} CAST({one} AS VARCHAR)",
            f"left(iso, 10) {operator} strftime({one}, '%Y-%m-%d')",
            f"iso BETWEEN CAST({one} AS VARCHAR) AND CAST({other} AS VARCHAR)",
            f"iso LIKE strftime({one}, '%Y-%m') || '%'",
            f"ms {operator} epoch_ms({one})",
            f"ms {operator} epoch_ms({one}) - 86400000",
            f"epoch_ms(ms) {operator} {one}",
            f"date_trunc('day', epoch_ms(ms)) {operator} {one}",
        ]
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
@pytest.mark.parametrize("declared", [True, False])
async def test_what_is_read_leaves_no_row_out(
    events: Service, oracle: duckdb.DuckDBPyConnection, seed: int, declared: bool
) -> None:
    """Our choice: the rows are DuckDB's of that instant, with what DynamoDB narrows and without it."""
    dice = random.Random(seed)
    table = "ins_events" if declared else "now_events"
    for _ in range(100 if seed else 25):
        now, sql = dice.choice(NOWS), condition(dice, declared=declared)
        events.clock.wall = micros(now) / 1_000_000
        expected = oracle.execute(f"SELECT n FROM t WHERE {at(sql, now, declared=declared)} ORDER BY n").fetchall()
        narrowed = f"SELECT n FROM {table} WHERE pk = 'a' AND {sql} ORDER BY n"
        whole = f"SELECT n FROM (SELECT n, {sql} AS kept FROM {table}) WHERE kept ORDER BY n"
        assert await events.rows(narrowed) == [list(row) for row in expected], (now, sql)
        assert await events.rows(whole, allow_full_scan=True) == [list(row) for row in expected], (now, sql)


_WORDS = {
    r"\b(current_localtimestamp\(\)|localtimestamp)": "TIMESTAMP '%Y-%m-%d %H:%M:%S.%f'",
    r"\b(now\(\)|current_timestamp|get_current_timestamp\(\)|transaction_timestamp\(\))": (
        "TIMESTAMPTZ '%Y-%m-%d %H:%M:%S.%f+00'"
    ),
    r"\b(current_date|today\(\))": "DATE '%Y-%m-%d'",
}


def at(sql: str, now: datetime, *, declared: bool) -> str:
    """The condition with literals for what asks for the time, of the types that DuckDB's own functions have."""
    for words, literal in _WORDS.items():
        sql = re.sub(words, now.strftime(literal), sql)
    return re.sub(r"\bms\b", "c", sql) if declared else sql


@pytest.mark.parametrize(
    ("call", "type_"),
    [
        ("now()", "TIMESTAMP WITH TIME ZONE"),
        ("current_timestamp", "TIMESTAMP WITH TIME ZONE"),
        ("GET_CURRENT_TIMESTAMP()", "TIMESTAMP WITH TIME ZONE"),
        ("transaction_timestamp()", "TIMESTAMP WITH TIME ZONE"),
        ("current_date", "DATE"),
        ("today()", "DATE"),
        ("localtimestamp", "TIMESTAMP"),
        ("current_localtimestamp()", "TIMESTAMP"),
        ("localtime", "TIME"),
        ("current_localtime()", "TIME"),
        ("current_time", "TIME WITH TIME ZONE"),
        ("get_current_time()", "TIME WITH TIME ZONE"),
    ],
)
async def test_each_has_its_type_its_name_and_the_instant(
    events: Service, oracle: duckdb.DuckDBPyConnection, call: str, type_: str
) -> None:
    events.clock.wall = micros(NOWS[0]) / 1_000_000
    assert oracle.execute(f"SELECT typeof({call})").fetchone() == (type_,)
    named = "now_events WHERE pk = 'a' AND iso = '2024-03-31T12:30:15.250500Z'"
    result = await events.run(
        f"SELECT typeof({call}) AS type, CAST({call} AS VARCHAR) AS told, {call} IS NOT NULL FROM {named}"
    )
    told = {"DATE": "2024-03-31", "TIMESTAMP": "2024-03-31 12:30:15.2505", "TIME": "12:30:15.2505"}
    zoned = {"TIMESTAMP WITH TIME ZONE": f"{told['TIMESTAMP']}+00", "TIME WITH TIME ZONE": f"{told['TIME']}+00"}
    assert result.rows == [[type_, (told | zoned)[type_], True]]


@pytest.mark.parametrize(
    ("sequence", "length"),
    [
        ("generate_series(current_date - 30, current_date, INTERVAL 1 DAY)", 31),
        ("range(date_trunc('month', now()), now(), INTERVAL 1 DAY)", 31),
        ("generate_series(TIMESTAMP '2024-03-31', localtimestamp, INTERVAL 1 HOUR)", 13),
    ],
)
async def test_a_sequence_may_begin_or_end_now(events: Service, sequence: str, length: int) -> None:
    events.clock.wall = micros(NOWS[0]) / 1_000_000
    assert await events.rows(f"SELECT count(*), max(day)::DATE::VARCHAR FROM {sequence} AS days(day)") == [
        [length, "2024-03-31"]
    ]


@pytest.mark.parametrize(
    "sequence",
    [
        "generate_series(current_date, current_date + INTERVAL 1 YEAR, INTERVAL 1 SECOND)",
        "generate_series(date_trunc('year', now()), now(), INTERVAL 1 SECOND)",
        "generate_series(now(), TIMESTAMPTZ '2030-01-01', INTERVAL 1 SECOND)",
        "generate_series(TIMESTAMPTZ '2020-01-01', now(), INTERVAL 1 SECOND)",
        "range(epoch_ms(0), now(), INTERVAL (n) DAY)",
    ],
)
async def test_a_sequence_that_may_be_long_at_some_time_is_refused(events: Service, sequence: str) -> None:
    with pytest.raises(Failure) as raised:
        await events.rows(f"SELECT (SELECT count(*) FROM {sequence}) FROM ins_events WHERE pk = 'a'")
    assert isinstance(raised.value.fact, UnboundedSize)


async def test_columns_keep_their_names(events: Service, oracle: duckdb.DuckDBPyConnection) -> None:
    projections = "now(), current_timestamp, current_date, max(now()), now() > '2024-01-01' AS later"
    result = await events.run(f"SELECT {projections} FROM ins_events WHERE pk = 'a'")
    own = oracle.execute(f"SELECT {projections} WHERE false").description or []
    assert [column.name for column in result.columns] == [str(one[0]) for one in own]


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("ms < now()", ["1711888215250.5"]),
        ("ms >= current_date - INTERVAL 7 DAY", ["1711238400000"]),
        ("ms >= now() - INTERVAL 36 HOUR", ["1711758615250.5"]),
    ],
)
async def test_a_declared_time_is_a_range(events: Service, condition: str, values: list[str]) -> None:
    events.clock.wall = micros(NOWS[0]) / 1_000_000
    sql = f"SELECT n FROM ins_events WHERE {condition}"
    explained = await events.queries().explain_sql(ANN, sql=sql)
    held = explained.reads[0].requests[0].arguments["ExpressionAttributeValues"]
    assert [one["N"] for one in held.values() if "N" in one] == values


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("iso >= CAST(current_date - 7 AS VARCHAR)", "2024-03-24"),
        ("iso >= strftime(now() - INTERVAL 7 DAY, '%Y-%m-%dT%H:%M:%SZ')", "2024-03-24T12:30:15Z"),
    ],
)
async def test_a_text_that_is_a_key_is_a_range(events: Service, condition: str, value: str) -> None:
    events.clock.wall = micros(NOWS[0]) / 1_000_000
    explained = await events.queries().explain_sql(ANN, sql=f"SELECT n FROM now_events WHERE pk = 'a' AND {condition}")
    request = explained.reads[0].requests[0].arguments
    assert request["KeyConditionExpression"] == "#n0 = :v0 AND #n1 >= :v1"
    assert request["ExpressionAttributeValues"][":v1"] == {"S": value}


async def test_no_instant_outlives_its_call(events: Service) -> None:
    """Our choice: a plan that is kept has no instant in it, neither as the statement was sent nor with parameters."""
    queries = events.queries()
    for sql in ("n >= 0 AND ms < now()", "n >= $1 AND ms < now()", "n >= $1 AND day < current_date"):
        for now in (*NOWS, *NOWS):
            events.clock.wall = micros(now) / 1_000_000
            result = await queries.run_sql(
                ANN,
                sql=f"SELECT count(*) FROM ins_events WHERE pk = 'a' AND {sql}",
                parameters=[0] if "$" in sql else None,
            )
            wanted = [micros(one) // 1000 * 1000 < micros(now) for one in MOMENTS]
            if "day" in sql:
                wanted = [one.date() < now.date() for one in MOMENTS]
            assert result.rows == [[wanted.count(True)]], (sql, now)


async def test_later_pages_are_of_the_instant_of_the_first(events: Service) -> None:
    """Our choice: the pages of a result are of one statement."""
    events.clock.wall = micros(NOWS[1]) / 1_000_000
    sql = "SELECT n, CAST(now() AS VARCHAR) FROM ins_events WHERE pk = 'a' AND ms > now()"
    pages = [await events.run(sql, max_rows=5)]
    while pages[-1].next_cursor is not None:
        events.clock.wall += 60
        pages.append(await events.run(sql, max_rows=5, cursor=pages[-1].next_cursor))
    assert len(pages) > 2
    wanted = [number for number, moment in enumerate(MOMENTS) if micros(moment) // 1000 * 1000 > micros(NOWS[1])]
    rows = [row for page in pages for row in page.rows]
    assert sorted(rows) == [[number, "2024-02-29 00:00:00+00"] for number in wanted]


@pytest.mark.parametrize("length", [0, 5_000])
async def test_a_statement_has_one_instant(events: Service, length: int) -> None:
    """Also one that is so long that it is planned beside the service, and whatever runs over parts of its table."""
    events.clock.wall = micros(NOWS[0]) / 1_000_000
    padding = f" AND pk <> '{'x' * length}'" if length else ""
    sql = "SELECT DISTINCT now() = CAST('2024-03-31 12:30:15.2505+00' AS TIMESTAMPTZ), now()::DATE = today() "
    rows = await events.rows(f"{sql} FROM ins_events WHERE pk = 'a'{padding}")
    assert rows == [[True, True]]
