"""Literals and parameters of CTEs, subqueries and set operations: one plan for all values, where it is the same."""

import random
import re
from collections.abc import Mapping, Sequence

import pytest

from mcp_server.engine.plan_cache import Plan
from mcp_server.engine.unseen import unseen_texts
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles
from tests.mcp_server.engine.random_answers import VIEWS, features, over_doubles
from tests.mcp_server.engine.random_made import judge, random_tables
from tests.mcp_server.engine.test_literals import (
    CONDITIONS,
    OF_COLUMNS,
    POOLS,
    assert_planned_as_alone,
    assert_planned_for_all_literals,
    sales,
)
from tests.mcp_server.engine.test_plan_cache import assert_same, planned, planner_of, plannings
from tests.support.random_sql.statement import calls

__all__ = ["plannings", "sales"]

pytestmark = pytest.mark.anyio

LIKELY = (
    *("{0} = <{0}>", "{0} = <{0}>", "{0} >= <{0}>", "{0} IN (<{0}>, <{0}>)", "{0} BETWEEN <{0}> AND <{0}>"),
    *("{0} = <{0}> AND {1} = <{1}>", "{0} > <{0}> AND {1} <= <{1}>", "{0} = {1} AND {0} = <{0}>"),
    *("{0} = <{0}> AND {1} LIKE '%5%'", "{0} = <{0}> AND {0} = <{0}>"),
)
"""Conditions most of which have slots."""
STATEMENTS = (
    "SELECT q.pk FROM (SELECT * FROM sales WHERE {}) AS q WHERE {}",
    "SELECT q.n, count(*) FROM (SELECT * FROM sales WHERE {}) AS q WHERE {} GROUP BY 1 HAVING q.n = 7 ORDER BY 2, 1",
    "SELECT * FROM (SELECT *, row_number() OVER (ORDER BY n) AS r FROM sales WHERE {}) AS q WHERE {}",
    "SELECT n FROM (SELECT state AS pk, n, pk AS state, day, price, mixed, flag, shape FROM sales WHERE {}) WHERE {}",
    "SELECT pk FROM (SELECT lower(pk) AS pk, n + 1 AS n, state, day, price, 'k1' AS mixed, flag, shape FROM sales"
    " WHERE {}) WHERE {}",
    "WITH q AS (SELECT * FROM sales WHERE {}) SELECT q.n FROM q WHERE {} LIMIT 3",
    "WITH q AS (SELECT * FROM sales WHERE {}) SELECT a.n FROM q a JOIN q b ON a.n = b.n WHERE a.pk = 'k1'",
    "WITH q AS (SELECT * FROM sales WHERE {}), r AS (SELECT * FROM q WHERE {}) SELECT r.n FROM r WHERE {}",
    "WITH q AS (SELECT pk, max(n) AS n FROM sales WHERE {} GROUP BY pk) SELECT s.day FROM q JOIN sales s USING (pk, n)",
    "SELECT n FROM sales WHERE {} UNION SELECT n FROM sales WHERE {}",
    "SELECT pk FROM sales WHERE {} EXCEPT SELECT state FROM sales WHERE {} INTERSECT SELECT pk FROM sales WHERE {}",
    "SELECT n FROM (SELECT * FROM sales WHERE {} UNION ALL SELECT * FROM sales) WHERE {}",
    "SELECT n FROM (SELECT pk, n, state, day, price, mixed, flag, shape FROM sales UNION ALL"
    " SELECT lower(state), n, pk, day, price, pk, flag, shape FROM sales) WHERE {}",
    "SELECT day FROM sales WHERE pk IN (SELECT pk FROM sales WHERE {}) AND {}",
    "SELECT day FROM sales WHERE {} AND (pk, n) IN (SELECT state, n FROM sales WHERE {})",
    "SELECT day FROM sales WHERE pk NOT IN (SELECT state FROM sales WHERE {} UNION SELECT pk FROM sales WHERE {})",
    "SELECT day FROM sales WHERE n = (SELECT max(n) FROM sales WHERE {}) AND {}",
    "SELECT day FROM sales WHERE {} AND (n = 7 OR n > (SELECT min(n) FROM sales WHERE {}))",
    "SELECT day FROM sales WHERE EXISTS (SELECT * FROM sales WHERE {}) AND {}",
    "SELECT a.day FROM sales a WHERE EXISTS (SELECT 1 FROM sales WHERE sales.pk = a.pk AND {}) AND a.n < 9",
    "SELECT a.day FROM sales a WHERE a.pk = 'k1' AND a.n = (SELECT max(n) FROM sales WHERE state = a.state AND {})",
    "SELECT q.pk FROM (SELECT * FROM sales WHERE {}) q JOIN sales b ON q.pk = b.pk AND q.n = b.n WHERE q.pk = 'k1'",
    "SELECT q.pk FROM (SELECT upper(state)::VARCHAR AS pk FROM sales) q JOIN sales b ON q.pk = b.pk WHERE q.pk = <pk>",
    "SELECT n, (SELECT max(n) FROM sales WHERE {}) FROM sales WHERE {}",
    "SELECT (SELECT max(n) FROM sales WHERE {0}) FROM sales WHERE {1} GROUP BY (SELECT max(n) FROM sales WHERE {2})",
    "SELECT n FROM sales WHERE {} ORDER BY (SELECT max(n) FROM sales WHERE {})",
)
"""Columns without a source are those of the one that is right around them."""
_PLACE = re.compile(r"<(\w+)>")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@only_doubles
async def test_plans_are_those_that_planning_makes(sales: Service, seed: int) -> None:
    """Of few values each, so that equal ones meet."""
    dice = random.Random(f"queries {seed}")
    warm = planner_of(sales)
    for statement in STATEMENTS:
        text = statement.format(*(_condition(dice) for _ in range(3)))
        pools = {name: OF_COLUMNS[name] for name in _PLACE.findall(text)}
        pools |= {name: dice.choice(POOLS) for name in pools if dice.random() < 0.05}
        few = {name: dice.sample(pool, min(4, len(pool))) for name, pool in pools.items()}
        for _ in range(8):
            terms = {"consistent": dice.random() < 0.05, "estimated": dice.random() < 0.05}
            await assert_planned_as_alone(warm, sales, _filled(text, few, dice), **terms)


def _condition(dice: random.Random) -> str:
    """One with places for values that tell whose they are: `<state>`."""
    columns = dice.sample(["pk", "n", *OF_COLUMNS], 2)
    condition = dice.choice([*LIKELY, *LIKELY, *CONDITIONS]).format(
        *columns, **{name: name for name in (*OF_COLUMNS, "shape")}
    )
    return re.sub("<([01])>", lambda found: f"<{columns[int(found[1])]}>", condition)


def _filled(text: str, pools: Mapping[str, Sequence[str]], dice: random.Random) -> str:
    return _PLACE.sub(lambda found: dice.choice(pools[found[1]]), text)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_random_statements_have_one_plan_for_other_constants(seed: int, plannings: list[str]) -> None:
    """Those that `make random` repeats with other constants: many have slots in queries, each is planned as alone."""
    view, filled = VIEWS["whole"], 0
    statements = features(f"constants {seed}", random_tables(view.seen))
    async with over_doubles(judge(view.seen), seed, view) as subject:
        warm = planner_of(subject.service)
        for _ in range(300):
            for sql in {call.statement.asked: None for call in calls(statements.any(), statements.dice, 6)}:
                plannings.clear()
                plan = await planned(warm, subject.service, sql, None)
                filled += isinstance(plan, Plan) and not plannings and sql.lower().count("select ") > 1
                assert_same(plan, await planned(planner_of(subject.service), subject.service, sql, None), sql)
    assert filled > 30


@pytest.mark.parametrize(
    "statement",
    [
        "WITH q AS (SELECT * FROM sales WHERE pk = 'k{0}') SELECT n FROM q WHERE n > {0}",
        "WITH q AS (SELECT * FROM sales WHERE pk = 'k{0}'), r AS (FROM q WHERE n > {0}) SELECT count(*) FROM r",
        "SELECT q.n FROM (SELECT pk AS k, n FROM sales WHERE state = 'O{0}') q WHERE q.k IN ('k{0}', 'k1')",
        "SELECT max(q.n) FROM (SELECT n, state FROM sales WHERE pk = 'k{0}' ORDER BY n LIMIT 9) q WHERE q.n <> 7",
        "SELECT pk FROM sales WHERE pk = 'k{0}' AND n = {0} UNION ALL SELECT state FROM sales WHERE state = 'OPE{0}'",
        "SELECT n FROM sales WHERE pk = 'k{0}' INTERSECT (SELECT n FROM sales WHERE pk = 'k{0}' EXCEPT SELECT 7)",
        "SELECT n FROM (SELECT pk, n FROM sales UNION ALL SELECT state, n FROM sales) u WHERE u.pk = 'k{0}'",
        "SELECT day FROM sales WHERE pk IN (SELECT state FROM sales WHERE day >= '2024-01-0{0}') AND n < {0}0",
        "SELECT day FROM sales WHERE n > 5 AND pk NOT IN (SELECT pk FROM sales WHERE state = 'O{0}')",
        "SELECT day FROM sales WHERE pk = 'k{0}' AND n = (SELECT max(n) FROM sales WHERE pk = 'k{0}')",
        "SELECT count(*) FROM sales a WHERE EXISTS (SELECT 1 FROM sales b WHERE b.pk = a.state AND b.n = {0})",
        "SELECT n FROM (SELECT pk, max(n) AS n FROM sales WHERE state = 'O{0}' GROUP BY 1) JOIN sales s USING (pk, n)",
    ],
)
@only_doubles
async def test_other_literals_need_no_more_planning(sales: Service, plannings: list[str], statement: str) -> None:
    await assert_planned_for_all_literals(sales, plannings, statement)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (
            "SELECT day FROM sales WHERE pk IN (SELECT pk FROM sales WHERE state = ? AND n >= ?)",
            "a 1|b 2|OPEN 3|d 4",
        ),
        ("WITH q AS (SELECT * FROM sales WHERE pk = ?) SELECT q.day FROM q WHERE q.n = ?", "k1 1|k2 2|k3 3|k4 4"),
        ("SELECT n FROM sales WHERE pk = ? UNION SELECT n FROM sales WHERE n < ?", "k1 1|k2 2|k3 3|k4 4"),
    ],
)
@only_doubles
async def test_other_values_need_no_more_planning(
    sales: Service, plannings: list[str], statement: str, values: str
) -> None:
    planner = planner_of(sales)
    for place, (text, number) in enumerate(one.split() for one in values.split("|")):
        plannings.clear()
        plan = await planned(planner, sales, statement, [text, int(number)])
        assert bool(plannings) == (place < 2)
        alone = await planned(planner_of(sales), sales, statement, [text, int(number)])
        assert isinstance(plan, Plan)
        assert isinstance(alone, Plan)
        assert_same(plan, alone)
        assert plan.reads == alone.reads


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT n, (SELECT max(n) FROM sales WHERE pk = 'k{0}') FROM sales WHERE n < 5",
        "SELECT n FROM sales WHERE n < 5 ORDER BY (SELECT max(n) FROM sales WHERE pk = 'k{0}')",
        "SELECT count(*) FROM sales WHERE n < 5 GROUP BY n + (SELECT max(n) FROM sales WHERE pk = 'k{0}')",
        "SELECT n FROM sales GROUP BY n HAVING n > (SELECT max(n) FROM sales WHERE pk = 'k{0}')",
        "SELECT a.n FROM sales a JOIN sales b ON a.n = b.n AND a.pk IN (SELECT pk FROM sales WHERE pk = 'k{0}')",
        "SELECT n FROM (SELECT n, pk || 'x' AS pk FROM sales) q WHERE q.pk = 'k{0}'",
        "SELECT n FROM (SELECT n, pk FROM sales WHERE pk = 'k1' LIMIT 3) q WHERE q.pk = 'k{0}'",
        "SELECT n FROM (SELECT n, pk FROM sales WHERE pk > 'a') q WHERE q.pk = 'k{0}'",
        "WITH RECURSIVE q AS (SELECT n FROM sales WHERE pk = 'k{0}' UNION SELECT n + 1 FROM q WHERE n < 5) FROM q",
        "SELECT a.n FROM sales a, LATERAL (SELECT max(n) FROM sales WHERE pk = 'k{0}') q",
        "SELECT n FROM sales WHERE pk = 'k{0}' AND state IN (SELECT unnest(['OPEN', 'PAID']) FROM range(2))",
        "SELECT n FROM sales WHERE pk = 'k{0}' AND state IN (SELECT * FROM (VALUES ('OPEN'), ('PAID')) v)",
        "SELECT * FROM (SELECT pk, state, n FROM sales WHERE pk = 'k{0}') PIVOT (max(n) FOR state IN ('OPEN', 'PAID'))",
        "SELECT a.n FROM sales a JOIN sales b ON a.pk = b.mixed AND a.pk = b.pk WHERE a.pk = 'k{0}'",
        " UNION ALL ".join(["SELECT n FROM sales WHERE pk = 'k{0}'"] * 5),
    ],
)
@only_doubles
async def test_where_it_is_not_certain_each_literal_has_a_plan(
    sales: Service, plannings: list[str], statement: str
) -> None:
    """Values that are compared where equal ones might be taken for one, or with what is no column of a table."""
    planner = planner_of(sales)
    for number in range(1, 5):
        plannings.clear()
        assert isinstance(await planned(planner, sales, statement.format(number), None), Plan)
        assert plannings
        await assert_planned_as_alone(planner, sales, statement.format(number))


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("SELECT n FROM (SELECT * FROM sales WHERE pk = {}) q WHERE q.pk = {}", "'a' 'b'|'c' 'd'|'a' 'a'|'k1' 'k1'"),
        ("SELECT n FROM (SELECT pk AS a, pk AS b, n FROM sales) WHERE a = {} AND b = {}", "'a' 'b'|'c' 'd'|'a' 'a'"),
        ("SELECT n FROM (SELECT *, 'k1' AS k FROM sales WHERE n > {}) WHERE k = {}", "1 'a'|2 'b'|3 'k1'|3 'a'"),
        ("SELECT n FROM sales WHERE pk = {} AND pk IN (SELECT 'k1' UNION SELECT {})", "'a' 'b'|'c' 'd'|'k1' 'k1'"),
        ("SELECT n FROM sales WHERE state = {} UNION SELECT n FROM sales WHERE state = {}", "'a' 'b'|'c' 'd'|'a' 'a'"),
        ("SELECT n FROM sales WHERE n > {} AND n IN (SELECT n FROM sales WHERE n > {})", "1 2|3 4|2 1|3 3|-1 2"),
        ("SELECT n FROM (SELECT n FROM sales WHERE n > {} LIMIT 2) WHERE n < {}", "1 2|3 4|2 1|3 3|-1 2"),
    ],
)
@only_doubles
async def test_equal_values_of_several_queries_are_planned_as_they_are(
    sales: Service, statement: str, sequence: str
) -> None:
    warm = planner_of(sales)
    for literals in sequence.split("|") * 2:
        await assert_planned_as_alone(warm, sales, statement.format(*literals.split()))


@only_doubles
async def test_answers_warnings_and_estimates_are_those_of_the_literals(sales: Service) -> None:
    warm = sales.queries()
    for statement in (
        "SELECT n FROM sales WHERE pk IN (SELECT pk FROM sales WHERE state = '{0}' AND n < 20) AND n < 9",
        "WITH q AS (SELECT * FROM sales WHERE state = '{0}') SELECT count(*), max(n) FROM q",
        "SELECT n FROM sales WHERE pk = 'k1' AND n < 9 UNION SELECT n + 1 FROM sales WHERE state = '{0}' AND n < 9",
    ):
        for state in ("open", "Paid", "SENT", "PAID", "LOST", "y" * 70, "OPEN", "it''s"):
            sql, cold = statement.format(state), sales.queries()
            expected, found = [await each.run_sql(ANN, sql=sql) for each in (cold, warm)]
            assert sorted(found.rows) == sorted(expected.rows)
            assert (found.columns, found.warnings) == (expected.columns, expected.warnings)
            explained = [await each.explain_sql(ANN, sql=sql) for each in (cold, warm)]
            assert explained[0] == explained[1], sql


@only_doubles
async def test_a_text_of_the_wrong_case_is_warned_of_behind_others_that_are_right(sales: Service) -> None:
    """Though the key that it is to be equal to is a slot's."""
    names = [f"{'aB'[number % 2] * (number % 7 + 1)} {number * 7919}" for number in range(300)]
    await sales.create("people", [{"pk": {"S": f"p{n}"}, "name": {"S": name}} for n, name in enumerate(names)])
    warm = planner_of(sales)
    sql = (
        "SELECT q.name FROM (SELECT lower(name)::VARCHAR AS name FROM people) q JOIN sales s ON q.name = s.pk"
        " WHERE q.name = '{}'"
    )
    warned = []
    for name in ("ann", "bob", "Ann", "BOB", "ann"):
        await assert_planned_as_alone(warm, sales, sql.format(name))
        plan = await planned(warm, sales, sql.format(name), None)
        assert isinstance(plan, Plan)
        warned.append(bool(unseen_texts(plan.query.sought, has_rows=False)))
    assert warned == [False, False, True, True, False]
    await sales.tables.drop("people")
