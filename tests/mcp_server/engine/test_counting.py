"""DynamoDB counts rows itself where it decides the conditions exactly; the number is that of DuckDB over all rows.

We chose which conditions these are: what was not sampled may have any type.
"""

import random
from typing import Any

import pytest

from mcp_server.domain.failures import Failure
from mcp_server.domain.principal import Principal
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles

pytestmark = pytest.mark.anyio

COUNTED = "Select=COUNT"
TEXTS = ("", "open", "done", "shipped", "a'b", "10", "1e1", "true", "null", "[]", "{}", '"x"', "b3Blbg==", "ä", "NaN")
OTHERS: tuple[dict[str, Any], ...] = (
    {"N": "10"},
    {"N": "0"},
    {"B": b"open"},
    {"B": b"\xa2\x99\xde"},  # "open" and "done" are base64 of three bytes
    {"B": b"v\x89\xde"},
    {"B": b""},
    {"BOOL": True},
    {"L": []},
    {"M": {}},
    {"M": {"a": {"S": "open"}}},
    {"SS": ["open"]},
    {"NULL": True},
)


class Made:
    """Random items of a table with the key (pk, n), and random conditions on them."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice

    def items(self, first: int, count: int, *, odd: bool) -> list[dict[str, Any]]:
        dice = self._dice

        def value() -> dict[str, Any]:
            return dice.choice(OTHERS) if odd and dice.random() < 0.6 else {"S": dice.choice(TEXTS)}

        numbers: list[dict[str, Any]] = [{"N": "1"}, {"N": "2.5"}, {"N": "1000"}, {"NULL": True}]
        if odd:
            numbers += [{"S": "1"}, {"S": "x"}]
        return [
            {"pk": {"S": dice.choice(("p", "q", "10"))}, "n": {"N": str(number)}}
            | {name: value() for name in ("status", "kind") if dice.random() < 0.8}
            | ({"amount": dice.choice(numbers)} if dice.random() < 0.8 else {})
            for number in range(first, first + count)
        ]

    def condition(self, depth: int = 1) -> str:
        dice = self._dice
        roll = dice.random()
        if depth and roll < 0.35:
            return f"({self.condition(depth - 1)} {dice.choice(['AND', 'OR'])} {self.condition(depth - 1)})"
        if depth and roll < 0.45:
            return f"NOT ({self.condition(depth - 1)})"
        name, one, other = dice.choice(("status", "kind")), self._text(), self._text()
        number = dice.randint(-1, 30)
        return dice.choice(
            [
                *[f"{name} {operator} {one}" for operator in ("=", "<>", "IS DISTINCT FROM", "IS NOT DISTINCT FROM")],
                *[f"{name} {negation}IN ({one}, {other})" for negation in ("", "NOT ")],
                *[f"{dice.choice((name, 'amount', 'n'))} IS {negation}NULL" for negation in ("", "NOT ")],
                *[f"{name} LIKE '%e%'", f"{name} NOT LIKE 'o%'", f"{name} > {one}", f"amount > {number}"],
                *[f"n {operator} {number}" for operator in ("=", "<>", "<", ">=")],
                *[f"n BETWEEN {number} AND {number + 9}", f"n IN ({number}, {number + 1})", f"n < {number}.5"],
                *[f"pk = {dice.choice(['p', 10])!r}", "pk IN ('p', 'q')", "pk LIKE 'p%'", "pk <> 'q'", "pk > 'p'"],
            ]
        )

    def _text(self) -> str:
        return "'" + self._dice.choice(TEXTS).replace("'", "''") + "'"


async def explained(service: Service, sql: str, principal: Principal = ANN) -> str:
    return (await service.queries().explain_sql(principal, sql=sql)).plan


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))])
async def test_the_number_is_that_of_all_rows(service: Service, seed: int) -> None:
    dice = random.Random(seed)
    made, name, counted, late = Made(dice), f"cnt_{seed}", 0, dice.choice((True, False))
    await service.create(name, made.items(0, 12, odd=not late and dice.random() < 0.3), range_key="n")
    await service.rows(f"SELECT n FROM {name} WHERE pk = 'p'")  # the sample, which knows nothing of what comes late
    await service.put(name, made.items(12, 18, odd=late))
    conditions = [made.condition() for _ in range(12)] + [f"pk = 'p' AND {made.condition()}" for _ in range(10)]
    conditions += [f"pk IN ('p', 'q') AND n > 3 AND {made.condition(0)}" for _ in range(3)]
    found = []
    for condition in conditions:
        sql = f"SELECT {dice.choice(['count(*)', 'count(1)', 'count(*) AS x'])} FROM {name} WHERE {condition}"
        counts = COUNTED in await explained(service, sql)
        counted += counts
        try:
            found.append((condition, await service.rows(sql), counts))
        except Failure:
            assert not counts
    for condition, rows, counts in found:
        try:
            [[expected]] = await service.rows(f"SELECT count(CASE WHEN {condition} THEN 1 END) FROM {name}")
        except Failure:  # a condition that late items make meaningless: every text has become comparable
            assert not counts, condition
            continue
        assert rows == [[expected]], condition
    assert counted > 3


async def test_names_types_and_count_of_a_column(service: Service) -> None:
    items: list[dict[str, Any]] = [{"pk": {"S": "a"}, "n": {"N": str(n)}} for n in range(5)]
    items += [{"pk": {"S": "b"}, "n": {"N": str(n)}, "x": {"S": "open"} if n else {"NULL": True}} for n in range(3)]
    await service.create("cnt_names", items, range_key="n")

    for sql, name, number in [
        ("SELECT count(*) FROM cnt_names", "count_star()", 8),
        ("SELECT count(*) AS n FROM cnt_names WHERE x IS NULL", "n", 6),
        ("SELECT count(x) FROM cnt_names", "count(x)", 2),
        ("SELECT count(pk) FROM cnt_names t WHERE t.x = 'open'", "count(pk)", 2),
        ("SELECT count(*) FROM cnt_names WHERE pk = 'a' AND n >= 2", "count_star()", 3),
        ("SELECT count(*) FROM cnt_names WHERE pk IN ('a', 'b') AND n < 2 AND x IS NOT NULL", "count_star()", 1),
    ]:
        assert COUNTED in await explained(service, sql), sql
        result = await service.run(sql)
        assert [(column.name, column.type) for column in result.columns] == [(name, "BIGINT")]
        assert (result.rows, result.stop_reason) == ([[number]], "complete")


@only_doubles
async def test_what_is_declared_is_not_taken_for_counted(service: Service) -> None:
    """eng_declared.a is declared BIGINT, which no item has to respect."""
    await service.create("eng_declared", [{"pk": {"S": "a"}, "a": {"N": "1"}}, {"pk": {"S": "b"}}])

    assert await service.rows("SELECT count(a) FROM eng_declared") == [[1]]
    assert COUNTED in await explained(service, "SELECT count(a) FROM eng_declared")
    assert COUNTED not in await explained(service, "SELECT count(*) FROM eng_declared WHERE a = 1")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(DISTINCT x) FROM cnt_kept",
        "SELECT count(*) FILTER (WHERE x = 'open') FROM cnt_kept",
        "SELECT count(*), count(*) FROM cnt_kept",
        "SELECT count(*) FROM cnt_kept GROUP BY pk",
        "SELECT count(*) + 1 FROM cnt_kept",
        "SELECT count(*) FROM cnt_kept WHERE amount > 3",
        "SELECT count(*) FROM cnt_kept WHERE amount = 3",
        "SELECT count(*) FROM cnt_kept WHERE x > 'a'",
        "SELECT count(*) FROM cnt_kept WHERE x = '10'",
        "SELECT count(*) FROM cnt_kept WHERE day = DATE '2026-01-01'",
        "SELECT count(*) FROM cnt_kept WHERE lower(x) = 'open'",
        "SELECT count(*) FROM cnt_kept WHERE x NOT LIKE 'o%'",
        "SELECT count(*) FROM cnt_kept WHERE x = 'open' AND random() < 2",
        "SELECT count(*) FROM cnt_kept WHERE n IN (SELECT 1)",
        "SELECT count(*) FROM cnt_kept WHERE pk = 'a' AND n = 1",
        "SELECT count(*) FROM cnt_kept a, cnt_kept b",
        "SELECT count(_doc) FROM cnt_kept",
    ],
)
async def test_all_else_is_counted_as_before(service: Service, sql: str) -> None:
    if await service.ports.catalog.describe(service.schemas.by_name["shop"], "cnt_kept", "skip") is None:
        item = {"pk": {"S": "a"}, "n": {"N": "1"}, "x": {"S": "open"}, "amount": {"N": "3"}, "day": {"S": "2026-01-01"}}
        await service.create("cnt_kept", [item], range_key="n")

    assert COUNTED not in await explained(service, sql)


async def test_parameters_are_counted_by_their_own_values(service: Service) -> None:
    """A plan with slots may only be shared between values of which DynamoDB decides alike."""
    others: list[dict[str, Any]] = [
        {"pk": {"S": "a"}, "n": {"N": "1"}, "x": {"N": "10"}},
        {"pk": {"S": "a"}, "n": {"N": "2"}, "x": {"B": b"v\x89\xde"}},  # whose text is "done"
    ]
    first: list[dict[str, Any]] = [{"pk": {"S": "a"}, "n": {"N": "0"}, "x": {"S": "shipped"}}]
    await service.create("cnt_slots", first, range_key="n")
    queries = service.queries()
    await queries.run_sql(ANN, sql="SELECT n FROM cnt_slots")
    await service.put("cnt_slots", others)
    sql = "SELECT count(*) FROM cnt_slots WHERE x = $1"

    for value, expected in [*[("shipped", 1)] * 4, ("dined", 0), ("done", 1), ("done", 1), ("10", 1)]:
        result = await queries.run_sql(ANN, sql=sql, parameters=[value])
        assert result.rows == [[expected]], value


async def test_what_is_kept_from_somebody_is_not_counted_by_dynamodb(service: Service) -> None:
    items: list[dict[str, Any]] = [
        {"pk": {"S": owner}, "owner": {"S": owner}, "email": {"S": "open"}, "level": {"N": "1"}}
        for owner in ("usr_ann", "usr_eve", "everybody")
    ]
    await service.create("rul_counted", items)
    sql = "SELECT count(*) FROM rul_counted"

    assert COUNTED not in await explained(service, sql)
    assert await service.rows(sql) == [[2]]
    assert await service.rows(f"{sql} WHERE email = 'open'") == [[0]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "expected", "read"),
    [
        ("SELECT EXISTS(SELECT 1 FROM ext_big)", True, 1),
        ("SELECT EXISTS(SELECT * FROM ext_big WHERE pk = 'a' AND n > 7)", True, 1),
        ("SELECT EXISTS(SELECT 1 FROM ext_big WHERE pk = 'nosuch')", False, 0),
        ("SELECT count(*) FROM (SELECT 1) t WHERE NOT EXISTS (SELECT 1 FROM ext_big WHERE pk = 'a')", 0, 1),
        ("SELECT EXISTS(SELECT 1 FROM ext_big WHERE x > 'a')", True, 2500),
        ("SELECT EXISTS(SELECT count(*) FROM ext_big WHERE pk = 'nosuch')", True, 0),
        ("SELECT EXISTS(SELECT 1 FROM ext_big WHERE pk = 'a' AND x = 'late')", True, 2500),
        ("SELECT EXISTS(SELECT 1 FROM ext_big WHERE pk = 'a' AND x = 'never')", False, 2500),
        ("SELECT EXISTS(SELECT 1 FROM ext_big b WHERE b.n = t.n) FROM (SELECT 2499 AS n) t", True, 2500),
    ],
)
async def test_exists_reads_until_a_row_is_found(service: Service, sql: str, expected: object, read: int) -> None:
    if await service.ports.catalog.describe(service.schemas.by_name["shop"], "ext_big", "skip") is None:
        items = [
            {"pk": {"S": "a"}, "n": {"N": str(n)}, "x": {"S": "late" if n == 2400 else "open"}} for n in range(2500)
        ]
        await service.create("ext_big", items, range_key="n")

    result = await service.run(sql)

    assert result.rows == [[expected]]
    assert result.statistics.items_read <= read
