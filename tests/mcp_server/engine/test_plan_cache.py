"""A plan from the cache is the plan that planning would make: for other values, other tables, and other callers."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from mcp_server.adapters.metrics import MeteredTally
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from mcp_server.engine.bounded import Bounded
from mcp_server.engine.plan_cache import Plan, same_plan
from mcp_server.engine.planner import Planner
from mcp_server.engine.slot_values import sql_of
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.canonical_text import canonical_text
from mcp_server.sql.gate import parse as gate
from tests.mcp_server.doubles.catalog import ServicePays, unpaid
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.engine.conftest import ANN, EVE, Service, only_doubles
from tests.support.metrics import lookups

pytestmark = pytest.mark.anyio

ITEMS: list[dict[str, Any]] = [
    {
        "pk": {"S": "p"},
        "n": {"N": str(number)},
        "text": {"S": ("a", "it's", "b")[number]},
        "whole": {"N": str(number * 7)},
        "exact": {"N": f"{number}.25"},
        "wide": {"N": "1E-30"},
        "day": {"S": f"2024-01-0{number + 1}"},
        "mixed": ({"S": "2705"}, {"N": "2705"}, {"S": "x"})[number],
        "flag": {"BOOL": number == 1},
        "shape": {"M": {"size": {"N": str(number)}}},
    }
    for number in range(3)
]
COLUMNS = ("pk", "n", "text", "whole", "exact", "wide", "day", "mixed", "flag")
HARD_TEXTS = (
    "a",
    "it's",
    "''",
    "'",
    "",
    "\\",
    "\\'",
    "\n",
    "é😀",
    "2024-01-02",
    "2705",
    "7",
    "10",
    "9",
    "0",
    "07",
    "-7",
    "slot",
    "x" * 300,
    "?",
    "%",
    "-- a",
)
DAYS = ("2024-01-01", "2024-01-02", "2024-01-03", "2024-02-30", "0001-01-01", "9999-12-31")
NUMBERS = (0, 1, 7, 14, -1, -7, 2**31, 10**14, 10**15, 10**30, 1.5, 0.25, 1.25, -0.25, 0.125, 1e-9, 2.0, 0.0)
VALUES: tuple[Any, ...] = (*HARD_TEXTS, *DAYS, *NUMBERS, True, False, None)
LIKE = {type(one): [value for value in VALUES if type(value) is type(one)] for one in VALUES}
CONDITIONS = (
    "{0} = ?",
    "? = {0}",
    "{0} >= ?",
    "? > {0}",
    "{0} <> ?",
    "{0} = ? AND {1} = ?",
    "{0} = ? AND {0} = ?",
    "{0} = ? AND {1} > ?",
    "{0} = ? AND {1} BETWEEN ? AND ?",
    "({0} = ? OR {1} = ?)",
    "{0} IN (?, ?)",
    "{0} IN (?, ?, ?) AND {1} >= ?",
    "{0} NOT IN (?, ?)",
    "{0} BETWEEN ? AND ?",
    "{0} NOT BETWEEN ? AND ?",
    "pk = ? AND {0} BETWEEN ? AND ?",
    "{0} >= ? AND {0} < ?",
    "{0} > ? AND {1} = ? AND ? > {0}",
    "{0} IN (?, ?) AND {0} > ?",
    "pk IN (?, ?) AND n IN (?, ?)",
    "{0} BETWEEN ? AND 'x'",
    "NOT {0} = ?",
    "{0} = ? AND {0} = {1}",
    "{0} LIKE ?",
    "{0} = -?",
    "{0} = concat(?, 'a')",
    "{0} = CAST(? AS VARCHAR)",
    "{0} = ? AND {1} IS NULL",
    "{0} = ? AND ? = ?",
)
STATEMENTS = (
    "SELECT * FROM things WHERE {}",
    "SELECT text, whole AS pk FROM things AS t WHERE {}",
    "SELECT count(*), max(n) FROM things WHERE {}",
    "SELECT max(n) FROM things WHERE {}",
    "SELECT pk, ? AS said FROM things WHERE {}",
    "SELECT pk, n FROM things WHERE {} ORDER BY n LIMIT ?",
    "SELECT pk FROM things WHERE {} GROUP BY pk HAVING count(*) > ?",
    "SELECT pk FROM (SELECT * FROM things WHERE {}) AS q",
    "SELECT pk FROM things WHERE {} UNION ALL SELECT text FROM things",
    "SELECT pk FROM things a JOIN things b USING (pk, n, text, whole, exact, day) WHERE {}",
    "SELECT pk FROM things WHERE {} AND n IN (SELECT n FROM things)",
    "WITH q AS (SELECT * FROM things) SELECT pk FROM q WHERE {}",
)


def planner_of(service: Service) -> Planner:
    return Planner(schemas=service.schemas, catalog=service.catalog, heavy=InProcessPlanning(), clock=service.clock)


async def planned(planner: Planner, service: Service, sql: str, values: Any, **more: Any) -> Plan | FailureCode:
    principal: Principal = more.pop("principal", ANN)
    schema = service.schemas.find(principal, more.pop("schema", None))
    try:
        parsed = await planner.parse(sql, values)
        consistent = more.pop("consistent", False)
        return await planner.plan(
            principal, schema, parsed, consistent=consistent, prober=lambda _: unpaid, payer=ServicePays(), **more
        )
    except Failure as failure:
        return failure.code


def assert_same(one: Plan | FailureCode, other: Plan | FailureCode, *about: object) -> None:
    if isinstance(one, Plan) and isinstance(other, Plan):
        assert same_plan(one, other), about
    else:
        assert one == other, about


@pytest.fixture(scope="module")
async def things(service: Service) -> AsyncIterator[Service]:
    await service.create("things", ITEMS, range_key="n")
    yield service
    await service.tables.drop("things")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(13))
@only_doubles
async def test_plans_from_the_cache_are_those_that_planning_makes(things: Service, seed: int) -> None:
    dice = random.Random(seed)
    warm = planner_of(things)
    for _ in range(25):
        condition = dice.choice(CONDITIONS).format(*dice.sample(COLUMNS, 2))
        condition += f" AND {dice.choice(CONDITIONS).format(*dice.sample(COLUMNS, 2))}" if dice.random() < 0.3 else ""
        sql = (STATEMENTS[0] if dice.random() < 0.5 else dice.choice(STATEMENTS)).format(condition)
        sql, number_of = _shared(sql, dice) if dice.random() < 0.4 else (sql, sql.count("?"))
        types = [dice.choice((str, int, str, int, float, bool)) for _ in range(number_of)]
        few = {type_: dice.choices(LIKE[type_], k=2) for type_ in LIKE}  # so that equal values meet
        for _ in range(8):
            values = [dice.choice(few[type_] if dice.random() < 0.8 else VALUES) for type_ in types]
            assert_same(
                await planned(warm, things, sql, values),
                await planned(planner_of(things), things, sql, values),
                sql,
                values,
            )


def _shared(sql: str, dice: random.Random) -> tuple[str, int]:
    """A statement with numbered parameters, some of which stand in several places; and how many there are."""
    first, *rest = sql.split("?")
    used = [dice.randrange(len(rest)) for _ in rest]
    numbers = {parameter: number for number, parameter in enumerate(dict.fromkeys(used), start=1)}
    return first + "".join(f"${numbers[one]}{piece}" for one, piece in zip(used, rest, strict=True)), len(numbers)


@pytest.mark.parametrize(
    ("sql", "sequence"),
    [
        ("pk = ? AND pk = ?", "ab ab ba aa"),
        ("text >= ? AND text = ?", "ab ab ba aa"),
        ("text = ? AND text <> ?", "ab ab ba aa"),
        ("pk = $1 AND text = $1", "a b a"),
        ("pk = ? AND text = pk AND text = ?", "ab ab ba aa"),
        ("day = ?", ["2024-01-02", "a", "2024-01-02", "b"]),
        ("day = ?", ["a", "b", "2024-01-02"]),
        ("n = ?", ["a", "b", "2"]),
        ("mixed = ?", ["a", "b", "2705"]),
        ("pk = 'p' AND n = $1 LIMIT $1", [5, 6, 0]),
    ],
)
@only_doubles
async def test_values_that_decide_something_fill_no_slots(things: Service, sql: str, sequence: str | list[Any]) -> None:
    warm = planner_of(things)
    steps = [list(each) for each in sequence.split()] if isinstance(sequence, str) else [[each] for each in sequence]
    for outputs in ("*", "$1 AS said", "$1") if "$1" in sql else ("*",):
        for values in steps:
            statement = f"SELECT {outputs} FROM things WHERE {sql}"
            alone = await planned(planner_of(things), things, statement, values)
            assert_same(await planned(warm, things, statement, values), alone, statement, values)


@pytest.fixture
def parsings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed."""
    found: list[str] = []
    parse = gate._statement

    def counted(text: str, parameters: Any) -> Any:
        found.append(text)
        return parse(text, parameters)

    monkeypatch.setattr(gate, "_statement", counted)
    return found


@pytest.mark.complaint(12)
@only_doubles
async def test_other_values_need_no_more_planning(things: Service, parsings: list[str]) -> None:
    planner = planner_of(things)
    sql = "SELECT text FROM things WHERE pk = ? AND n = ?"
    for number in range(2):
        await planned(planner, things, sql, ["p", number])
    parsings.clear()
    for number in range(20):
        plan = await planned(planner, things, sql, [f"it's {number}", number])
        assert isinstance(plan, Plan)
        assert plan.reads[0].requests[0].arguments["Keys"] == [{"pk": {"S": f"it's {number}"}, "n": {"N": str(number)}}]
        assert f"'it''s {number}'" in plan.query.statement
        assert f"'it''s {number}'" in plan.query.normalized_sql
    assert not parsings
    await planned(planner, things, sql, ["", 1])  # no key is empty: it is planned by itself
    assert parsings


@pytest.fixture
def plannings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were planned."""
    found: list[str] = []

    def counted(statement: gate.Statement, *rest: Any) -> Any:
        found.append(statement.text)
        return bind(statement, *rest)

    monkeypatch.setattr("mcp_server.engine.planned_anew.bind", counted)
    return found


@pytest.mark.parametrize(
    ("condition", "first", "others", "in_another_order"),
    [
        ("pk = ? AND n BETWEEN ? AND ?", ["p", 0, 1], [["q", 1, 7], ["r", 5, 10**14]], ["p", 1, 0]),
        ("pk = ? AND n >= ? AND n < ?", ["p", 0, 1], [["q", 1, 7], ["r", 5, 6]], ["p", 1, 0]),
        ("pk = ? AND n < ? AND n >= ?", ["p", 2, 0], [["q", 7, 1], ["r", 6, 5]], ["p", 0, 2]),
        ("pk = ? AND text BETWEEN ? AND ?", ["p", "a", "b"], [["q", "it's", "x"]], ["p", "b", "a"]),
        ("pk IN (?, ?, ?)", ["p", "q", "r"], [["c", "b", "a"], ["x", "it's", "é"]], ["p", "p", "q"]),
        ("pk IN (?, ?) AND n BETWEEN ? AND ?", ["p", "q", 0, 2], [["b", "a", 1, 2]], ["p", "q", 2, 1]),
        ("pk = ? AND n IN (?, ?)", ["p", 0, 2], [["q", 7, 1]], ["p", 1, 1]),
        (
            "pk = ? AND day BETWEEN ? AND ?",
            ["p", "2024-01-01", "2024-01-02"],
            [["q", "1999-12-31", "2025-01-01"]],
            None,
        ),
        ("pk = ? AND day = ?", ["p", "2024-01-01"], [["q", "2024-12-31"], ["q", "1000-01-01"]], ["q", "9999-12-31"]),
        ("pk = ? AND n > ?", ["p", -1], [["q", -7], ["p", -(10**14)]], ["p", 0]),
        ("pk = ? AND exact >= ? AND exact < ?", ["p", 0.25, 1.25], [["q", 2.75, 1000.01]], ["p", 1.25, 0.25]),
        ("pk = ? AND exact >= ?", ["p", -0.25], [["q", -7.75]], ["q", 7.5]),
        ("pk = ? AND n = ?", ["p", "7"], [["q", "0"], ["it's", "999999999999999"]], ["q", "07"]),
        ("pk = ? AND n BETWEEN ? AND ?", ["p", "2", "13"], [["q", "5", "10"]], ["q", "13", "2"]),
        ("pk = ? AND n BETWEEN ? AND ?", ["p", "1", "5"], [["q", "2", "3"]], ["q", "10", "9"]),
        ("pk = ? AND text BETWEEN ? AND ?", ["p", "1", "5"], [["q", "2", "3"]], ["q", "5", "10"]),
        ("pk = ? AND whole IN (?, ?)", ["p", "7", "14"], [["q", "0", "21"]], ["p", "7", "7"]),
    ],
)
@only_doubles
async def test_ranges_lists_days_and_signed_numbers_need_no_more_planning(
    things: Service,
    plannings: list[str],
    condition: str,
    first: list[Any],
    others: list[list[Any]],
    in_another_order: list[Any] | None,
) -> None:
    planner, sql = planner_of(things), f"SELECT n, text FROM things WHERE {condition}"
    for values in (first, first, *others):
        plannings.clear()
        plan = await planned(planner, things, sql, values)
        assert isinstance(plan, Plan)
        assert not plannings or values is first
        assert_same(plan, await planned(planner_of(things), things, sql, values), values)
    if in_another_order is not None:
        for values in (in_another_order, *others):
            alone = await planned(planner_of(things), things, sql, values)
            assert_same(await planned(planner, things, sql, values), alone, values)


@pytest.mark.parametrize(
    ("sql", "sequence"),
    [
        ("SELECT n FROM things WHERE pk = $1 AND text = $1", [["p"], ["a"], ["it's"], ["b"]]),
        ("SELECT n FROM things WHERE day = $1 AND text = $1", [[f"2024-01-0{number}"] for number in range(1, 5)]),
        ("select n from things where pk = $1 and n > $2 and whole<$2", [["p", 0], ["q", 7], ["r", 1], ["p", 10**14]]),
        (
            "SELECT n FROM things WHERE pk = ?1 AND n BETWEEN ?2 AND ?3 AND whole BETWEEN ?2 AND ?3",
            [["p", 0, 1], ["q", 1, 7], ["r", 5, 6], ["p", 7, 14]],
        ),
        (
            "SELECT n FROM things WHERE pk = :a AND n >= :low UNION ALL SELECT whole FROM things WHERE text = :a",
            [{"a": one, "low": number} for number, one in enumerate(("p", "a", "it's", "b"))],
        ),
        (
            "SELECT b.n FROM things a JOIN things b ON b.n = a.n WHERE a.pk = $key AND b.text = $key",
            [{"key": one} for one in ("p", "a", "it's", "b")],
        ),
        (
            "SELECT n FROM things WHERE whole IN (SELECT whole FROM things WHERE n > $1) AND exact >= $1 AND n < $1",
            [[1.25], [2.75], [0.25], [1000.01]],
        ),
    ],
)
@only_doubles
async def test_a_parameter_that_is_used_twice_needs_no_more_planning(
    things: Service, plannings: list[str], sql: str, sequence: list[Any]
) -> None:
    planner = planner_of(things)
    for turn, values in enumerate(sequence):
        plannings.clear()
        plan = await planned(planner, things, sql, values)
        assert bool(plannings) == (turn < 2)
        alone = await planned(planner_of(things), things, sql, values)
        assert isinstance(plan, Plan)
        assert isinstance(alone, Plan)
        assert_same(plan, alone, values)
        estimated = await planned(planner, things, sql, values, estimated=True)
        assert isinstance(estimated, Plan)
        assert estimated.reads == alone.reads


@pytest.mark.parametrize(
    ("condition", "sequence"),
    [
        ("pk = $1 AND pk = $1", ["p", "q", "p", "r"]),
        ("pk = $1 AND text LIKE $1", ["p", "q", "p%", "r"]),
        ("pk = $1 AND (text = $1 OR n = 1)", ["p", "q", "a", "r"]),
        ("text >= $1 AND text <= $1 AND pk = $1", ["p", "q", "a", "r"]),
        ("text = $1 AND mixed = $1", ["p", "q", "a", "r"]),
        ("n = 1 GROUP BY n, text HAVING text = $1 AND n > 0 AND max(pk) = $1", ["p", "q", "a", "r"]),
    ],
)
@only_doubles
async def test_a_parameter_that_decides_something_in_one_of_its_places_is_no_slot(
    things: Service, plannings: list[str], condition: str, sequence: list[str]
) -> None:
    """Nor is a plan made that no other value could use, but for one that tells so."""
    planner, sql, counts = planner_of(things), f"SELECT n FROM things WHERE {condition}", []
    for value in [*sequence, *sequence]:
        plannings.clear()
        plan = await planned(planner, things, sql, [value])
        counts.append(len(plannings))
        assert_same(plan, await planned(planner_of(things), things, sql, [value]), value)
    assert counts[3] == 1
    assert sum(counts) <= 6


@only_doubles
async def test_values_of_two_statements_that_use_parameters_differently_are_not_confused(things: Service) -> None:
    planner = planner_of(things)
    statements = [
        f"SELECT n FROM things WHERE {condition}"
        for condition in (
            "pk = $1 AND text = $2 AND mixed = $2",
            "pk = $1 AND text = $1 AND mixed = $2",
            "pk = $2 AND text = $1 AND mixed = $1",
            "pk = $2 AND text = $1 AND mixed = $2",
        )
    ]
    for values in (["a", "b"], ["b", "a"], ["a", "a"], ["p", "it's"], ["a", "b"], ["a"], ["a", "b", "p"]):
        for sql in statements:
            assert_same(
                await planned(planner, things, sql, values), await planned(planner_of(things), things, sql, values), sql
            )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT b.n FROM things a JOIN things b ON b.pk = a.pk AND b.n = a.n WHERE a.pk = ? AND a.n > ?",
        "SELECT b.n FROM things a LEFT JOIN things b ON b.text = a.pk WHERE a.pk = ? AND a.n >= ? LIMIT 5",
        "SELECT count(*) FROM things a, things b, things c WHERE a.n = b.n AND b.n = c.n AND a.pk = ? AND b.whole < ?",
    ],
)
@only_doubles
async def test_joins_need_no_more_planning_and_are_read_as_their_values_want(
    things: Service, plannings: list[str], sql: str
) -> None:
    planner = planner_of(things)
    for turn, values in enumerate((["p", 0], ["q", 1], ["it's", 2], ["p", 10**14], ["2024-01-01", 5], ["p", -1])):
        plannings.clear()
        plan = await planned(planner, things, sql, values)
        assert isinstance(plan, Plan)
        assert turn not in (2, 3) or not plannings
        alone = await planned(planner_of(things), things, sql, values)
        assert_same(plan, alone, values)
        assert isinstance(alone, Plan)
        assert plan.reads == alone.reads


@only_doubles
async def test_a_list_has_no_slots_where_its_least_and_greatest_are_told_a_key(service: Service) -> None:
    """So it is with a list that is too long for requests of its own."""
    items = [{"pk": {"S": f"p{number % 4}"}, "n": {"N": str(number)}} for number in range(4_000)]
    await service.create("listed", items, range_key="n")
    members = [*range(400, 530), *range(800, 930)]
    planner = planner_of(service)
    sql = f"SELECT n FROM listed WHERE pk IN ('p0', 'p1', 'p2', ?) AND n IN ({','.join('?' * len(members))})"
    for values in (members, members, members[::-1], [7, *members[1:]]):
        plan = await planned(planner, service, sql, ["p3", *values])
        assert isinstance(plan, Plan)
        assert plan.reads[0].access == "Query"
        assert_same(plan, await planned(planner_of(service), service, sql, ["p3", *values]))
    await service.tables.drop("listed")


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("text = $2 OR whole = $3", [["a", 7], ["b", 14], ["c", 21], ["d", 28]]),
        ("text LIKE $2", [["a%"], ["b%"], ["c%"], ["d%"]]),
        ("shape.size = $2", [[1], [2], [3], [4]]),
        ("day >= CAST($2 AS DATE)", [["2024-01-01"], ["2024-01-02"], ["2024-01-03"], ["2024-01-04"]]),
    ],
)
@only_doubles
async def test_beside_values_that_fill_no_slots_a_statement_is_planned_once_a_call(
    things: Service, plannings: list[str], condition: str, values: list[list[Any]]
) -> None:
    planner, sql = planner_of(things), f"SELECT n FROM things WHERE pk = $1 AND ({condition})"
    counts = []
    for turn, more in enumerate(values):
        plannings.clear()
        plan = await planned(planner, things, sql, [f"p{turn}", *more])
        counts.append(len(plannings))
        assert_same(plan, await planned(planner_of(things), things, sql, [f"p{turn}", *more]), more)
    assert counts[-2:] == [1, 1]  # before, it is found out which of the parameters are slots


@only_doubles
async def test_values_that_fill_no_slots_have_a_plan_for_all_others_once_they_return(
    things: Service, plannings: list[str]
) -> None:
    planner, sql = planner_of(things), "SELECT n FROM things WHERE pk = $1 AND n > 0 LIMIT $2"
    counts = []
    for turn in range(6):
        plannings.clear()
        await planned(planner, things, sql, [f"p{turn}", 5])
        counts.append(len(plannings))
    assert counts == [1, 1, 2, 0, 0, 0]


@only_doubles
async def test_a_range_is_planned_once_for_all_its_values_and_estimated_for_each(
    service: Service, parsings: list[str]
) -> None:
    """The share of a partition that lies in a range follows from the sample, so it is another one for each value.

    It decides whether a person is asked before the statement runs.
    """
    items = [{"pk": {"S": "p" if number % 2 else "q"}, "n": {"N": str(number)}} for number in range(400)]
    await service.create("ranged", items, range_key="n")
    planner, sql = planner_of(service), "SELECT n FROM ranged WHERE pk = ? AND n >= ?"
    for number in (5, 6):
        await planned(planner, service, sql, ["p", number])
    parsings.clear()
    for number in (7, 390, 10_000):
        plan = await planned(planner, service, sql, ["p", number])
        assert isinstance(plan, Plan)
        (request,) = plan.reads[0].requests
        assert str(number) in str(request.arguments["ExpressionAttributeValues"])
    for number, expected in ((0, 20), (300, 5), (10_000, 1)):
        plan = await planned(planner, service, sql, ["p", number])
        assert isinstance(plan, Plan)
        assert plan.reads[0].estimate.items == pytest.approx(expected, abs=1)
    assert not parsings
    await service.tables.drop("ranged")


@only_doubles
async def test_warnings_are_those_of_the_values(service: Service) -> None:
    """Of a long text nothing is told, and of many those that no item has, however many others precede them."""
    codes = [f"S{number:02}" for number in range(25)]
    items = [{"pk": {"S": f"p{number}"}, "code": {"S": codes[number % 25]}} for number in range(100)]
    await service.create("coded", items)
    listed = f"SELECT pk FROM coded WHERE code IN ({', '.join('?' * 25)})"
    calls: list[tuple[str, list[str]]] = [("SELECT pk FROM coded WHERE code = ?", [code]) for code in ("x", "y", "S01")]
    calls += [(calls[0][0], ["x" * 70]), (calls[0][0], ["z"]), *[(listed, codes)] * 3, (listed, [*codes[:24], "x"])]
    warm = service.queries()
    for sql, values in calls:
        expected = (await service.queries().run_sql(ANN, sql=sql, parameters=values)).warnings
        assert (await warm.run_sql(ANN, sql=sql, parameters=values)).warnings == expected, values
    assert "'x'" in expected[0]
    await service.tables.drop("coded")


@only_doubles
async def test_what_a_value_decides_is_planned_for_each_value(things: Service) -> None:
    service = things.queries()
    first = "SELECT n FROM things WHERE pk = ? ORDER BY n LIMIT ?"
    for rows in (1, 2, 1, 2):
        got = await service.run_sql(ANN, sql=first, parameters=["p", rows])
        assert got.rows == [[0], [1]][:rows]
    for value in (1, True, 1.0, 1, True, 1.0):
        got = await service.run_sql(ANN, sql="SELECT ? AS v", parameters=[value])
        assert (got.columns[0].type, got.rows[0]) == {
            int: ("INTEGER", [1]),
            bool: ("BOOLEAN", [True]),
            float: ("DECIMAL(2,1)", ["1.0"]),
        }[type(value)]


@only_doubles
async def test_a_plan_ends_with_the_tables_it_was_made_from(things: Service, parsings: list[str]) -> None:
    planner = planner_of(things)
    sql = "SELECT * FROM things WHERE pk = ?"
    for value in ("p", "q", "r"):
        await planned(planner, things, sql, [value])
    parsings.clear()
    await things.put("things", [{"pk": {"S": "z"}, "n": {"N": "1"}, "new": {"S": "x"}}])
    await things.catalog.describe(things.schemas.by_name["shop"], "things", "force")
    plan = await planned(planner, things, sql, ["s"])
    assert parsings
    assert isinstance(plan, Plan)
    assert "new" in {column.name for column in plan.reads[0].relation.columns}
    assert_same(plan, await planned(planner_of(things), things, sql, ["s"]))


@only_doubles
async def test_no_plan_is_found_by_who_may_not_see_its_tables(things: Service) -> None:
    planner = planner_of(things)
    sql, short = "SELECT * FROM shop.things WHERE pk = 'p'", "SELECT * FROM things"
    for _ in range(2):
        assert isinstance(await planned(planner, things, sql, None), Plan)
        assert await planned(planner, things, sql, None, principal=EVE) is FailureCode.UNKNOWN_SCHEMA
        assert await planned(planner, things, short, None, principal=EVE) is FailureCode.UNKNOWN_TABLE
        assert await planned(planner, things, short, None, schema="narrow") is FailureCode.UNKNOWN_TABLE


@only_doubles
async def test_who_sees_a_table_differently_has_other_plans_of_it(things: Service, parsings: list[str]) -> None:
    people = [{"pk": {"S": owner}, "owner": {"S": owner}, "level": {"N": "1"}} for owner in ("usr_ann", "usr_bob")]
    await things.create("rul_people", people)
    planner = planner_of(things)
    bob = replace(ANN, subject="usr_bob")
    sql = "SELECT * FROM rul_people WHERE owner = ?"
    for turn, owner in enumerate(("usr_ann", "usr_bob", "usr_ann", "usr_bob", "usr_ann")):
        parsings.clear()
        for principal in (ANN, bob):
            plan = await planned(planner, things, sql, [owner], principal=principal)
            assert_same(plan, await planned(planner_of(things), things, sql, [owner], principal=principal))
        assert turn < 4 or len(parsings) == 2  # those of the new planners
        assert (await things.run(sql, parameters=[owner])).rows == (
            [["usr_ann", 1, "usr_ann"]] if owner == "usr_ann" else []
        )


@only_doubles
async def test_a_rule_for_rows_leaves_no_slot_for_its_column(things: Service) -> None:
    await things.create("rul_parts", [{"pk": {"S": name}, "v": {"N": "1"}} for name in ("acme", "globex")])
    service = things.queries()
    for value in ("globex", "rest", "globex", "acme"):
        got = await service.run_sql(ANN, sql="SELECT v FROM rul_parts WHERE pk = ?", parameters=[value])
        assert got.rows == ([[1]] if value == "acme" else [])


@only_doubles
async def test_schemas_and_consistency_have_plans_of_their_own(things: Service) -> None:
    planner = planner_of(things)
    sql = "SELECT * FROM things WHERE pk = ? AND n = ?"
    for consistent in (False, True, False, True):
        plan = await planned(planner, things, sql, ["p", 1], consistent=consistent)
        assert isinstance(plan, Plan)
        assert plan.reads[0].consistent is consistent
        assert plan.reads[0].requests[0].arguments.get("ConsistentRead", False) is consistent


SPELLINGS = (
    "SELECT text AS Said, 1+1 FROM things WHERE pk = 'p' AND n >= 1 -- all",
    "select text as Said,\n  1+1\nfrom things\nwhere pk = 'p' -- it's\n  and n >= 1",
    "\t-- of p\nSelect  text As Said , 1+1 From things Where pk = 'p' And n >= 1",
)


@only_doubles
async def test_spellings_of_a_statement_share_a_plan(things: Service, parsings: list[str]) -> None:
    planner, alone = planner_of(things), planner_of(things)
    first = await planned(planner, things, SPELLINGS[0], None)
    assert parsings == [SPELLINGS[0]]
    for sql in SPELLINGS * 2:
        assert await planned(planner, things, sql, None) is first
    assert parsings == [SPELLINGS[0]]
    for sql in SPELLINGS:
        assert_same(await planned(alone, things, sql, None), first, sql)
        alone = planner_of(things)
    other = await planned(planner, things, SPELLINGS[0].replace("Said", "said"), None)
    assert isinstance(other, Plan)
    assert isinstance(first, Plan)
    assert '"said"' in other.query.statement
    assert '"Said"' in first.query.statement


@only_doubles
async def test_spellings_share_a_plan_for_all_values(things: Service, parsings: list[str]) -> None:
    planner = planner_of(things)
    for number in range(3):
        await planned(planner, things, "SELECT text FROM things WHERE pk = ? AND n = ?", ["p", number])
    parsings.clear()
    plan = await planned(planner, things, "select text\nfrom things where pk = ? and n = ?", ["q", 7])
    assert isinstance(plan, Plan)
    assert plan.reads[0].requests[0].arguments["Keys"] == [{"pk": {"S": "q"}, "n": {"N": "7"}}]
    assert not parsings


async def test_the_text_that_a_plan_is_kept_under_is_refused_where_it_is_sent(things: Service) -> None:
    planner, sql = planner_of(things), "SELECT * FROM things WHERE pk = 'a'"
    assert isinstance(await planned(planner, things, sql, None), Plan)
    assert await planned(planner, things, f"{canonical_text(sql)}", None) is FailureCode.SYNTAX_ERROR


@only_doubles
async def test_words_that_are_names_keep_their_case(things: Service) -> None:
    planner = planner_of(things)
    for name in ("From", "FROM", "from", "From"):
        plan = await planned(planner, things, f"SELECT n AS {name} FROM things", None)
        assert isinstance(plan, Plan)
        assert f'"{name}"' in plan.query.statement


@only_doubles
async def test_errors_have_their_places_in_the_spelling_that_was_sent(things: Service) -> None:
    service = things.queries()
    for sql, place in (
        ("SELECT CAST(text AS BIGINT) FROM things", (1, 13)),
        ("select\n\n   CAST(text as BIGINT) from things", (3, 9)),
        ("SELECT -- all\n CAST(text AS BIGINT)\nFROM things", (2, 7)),
        ("SELECT CAST(text AS BIGINT) FROM things", (1, 13)),
    ):
        with pytest.raises(Failure) as caught:
            await service.run_sql(ANN, sql=sql)
        assert caught.value.position is not None
        assert (caught.value.position.line, caught.value.position.column) == place


@only_doubles
async def test_who_allows_scans_has_other_plans(things: Service) -> None:
    """They are made by other prices, whether or not they come out alike."""
    planner = planner_of(things)
    sql = "SELECT * FROM things WHERE text = 'a'"
    plans = [await planned(planner, things, sql, None, allow_full_scan=allowed) for allowed in (False, True) * 2]
    assert plans[0] is plans[2]
    assert plans[1] is plans[3]
    assert plans[0] is not plans[1]


@only_doubles
async def test_errors_have_their_places_with_plans_from_the_cache(things: Service) -> None:
    service = things.queries()
    sql = "SELECT\n  CAST(text AS BIGINT) FROM things WHERE pk = ?"
    for value in ("p", "p", "p"):
        with pytest.raises(Failure) as caught:
            await service.run_sql(ANN, sql=sql, parameters=[value])
        assert caught.value.position is not None
        assert (caught.value.position.line, caught.value.position.column) == (2, 8)


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_texts_in_slots_are_written_as_the_gate_writes_them(text: str) -> None:
    statement = gate.parse("SELECT ?", [text])
    assert statement.expression.sql("duckdb") == f"SELECT {sql_of(text)}"


def test_a_cache_keeps_what_was_asked_for_last_within_its_bounds() -> None:
    kept: Bounded[int, str] = Bounded(entries=3, weight=80)
    for number in range(3):
        kept.put(number, str(number), 10)
    assert kept.get(0) == "0"
    kept.put(3, "3", 10)
    assert [kept.get(number) for number in range(4)] == ["0", None, "2", "3"]
    kept.put(4, "too heavy", 11)
    assert kept.get(4) is None
    assert (len(kept), kept.weight) == (3, 30)
    heavy: Bounded[int, str] = Bounded(entries=100, weight=80)
    for number in range(20):
        heavy.put(number, "", 10)
    assert (len(heavy), heavy.weight) == (8, 80)


@only_doubles
@pytest.mark.parametrize(("comparisons", "in_threads"), [(30, []), (60, ["_plan"]), (150, ["parse", "_plan"])])
async def test_only_what_takes_longer_than_a_turn_of_a_thread_goes_to_one(
    things: Service, monkeypatch: pytest.MonkeyPatch, comparisons: int, in_threads: list[str]
) -> None:
    sent: list[str] = []

    async def in_thread(work: Any, *arguments: Any) -> Any:
        sent.append(getattr(work, "func", work).__name__)
        return work(*arguments)

    monkeypatch.setattr("mcp_server.engine.parsed.in_thread", in_thread)
    monkeypatch.setattr("mcp_server.engine.planned_anew.in_thread", in_thread)
    where = " OR ".join(f"n = {number}" for number in range(comparisons))
    await planned(planner_of(things), things, f"SELECT pk FROM things WHERE {where}", None)
    assert sent == in_threads


@only_doubles
async def test_lookups_are_counted(things: Service) -> None:
    """A statement whose values come and go is looked for once per call, with slots or without."""
    tally = MeteredTally()
    planner = Planner(
        schemas=things.schemas, catalog=things.catalog, heavy=InProcessPlanning(), clock=things.clock, tally=tally
    )
    expected = [
        ("SELECT pk FROM things", None, (0, 1)),
        ("SELECT pk FROM things", None, (1, 1)),
        ("SELECT text FROM things WHERE pk = ?", ["p"], (1, 2)),
        ("SELECT text FROM things WHERE pk = ?", ["q"], (1, 3)),  # its slots are found, and a plan made with them
        ("SELECT text FROM things WHERE pk = ?", ["r"], (2, 3)),
        ("SELECT absent FROM things", None, (2, 4)),
    ]
    for sql, values, counted in expected:
        await planned(planner, things, sql, values)
        assert lookups(tally, "plans") == counted, sql
