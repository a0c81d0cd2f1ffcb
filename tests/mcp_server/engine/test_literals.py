"""A statement that was planned with other literals is planned, answered, estimated and warned of as by itself."""

import random
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.engine.literals import lifted
from mcp_server.engine.plan_cache import Plan
from mcp_server.engine.unseen import unseen_texts
from mcp_server.sql.canonical_text import canonical_text
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles
from tests.mcp_server.engine.test_plan_cache import assert_same, parsings, planned, planner_of, plannings
from tests.mcp_server.planning.typed_tables import RANDOM_TABLES
from tests.support.random_sql.statements import Statements

__all__ = ["parsings", "plannings"]

pytestmark = pytest.mark.anyio

STATES = ("OPEN", "PAID", "SENT")
TEXTS = [
    *("'k1'", "'k7'", "'it''s'", "'and'", "'OPEN'", "'open'", "'SENT'", "'5'", "'= 5'", "'é😀'", "'?'", "'%'"),
    *("'a -- b'", "'\"'", "'\n'", f"'{'x' * 70}'"),
]
DAYS = ["'2024-01-01'", "'2024-01-05'", "'2024-01-28'", "'1999-12-31'"]
WHOLE = ["0", "1", "7", "42", "394", "999999999999999"]
NEGATIVE = ["-1", "-2", "-5", "-999"]
EXACT = ["0.25", "1.25", "2.75", "1234567890.01"]
ODD = [
    *("''", "'9999-12-31'", "'k1' 'k2'", "DATE '2024-01-05'", "'5'::BIGINT", "5 + 1", "-(5)", "- 7", "+5", "NULL"),
    *("007", "1e2", "1.50", "2.0", ".5", "5.", "1000000000000000", "12345678901234567890", "1234567890123.5", "n"),
]
POOLS = (TEXTS, DAYS, WHOLE, NEGATIVE, EXACT)
OF_COLUMNS = {"pk": TEXTS, "n": WHOLE, "state": TEXTS, "day": DAYS, "price": EXACT, "mixed": TEXTS, "flag": WHOLE}
CONDITIONS = (
    "{0} = <0>",
    "<0> = {0}",
    "{0}>=<0>",
    "{0} <> <0>",
    "{0} = <0> AND {1} = <1>",
    "{0} = <0> and {0} = <0>",
    "{0} = <0> AND {1} >= <1> AND {1} < <1>",
    "({0} = <0> OR {1} = <1>)",
    "{0} IN (<0>, <0>)",
    "{0} in (<0>,<0>, <0>) AND {1} >= <1>",
    "{0} NOT IN (<0>, <0>)",
    "{0} BETWEEN <0> AND <0>",
    "{pk} = <pk> AND {n} BETWEEN <n> AND <n>",
    "{pk} = <pk> AND {n} >= <n> AND {n} < <n>",
    "{pk} IN (<pk>, <pk>) AND {n} IN (<n>, <n>, <n>)",
    "{state} = <state> AND {day} BETWEEN <day> AND <day>",
    "{pk} = <pk> AND {0} LIKE 'O%'",
    "{0} LIKE <0>",
    "NOT {0} = <0>",
    "{0} = <0> AND {0} = {1}",
    "{0} = <0> AND length({1}::VARCHAR) > 3",
    "{0} IS NOT DISTINCT FROM <0>",
    "{0} = <0> AND {shape}.size = <n>",
)
_PLACE = re.compile(r"<(\w+)>")
STATEMENTS = (
    "SELECT * FROM sales WHERE {}",
    "SELECT pk, n AS state FROM sales AS s WHERE {} ORDER BY n DESC LIMIT 5",
    "SELECT count(*) FROM sales WHERE {}",
    "SELECT state, max(n) FROM sales WHERE {} GROUP BY 1 HAVING count(*) > 1 ORDER BY 2, 1",
    "SELECT pk = 'k1', 'k1' AS said FROM sales WHERE {}",
    "SELECT CASE WHEN state = 'OPEN' THEN 1 END AS open FROM sales WHERE {}",
    "SELECT pk, state FROM sales WHERE {} GROUP BY ALL HAVING pk = 'k1'",
    "SELECT pk FROM (SELECT * FROM sales WHERE {}) AS q",
    "SELECT pk FROM sales WHERE {} AND n IN (SELECT n FROM sales WHERE state = 'OPEN')",
    "SELECT pk FROM sales WHERE {} UNION ALL SELECT state FROM sales WHERE state = 'OPEN'",
)


JOINS = (
    "SELECT a.pk, b.n FROM sales a JOIN sales b ON a.pk = b.pk AND a.n = b.n WHERE {}",
    "SELECT a.n, b.n AS other FROM sales a LEFT JOIN sales b ON a.state = b.state AND b.n = 7 WHERE {}",
    "SELECT b.n FROM sales a RIGHT JOIN sales b ON a.pk = b.state WHERE {} ORDER BY 1 LIMIT 3",
    "SELECT a.n FROM sales a FULL JOIN sales b ON a.day = b.day WHERE {}",
    "SELECT count(*) FROM sales a, sales b WHERE a.pk = b.pk AND {}",
    "SELECT pk, a.day FROM sales a JOIN sales b USING (pk, n) WHERE {}",
    "SELECT a.n FROM sales a JOIN sales b ON a.mixed = b.pk WHERE {}",
    "SELECT a.n FROM sales a CROSS JOIN range(3) AS r(pk) JOIN sales b ON b.n = r.pk WHERE {}",
    "SELECT a.day, max(b.n) FROM sales a JOIN sales b ON a.day = b.day JOIN sales c ON c.n = b.n WHERE {} GROUP BY 1",
    "SELECT a.n FROM sales a JOIN sales b ON a.pk = b.pk JOIN sales c ON c.state = b.state JOIN sales d USING (n)"
    " WHERE {}",
)


@pytest.fixture(scope="module")
async def sales(service: Service) -> AsyncIterator[Service]:
    """A table whose sample tells how its values are spread, so that estimates differ by value."""
    items: list[dict[str, Any]] = [
        {
            "pk": {"S": "k1" if number % 4 else f"k{number}"},
            "n": {"N": str(number - 5)},
            "state": {"S": STATES[number % 7 % 3]},
            "day": {"S": f"2024-01-{number % 28 + 1:02}"},
            "price": {"N": f"{number % 9}.25"},
            "mixed": {"S": "5"} if number % 2 else {"N": "5"},
            "flag": {"BOOL": number % 2 == 0},
            "shape": {"M": {"size": {"N": str(number % 5)}}},
        }
        for number in range(400)
    ]
    await service.tables.create(
        "sales", (("pk", "S"), ("n", "N")), [HeldIndex("by_state", (("state", "S"), ("day", "S")))]
    )
    await service.put("sales", items)
    yield service
    await service.tables.drop("sales")


@pytest.mark.parametrize(
    ("sql", "text", "values"),
    [
        ("SELECT a FROM t WHERE b = 'it''s'", "SELECT a FROM t WHERE b = ?", ["it's"]),
        ("select a from t where b='x' and c >= -5", "SELECT a FROM t WHERE b=? AND c >= ?", ["x", -5]),
        ("SELECT a FROM t WHERE b IN ('x', 'y') LIMIT 5", "SELECT a FROM t WHERE b IN (?,?) LIMIT 5", ["x", "y"]),
        ("SELECT a FROM t WHERE b BETWEEN 1 AND 2.25", "SELECT a FROM t WHERE b BETWEEN ? AND ?", [1, 2.25]),
        ("SELECT a FROM t WHERE b = 1 AND c LIKE 'x%'", "SELECT a FROM t WHERE b = ? AND c LIKE 'x%'", [1]),
        ("SELECT a, '=', \"= 5\" FROM t WHERE b = 5", "SELECT a,'=',\"= 5\" FROM t WHERE b = ?", [5]),
        ("SELECT a FROM t WHERE b IN (1, c) AND d < 2", "SELECT a FROM t WHERE b IN (1,c) AND d < ?", [2]),
        ("SELECT a WHERE b IN (SELECT c WHERE d = 5)", "SELECT a WHERE b IN (SELECT c WHERE d = ?)", [5]),
        ("(SELECT a WHERE b = 1) UNION SELECT a WHERE c<2", "(SELECT a WHERE b = ?) UNION SELECT a WHERE c<?", [1, 2]),
    ],
)
def test_literals_that_are_compared_are_taken_out(sql: str, text: str, values: list[Any]) -> None:
    canonical = canonical_text(sql)
    assert canonical is not None
    found = lifted(canonical)
    assert found is not None
    assert found.with_values([*["?"] * len(values)])[0].replace("'?'", "?") == text
    assert list(found.values or ()) == values
    assert found.with_values(found.values)[0] == canonical[1:]


@pytest.mark.parametrize(
    "condition",
    [
        *("b = 1e5", "b = 1.50", "b = 007", "b = .5", "b = 5.", "b = - 5", "b = ''", "b = NULL", "b = 5::INT"),
        *("b <> 5", "b != 'x'", "b == 5", "b->'x' IS NULL", "b LIKE 'x'", "b >= DATE '2024-01-01'", "b[1]", "f(b, 5)"),
        *("b = E'x'", "b = 1000000000000000", "b = '2024-02-30x'::DATE", "b = '9999-12-31'", "b = 5kg", "b = '' ''"),
    ],
)
def test_others_stay(condition: str) -> None:
    text = canonical_text(f"SELECT a FROM t WHERE {condition} LIMIT 5")
    assert text is not None
    assert lifted(text) is None


def test_a_statement_with_its_own_literals_in_the_gaps_is_itself() -> None:
    statements = Statements(random.Random("gaps"), RANDOM_TABLES, names=["j"])
    found = 0
    for _ in range(300):
        text = canonical_text(statements.next()) or ""
        varying = lifted(text)
        if varying is not None:
            assert varying.with_values(varying.values) == (text[1:], None)
            found += 1
    assert found > 30


async def assert_planned_as_alone(warm: Any, service: Service, sql: str, **more: Any) -> None:
    """The plan is the very one that a new planner makes, with its estimates and its warnings."""
    plan = await planned(warm, service, sql, None, **more)
    alone = await planned(planner_of(service), service, sql, None, **more)
    assert_same(plan, alone, sql)
    if isinstance(plan, Plan) and isinstance(alone, Plan):
        assert plan.reads == alone.reads, sql
        for has_rows in (False, True):
            found = [unseen_texts(one.query.sought, has_rows=has_rows) for one in (plan, alone)]
            assert found[0] == found[1], sql


async def assert_planned_for_all_literals(service: Service, plannings: list[str], statement: str) -> None:
    """Once it came twice, the statement is planned no more with other literals, and its plan is theirs."""
    planner = planner_of(service)
    for number in (1, 2):
        await planned(planner, service, statement.format(number), None)
    for number in range(3, 10):
        plannings.clear()
        await planned(planner, service, statement.format(number), None)
        assert not plannings
        await assert_planned_as_alone(planner, service, statement.format(number))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
@only_doubles
async def test_plans_of_siblings_are_those_that_planning_makes(sales: Service, seed: int) -> None:
    """Statements that differ by literals alone, of one kind and of others."""
    dice = random.Random(f"siblings {seed}")
    warm = planner_of(sales)
    for _ in range(20):
        statement = STATEMENTS[0] if dice.random() < 0.3 else dice.choice([*STATEMENTS, *JOINS])
        columns = dice.sample(list(OF_COLUMNS), 2)
        source = {
            name: f"{dice.choice('ab')}.{name}" if statement in JOINS else name for name in (*OF_COLUMNS, "shape")
        }
        condition = dice.choice(CONDITIONS).format(*(source[name] for name in columns), **source)
        pools = {
            name: OF_COLUMNS[columns[int(name)] if name.isdecimal() else name] for name in _PLACE.findall(condition)
        }
        pools |= {name: dice.choice(POOLS) for name in pools if dice.random() < 0.15}
        for _ in range(9):
            pieces = _PLACE.split(condition)
            for place, name in list(enumerate(pieces))[1::2]:
                pieces[place] = dice.choice(ODD if dice.random() < 0.1 else pools[name])
            sql = statement.format("".join(pieces))
            terms = {"consistent": dice.random() < 0.05, "estimated": dice.random() < 0.2}
            await assert_planned_as_alone(warm, sales, sql, **terms)


@pytest.mark.complaint(12)
@only_doubles
async def test_other_literals_need_no_more_planning(sales: Service, parsings: list[str]) -> None:
    planner = planner_of(sales)
    for number in range(2):
        await planned(planner, sales, f"SELECT state FROM sales WHERE pk = 'k{number}' AND n = {number}", None)
    parsings.clear()
    for number in range(20):
        sql = f"SELECT state FROM sales\nwhere pk = 'it''s {number}' and n = {number}"
        plan = await planned(planner, sales, sql, None)
        assert isinstance(plan, Plan)
        assert plan.reads[0].requests[0].arguments["Keys"] == [{"pk": {"S": f"it's {number}"}, "n": {"N": str(number)}}]
        assert f"'it''s {number}'" in plan.query.statement
        assert f"'it''s {number}'" in plan.query.normalized_sql
        assert await planned(planner, sales, sql, None) is plan
    assert not parsings


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM sales WHERE pk = 'k{0}' ORDER BY n DESC LIMIT 5",
        "SELECT n FROM sales WHERE pk = 'k{0}' AND n BETWEEN {0} AND 3{0}",
        "SELECT n FROM sales WHERE state = 'OPE{0}' AND day >= '2024-01-0{0}'",
        "SELECT n FROM sales WHERE pk IN ('k{0}', 'l{0}', 'm{0}')",
        "SELECT n FROM sales WHERE pk = 'k{0}' AND n > -{0}",
        "SELECT n FROM sales WHERE pk = 'k{0}' AND price < {0}.5",
        "SELECT n FROM sales WHERE pk = 'k{0}' AND state LIKE 'O%'",
        "SELECT state, count(*) FROM sales WHERE pk = 'k{0}' GROUP BY 1 ORDER BY 2",
        "SELECT count(*) FROM sales WHERE pk = 'k{0}' AND state = 'O{0}'",
        "SELECT b.n FROM sales a JOIN sales b ON b.pk = a.pk AND b.n = a.n WHERE a.pk = 'k{0}' AND a.n < 1{0}",
        "SELECT a.n FROM sales a LEFT JOIN sales b ON b.state = a.pk JOIN sales c ON c.n = b.n WHERE a.pk = 'k{0}'",
    ],
)
@only_doubles
async def test_ranges_lists_and_what_stands_beside_them_need_none(
    sales: Service, plannings: list[str], statement: str
) -> None:
    await assert_planned_for_all_literals(sales, plannings, statement)


@pytest.mark.parametrize(
    ("condition", "sequence"),
    [
        ("pk = {} AND pk = {}", ["'a' 'b'", "'c' 'd'", "'d' 'c'", "'a' 'a'"]),
        ("n >= {} AND n < {}", ["1 5", "2 7", "7 2", "3 3", "-1 5", "-5 -1"]),
        ("n BETWEEN {} AND {}", ["1 5", "2 7", "7 2", "3 3", "-1 5"]),
        ("pk IN ({}, {})", ["'a' 'b'", "'c' 'd'", "'d' 'c'", "'a' 'a'"]),
        ("day = {} AND pk > {}", ["'2024-01-02' 'a'", "'2024-01-03' 'b'", "'a' 'b'", "'2024-02-30' 'b'", "'' 'b'"]),
        ("day >= {}", ["'a'", "'b'", "'2024-01-02'"]),
        ("n = {}", ["'a'", "'b'", "'2'", "2", "2.5", "2.0", "007", "1e0"]),
        ("mixed = {}", ["'a'", "'b'", "'5'", "5", "5.0"]),
        ("price < {}", ["1.25", "2.75", "1.5", "1", "2", "-1.25", "1.255"]),
        ("pk = {0} AND state = {0}", ["'a'", "'b'", "'c'", "'OPEN'"]),
        ("pk = {} AND state = pk AND state = {}", ["'a' 'b'", "'c' 'd'", "'a' 'a'"]),
        ("pk = {} GROUP BY ALL HAVING pk = {}", ["'a' 'b'", "'c' 'b'", "'d' 'b'", "'b' 'b'"]),
        ("pk = {} ORDER BY pk = {}", ["'a' 'b'", "'c' 'b'", "'d' 'b'", "'b' 'b'"]),
        ("pk = {} AND n IN (SELECT n FROM sales WHERE pk = {})", ["'a' 'b'", "'c' 'd'", "'a' 'a'"]),
        ("pk = {} AND n > {} LIMIT {}", ["'a' 1 1", "'b' 2 2", "'c' 3 0", "'d' 0 0"]),
    ],
)
@only_doubles
async def test_literals_that_decide_something_fill_no_slots(
    sales: Service, condition: str, sequence: list[str]
) -> None:
    warm = planner_of(sales)
    for outputs in ("pk", "pk = 'a' AS said, count(*)" if "ORDER" not in condition else "pk, n"):
        for literals in sequence * 2:
            sql = f"SELECT {outputs} FROM sales WHERE {condition.format(*literals.split())}"
            await assert_planned_as_alone(warm, sales, sql)


@pytest.mark.parametrize(
    ("joined", "sequence"),
    [
        ("a.pk = b.mixed WHERE a.pk = {}", ["'a'", "'b'", "'5'", "'7'"]),
        ("a.pk = b.state WHERE a.pk = {} AND b.state = {}", ["'a' 'b'", "'c' 'd'", "'a' 'a'", "'OPEN' 'OPEN'"]),
        ("a.pk = b.pk WHERE a.pk = {} AND b.pk = {}", ["'a' 'b'", "'c' 'd'", "'a' 'a'", "'b' 'a'"]),
        ("a.n = b.n AND b.n > {} WHERE a.n = {}", ["1 2", "1 3", "1 4", "1 1", "3 2"]),
        ("a.n = b.n AND b.price < {} WHERE a.pk = {}", ["1 'a'", "1 'b'", "1 'c'", "2 'a'", "2 'b'", "2 'c'"]),
        ("a.n = b.price WHERE a.n = {}", ["1", "2", "3", "-1"]),
        ("a.n = b.n WHERE a.pk = {} AND b.state = {}", ["'a' 'b'", "'c' 'd'", "'a' 'a'", "'OPEN' 'OPEN'"]),
        ("a.pk = b.pk WHERE coalesce(a.state, 'none') = {} AND a.n = {}", ["'a' 1", "'none' 2", "'none' 3", "'a' 2"]),
    ],
)
@only_doubles
async def test_literals_that_decide_something_of_joined_tables_fill_no_slots(
    sales: Service, joined: str, sequence: list[str]
) -> None:
    warm = planner_of(sales)
    for join in ("JOIN", "LEFT JOIN", "RIGHT JOIN"):
        for literals in sequence * 2:
            sql = f"SELECT a.pk, b.n FROM sales a {join} sales b ON {joined.format(*literals.split())}"
            await assert_planned_as_alone(warm, sales, sql)


@only_doubles
async def test_literals_that_fill_no_slots_have_a_plan_for_all_others_once_they_return(
    sales: Service, plannings: list[str]
) -> None:
    planner, counts = planner_of(sales), []
    for number, state in enumerate(("OPEN", "OPEN", "OPEN", "OPEN", "PAID", "PAID", "PAID")):
        plannings.clear()
        await planned(planner, sales, f"SELECT n FROM sales WHERE pk = 'k{number}' AND (n > {state!r} OR n = 1)", None)
        counts.append(len(plannings))
    for number, state in enumerate(("OPEN", "OPEN", "OPEN", "OPEN", "PAID", "PAID", "PAID")):
        plannings.clear()
        sql = f"SELECT count(*) FROM sales WHERE pk = 'k{number}' GROUP BY state HAVING state = '{state}'"
        await planned(planner, sales, sql, None)
        counts.append(len(plannings))
    assert counts[7:] == [1, 1, 2, 0, 1, 2, 0]


@only_doubles
async def test_a_statement_that_comes_again_is_planned_once(sales: Service, parsings: list[str]) -> None:
    """Whether it has slots is found out when it comes with other literals."""
    planner, sql = planner_of(sales), "SELECT n FROM sales WHERE pk = 'k1'"
    first = await planned(planner, sales, sql, None)
    for _ in range(3):
        assert await planned(planner, sales, sql, None) is first
    assert parsings == [sql]


@only_doubles
async def test_parameters_without_a_place_are_refused_beside_other_literals(sales: Service) -> None:
    planner = planner_of(sales)
    for key in ("k1", "k2", "k3", "k3"):
        sql = f"SELECT n FROM sales WHERE pk = '{key}'"
        assert isinstance(await planned(planner, sales, sql, []), Plan)
        for values in ([1], {"p": 1}, [1]):
            assert await planned(planner, sales, sql, values) is FailureCode.INVALID_PARAMETERS


@only_doubles
async def test_words_that_are_names_keep_their_case_beside_other_literals(sales: Service) -> None:
    planner = planner_of(sales)
    for number, name in enumerate(("From", "FROM", "from", "From", "FROM")):
        sql = f"SELECT n AS {name} FROM sales WHERE pk = 'k{number}'"
        plan = await planned(planner, sales, sql, None)
        assert isinstance(plan, Plan)
        assert f'"{name}"' in plan.query.statement
        await assert_planned_as_alone(planner, sales, sql)


@only_doubles
async def test_what_a_range_takes_is_that_of_its_literals(sales: Service) -> None:
    """A dear one is asked about, and explained, whichever was planned before."""
    planner = planner_of(sales)
    units = []
    for number in (394, 393, 392, -5, 391):
        plan = await planned(planner, sales, f"SELECT n FROM sales WHERE pk = 'k1' AND n >= {number}", None)
        assert isinstance(plan, Plan)
        units.append(plan.reads[0].estimate.items)
    assert units[3] > 10 * max(*units[:3], units[4])


@only_doubles
async def test_answers_warnings_and_estimates_are_those_of_the_literals(sales: Service) -> None:
    warm = sales.queries()
    for statement in (
        "SELECT n FROM sales WHERE state = '{0}' AND n < 20",
        "SELECT count(*) FROM sales WHERE state = '{0}'",
        "SELECT n FROM sales WHERE pk = 'k1' AND state IN ('{0}', 'x') AND n < 40",
    ):
        for state in ("open", "Paid", "SENT", "PAID", "LOST", "y" * 70, "OPEN", "it''s"):
            sql, cold = statement.format(state), sales.queries()
            expected, found = [await each.run_sql(ANN, sql=sql) for each in (cold, warm)]
            assert (found.rows, found.columns, found.warnings) == (expected.rows, expected.columns, expected.warnings)
            explained = [await each.explain_sql(ANN, sql=sql) for each in (cold, warm)]
            assert explained[0] == explained[1], sql


@only_doubles
async def test_a_cursor_is_that_of_its_literals(sales: Service) -> None:
    service, sql = sales.queries(), "SELECT pk, n FROM sales WHERE pk = '{0}'"
    for key in ("k0", "k4", "k8"):
        await service.run_sql(ANN, sql=sql.format(key))
    page = await service.run_sql(ANN, sql=sql.format("k1"), max_rows=7)
    assert page.next_cursor is not None
    with pytest.raises(Failure) as caught:
        await service.run_sql(ANN, sql=sql.format("k12"), cursor=page.next_cursor)
    assert caught.value.code is FailureCode.CURSOR_INVALID
    rows = page.rows
    while page.next_cursor is not None:
        page = await service.run_sql(ANN, sql=sql.format("k1"), cursor=page.next_cursor)
        rows += page.rows
    assert rows == (await sales.run(sql.format("k1"), max_rows=1000)).rows
    assert len(rows) == 300


@only_doubles
async def test_errors_have_their_places_behind_other_literals(sales: Service) -> None:
    service = sales.queries()
    for key in ("k1", "k1 or so", "k", "it's"):
        sql = f"SELECT n\nFROM sales WHERE pk >= '{key.replace(chr(39), chr(39) * 2)}' AND CAST(state AS BIGINT) = 1"
        with pytest.raises(Failure) as caught:
            await service.run_sql(ANN, sql=sql)
        place = caught.value.position
        assert place is not None
        assert (place.line, place.column) == (2, sql.index("state") - sql.index("FROM") + 1)


@only_doubles
async def test_who_sees_a_table_differently_has_other_plans_of_it(sales: Service) -> None:
    await sales.create("rul_parts", [{"pk": {"S": name}, "v": {"N": "1"}} for name in ("acme", "globex")])
    service = sales.queries()
    for value in ("globex", "rest", "other", "globex", "acme", "globex"):
        got = await service.run_sql(ANN, sql=f"SELECT v FROM rul_parts WHERE pk = '{value}'")
        assert got.rows == ([[1]] if value == "acme" else [])
    await sales.tables.drop("rul_parts")


@only_doubles
async def test_a_virtual_table_is_read_by_the_key_of_its_literals(sales: Service, plannings: list[str]) -> None:
    await sales.tables.create("vir_all", (("pk", "S"), ("sk", "S")))
    keys = [{"pk": {"S": f"CUSTOMER#{number}"}, "sk": {"S": "PROFILE"}} for number in range(9)]
    await sales.put("vir_all", [{**key, "visible": {"S": "yes"}} for key in keys])
    planner = planner_of(sales)
    for number in range(9):
        plannings.clear()
        sql = f"SELECT * FROM vir_customers WHERE customer_id = '{number}'"
        plan = await planned(planner, sales, sql, None)
        assert isinstance(plan, Plan)
        assert plan.reads[0].requests[0].arguments["Keys"] == [keys[number]]
        assert number < 2 or not plannings
        await assert_planned_as_alone(planner, sales, sql)
    await sales.tables.drop("vir_all")
