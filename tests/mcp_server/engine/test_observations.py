"""Estimates of what was read before say what that took, to whoever read it, over doubles and over the emulator."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from mcp_server.engine.observations import Observations
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import Cost
from mcp_server.planning.observed import Took
from tests.mcp_server.adapters.relations import table
from tests.mcp_server.engine.conftest import ANN, Service, only_doubles
from tests.support.clock import SettableClock
from tests.support.metrics import lookups

pytestmark = pytest.mark.anyio

WITHIN = 1.25
BEN = Principal("acme", "usr_ben", "cli", frozenset({"query"}), "gid")
ANN_ELSEWHERE = Principal("acme", "usr_ann", "other", frozenset({"query"}), "gid")
ADMIN = Principal("acme", "usr_ann", "cli", frozenset({"query"}), "gid", frozenset({"admin"}))
SIZES = {"small": 3, "medium": 60, "large": 300}
"""Items of about 800 bytes in the partitions of each table."""


def lines(partition: str, count: int, first: int = 0) -> list[dict[str, Any]]:
    return [
        {"pk": {"S": partition}, "n": {"N": str(first + number)}, "odd": {"N": str(number % 2)}, "t": {"S": "x" * 780}}
        for number in range(count)
    ]


async def filled(service: Service, name: str) -> QueryService:
    """A table with partitions of very different sizes, and a service that has read nothing of it."""
    await service.create(name, [one for key, count in SIZES.items() for one in lines(key, count)], range_key="n")
    return service.queries()


async def estimated(queries: QueryService, sql: str, principal: Principal = ANN) -> Cost:
    return (await queries.explain_sql(principal, sql=sql)).cost


async def consumed(queries: QueryService, sql: str, principal: Principal = ANN, **more: Any) -> float:
    arguments: dict[str, Any] = {"sql": sql, "max_rows": 1000, **more}
    page = await queries.run_sql(principal, **arguments)
    return page.statistics.read_units


def statements(dice: random.Random, name: str) -> Sequence[str]:
    """Statements that read by key, in ranges, in lists, in all."""
    low, key = dice.randrange(0, 60), dice.choice([*SIZES, "none"])
    keys = ", ".join(f"'{one}'" for one in dice.sample([*SIZES, "none"], 2))
    return (
        f"SELECT n, t FROM {name} WHERE pk = '{key}'",
        f"SELECT count(*) FROM {name} WHERE pk = '{key}'",
        f"SELECT n FROM {name} WHERE pk IN ({keys}) ORDER BY t, n",
        f"SELECT sum(n) FROM {name} WHERE pk = '{key}' AND n >= {low}",
        f"SELECT n FROM {name} WHERE pk = '{key}' AND n BETWEEN {low} AND {low + 30} ORDER BY n DESC",
        f"SELECT sum(n) FROM {name} WHERE pk = '{key}' AND odd = 1",
        f"SELECT sum(n) FROM {name} WHERE t <> '{key}'",
        f"SELECT a.n FROM {name} a JOIN {name} b ON a.n = b.n WHERE a.pk = '{key}' AND b.pk = 'medium'",
    )


async def test_the_next_estimate_of_a_statement_is_what_it_took(service: Service) -> None:
    queries, dice = await filled(service, "obs_any"), random.Random(5)
    for _ in range(4):
        for sql in statements(dice, "obs_any"):
            took = await consumed(queries, sql)
            cost = await estimated(queries, sql)
            assert took / WITHIN <= cost.read_units <= took * WITHIN, (sql, took, cost)
            assert cost.confidence in ("observed", "exact"), sql


async def test_what_one_partition_took_tells_of_a_part_of_it_only_that_it_is_less(service: Service) -> None:
    queries = await filled(service, "obs_parts")
    for key in ("large", "small"):
        await consumed(queries, f"SELECT n FROM obs_parts WHERE pk = '{key}'")
    part = await estimated(queries, "SELECT n FROM obs_parts WHERE pk = 'small' AND n > 0")
    assert (part.items, part.confidence) == (SIZES["small"], "estimated")


async def test_keys_that_were_read_and_others_are_estimated_together(service: Service) -> None:
    queries = await filled(service, "obs_some")
    took = await consumed(queries, "SELECT n FROM obs_some WHERE pk = 'large' ORDER BY t, n")
    other = await estimated(queries, "SELECT n FROM obs_some WHERE pk = 'medium'")
    both = await estimated(queries, "SELECT n FROM obs_some WHERE pk IN ('large', 'medium')")
    assert both.read_units == pytest.approx(took + other.read_units, abs=1)
    assert both.confidence == "estimated"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n FROM obs_stopped{} ORDER BY n LIMIT 2",
        "SELECT max(n) FROM obs_stopped{}",
        "SELECT n FROM obs_stopped LIMIT 3",
    ],
)
async def test_reads_that_had_enough_teach_nothing(service: Service, sql: str) -> None:
    queries, where = await filled(service, "obs_stopped"), " WHERE pk = 'large'" if "{}" in sql else ""
    whole = f"SELECT n FROM obs_stopped{where}"
    before = await estimated(queries, whole)
    await consumed(queries, sql.format(where))
    assert await estimated(queries, whole) == before
    await service.tables.drop("obs_stopped")


async def test_a_page_teaches_nothing_unless_it_is_the_whole(service: Service) -> None:
    queries = await filled(service, "obs_paged")
    for key, teaches in (("large", False), ("medium", True)):
        sql = f"SELECT n FROM obs_paged WHERE pk = '{key}'"
        before = await estimated(queries, sql)
        await consumed(queries, sql, max_rows=100)
        assert ((await estimated(queries, sql)) != before) is teaches


async def test_a_read_that_its_budget_ended_teaches_nothing(service: Service) -> None:
    queries = await filled(service, "obs_budget")
    sql = "SELECT sum(n) FROM obs_budget WHERE pk = 'large'"
    before = await estimated(queries, sql)
    with pytest.raises(Failure) as caught:
        await consumed(queries, sql, max_read_units=1)
    assert caught.value.code is FailureCode.BUDGET_EXCEEDED
    assert await estimated(queries, sql) == before


async def test_consistent_reads_teach_what_others_take(service: Service) -> None:
    queries = await filled(service, "obs_consistent")
    sql = "SELECT n FROM obs_consistent WHERE pk = 'large' ORDER BY t, n"
    took = await consumed(queries, sql, consistent_read=True)
    assert (await estimated(queries, sql)).read_units == pytest.approx(took / 2, abs=1)


async def test_a_partition_that_grew_tenfold_is_learnt_with_its_next_read(service: Service) -> None:
    queries = await filled(service, "obs_grown")
    for sql in ("SELECT n FROM obs_grown WHERE pk = 'medium'", "SELECT count(*) FROM obs_grown"):
        await consumed(queries, sql)
    await service.put("obs_grown", lines("medium", 540, first=60))
    for sql in ("SELECT sum(n) FROM obs_grown WHERE pk = 'medium'", "SELECT count(*) FROM obs_grown"):
        took = await consumed(queries, sql)
        assert took / WITHIN <= (await estimated(queries, sql)).read_units <= took * WITHIN


async def test_many_at_once_learn_as_well_as_one(service: Service) -> None:
    await service.create("obs_many", [one for key in range(12) for one in lines(f"p{key}", 1 + 9 * key)], range_key="n")
    queries = service.queries()
    asked = [f"SELECT sum(n) FROM obs_many WHERE pk = 'p{key % 12}'" for key in range(24)]
    people = [(ANN, BEN)[number % 2] for number in range(24)]
    took = await asyncio.gather(*map(consumed, [queries] * 24, asked, people))
    for sql, who, units in zip(asked, people, took, strict=True):
        assert (await estimated(queries, sql, who)).read_units == units


async def test_nobody_learns_from_estimates_what_others_read(service: Service) -> None:
    queries = await filled(service, "obs_others")
    asked = [f"SELECT n FROM obs_others WHERE pk = '{key}'" for key in ("medium", "small", "none")]
    for sql in asked[:2]:
        await consumed(queries, sql, ANN)
    for who in (BEN, ANN_ELSEWHERE):
        read, read_too, not_read = [await estimated(queries, sql, who) for sql in asked]
        assert read == read_too == not_read
        assert read.confidence == "estimated"


async def test_rows_that_are_not_there_are_not_told_of(service: Service) -> None:
    items = [
        {"pk": {"S": key}, "n": {"N": str(n)}, "owner": {"S": owner}}
        for key, owner in (("mine", "usr_ann"), ("hidden", "usr_ben"))
        for n in range(300)
    ]
    await service.create("rul_columns", items, range_key="n")
    queries = service.queries()
    asked = [f"SELECT n FROM rul_columns WHERE pk = '{key}'" for key in ("mine", "hidden", "none")]
    before = [await estimated(queries, sql) for sql in asked]
    for who in (ADMIN, BEN, ANN):
        for sql in (*asked, "SELECT count(*) FROM rul_columns"):
            await consumed(queries, sql, who)
    assert [await estimated(queries, sql) for sql in asked] == before
    await service.tables.drop("rul_columns")


@only_doubles
async def test_which_keys_rows_name_that_are_not_there_is_not_told_of(service: Service) -> None:
    """In two worlds that differ only in that, whoever may see all of the rows has run statements that read by them."""
    answers: list[list[Cost]] = []
    asked = [f"SELECT p.n FROM obs_named p WHERE p.pk = '{key}'" for key in SIZES]
    asked.append("SELECT p.n FROM rul_columns r JOIN obs_named p ON r.named = p.pk WHERE r.pk = 'a'")
    for named in ("small", "large"):
        queries = await filled(service, "obs_named")
        hidden = {"pk": {"S": "a"}, "n": {"N": "1"}, "owner": {"S": "usr_ben"}, "named": {"S": named}}
        mine = {**hidden, "n": {"N": "2"}, "owner": {"S": "usr_ann"}, "named": {"S": "medium"}}
        await service.create("rul_columns", [hidden, mine], range_key="n")
        for table_name in ("rul_columns", "obs_named"):
            await service.catalog.describe(service.schemas.by_name["shop"], table_name, "force")
        explained = await queries.explain_sql(ADMIN, sql=asked[-1])
        assert [read.stage is not None for read in explained.reads] == [False, True]
        for sql in (asked[-1], "SELECT count(*) FROM rul_columns"):
            await consumed(queries, sql, ADMIN)
        answers.append([await estimated(queries, sql) for sql in asked])
        for table_name in ("rul_columns", "obs_named"):
            await service.tables.drop(table_name)
    assert answers[0] == answers[1]


async def test_what_other_rows_name_is_estimated_by_what_it_took(service: Service) -> None:
    await service.create(
        "obs_orders",
        [
            {"pk": {"S": kind}, "n": {"N": str(n)}, "customer": {"S": f"c{n * 7}"}}
            for kind, count in (("few", 5), ("some", 40))
            for n in range(count)
        ],
        range_key="n",
    )
    about = {"about": {"S": "x" * 400}}
    await service.create("obs_customers", [{"pk": {"S": f"c{n}"}, **about} for n in range(600)])
    queries = service.queries()

    def sql(kind: str, least: int) -> str:
        return (
            "SELECT c.about FROM obs_orders o JOIN obs_customers c ON o.customer = c.pk "
            f"WHERE o.pk = '{kind}' AND o.n >= {least}"
        )

    took = await consumed(queries, sql("few", 2))
    cost = await estimated(queries, sql("few", 2))
    assert (cost.read_units, cost.confidence) == (took, "observed")
    like = await queries.explain_sql(ANN, sql=sql("few", 1))
    [stage] = [read for read in like.reads if read.stage is not None]
    assert (stage.estimate.items, stage.estimate.confidence) == (3, "estimated")
    assert (await estimated(queries, sql("few", 1), BEN)).confidence == "guessed"
    for _ in range(3):
        took = await consumed(queries, sql("some", 0))
    assert (await estimated(queries, sql("some", 0))).read_units == took


@pytest.mark.parametrize(
    ("learnt", "like", "unlike"),
    [
        ("LIKE '%3%'", "LIKE '%n4%'", ("LIKE 'n3%'", "LIKE '%3'", "LIKE 'n_'", "ILIKE '%3%'")),
        ("ILIKE '%3%'", "ILIKE '%N4%'", ("ILIKE 'N3%'", "ILIKE '%3'", "ILIKE 'n_'", "LIKE '%3%'")),
        ("GLOB '*3*'", "GLOB '*n4*'", ("GLOB 'n3*'", "GLOB '*3'", "GLOB 'n?'", "GLOB 'n[34]'")),
    ],
)
async def test_patterns_with_other_wildcards_are_no_like_conditions(
    service: Service, learnt: str, like: str, unlike: Sequence[str]
) -> None:
    orders = [{"pk": {"S": f"o{n}"}, "name": {"S": f"n{n}"}, "customer": {"S": f"c{n}"}} for n in range(40)]
    await service.create("obs_named_orders", orders)
    about = {"about": {"S": "x" * 400}}
    await service.create("obs_named_customers", [{"pk": {"S": f"c{n}"}, **about} for n in range(600)])
    queries = service.queries()

    def sql(condition: str) -> str:
        return (
            "SELECT c.about FROM obs_named_orders o JOIN obs_named_customers c ON o.customer = c.pk "
            f"WHERE o.name {condition}"
        )

    await consumed(queries, sql(learnt))
    confidence = {}
    for condition in (learnt, like, *unlike):
        reads = (await queries.explain_sql(ANN, sql=sql(condition))).reads
        [confidence[condition]] = [read.estimate.confidence for read in reads if read.stage is not None]
    assert confidence == {learnt: "observed", like: "estimated", **dict.fromkeys(unlike, "guessed")}
    for name in ("obs_named_orders", "obs_named_customers"):
        await service.tables.drop(name)


@only_doubles
async def test_plans_are_made_anew_only_for_figures_that_are_off_by_more_than_two(service: Service) -> None:
    queries = await filled(service, "obs_plans")
    sql = "SELECT sum(n) FROM obs_plans WHERE n > 3"

    async def made_anew() -> float:
        _, before = lookups(service.tally, "plans")
        await consumed(queries, sql)
        _, after = lookups(service.tally, "plans")
        return after - before

    assert [await made_anew() for _ in range(3)] == [1, 0, 0]
    await service.put("obs_plans", lines("medium", 300, first=60))
    assert [await made_anew() for _ in range(3)] == [0, 0, 0]
    await service.put("obs_plans", lines("medium", 700, first=360))
    assert [await made_anew() for _ in range(3)] == [0, 1, 0]
    await service.tables.drop("obs_plans")


async def test_figures_are_few_however_many_keys_are_read() -> None:
    clock = SettableClock()
    observations = Observations(clock, figures=1000, of_a_table=400)
    tables = [table([], name=f"t{number}") for number in range(5)]
    for number in range(100_000):
        one = tables[0] if number % 2 else tables[number % 5]
        observations.keep(ANN, one, ("Query", None, (f"k{number}",), ()), Took(number, 1, 1))
        assert len(observations) <= 1000
    last = [observations.took(ANN, tables[0], ("Query", None, (f"k{number}",), ())) for number in (1, 99_999)]
    assert last == [None, Took(99_999, 1, 1)]
    observations.forget(tables[0])
    assert len(observations) <= 600
    clock.time += 7 * 3600
    assert observations.took(ANN, tables[1], ("Query", None, ("k99996",), ())) is None


@only_doubles
async def test_lists_of_keys_are_estimated_by_what_keys_took(service: Service) -> None:
    queries = await filled(service, "obs_keys")
    sql = "SELECT n FROM obs_keys WHERE (pk, n) IN (('large', 3), ('large', 4), ('none', 5))"
    took = await consumed(queries, sql)
    same = await estimated(queries, sql)
    assert (same.read_units, same.confidence) == (took, "observed")
    others = sql.replace("'large', 4", "'large', 7")
    other = await estimated(queries, others)
    assert other.read_units == pytest.approx(took, abs=0.5)
    assert other.confidence == "estimated"
    assert (await estimated(queries, sql, BEN)).confidence != "observed"


@only_doubles
async def test_a_virtual_table_teaches_what_its_caller_was_told(service: Service) -> None:
    forms = [("CUSTOMER#1", f"ORDER#2026-01-0{n % 9 + 1}#{n}") for n in range(40)]
    await service.tables.create("vir_all", (("pk", "S"), ("sk", "S")))
    await service.put("vir_all", [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in [*forms, ("CUSTOMER#1", "PROFILE")]])
    shop = service.schemas.by_name["shop"]
    queries = Service(service.ports, service.clock, (replace(shop, rules={}),)).queries()
    sql = "SELECT order_id FROM vir_orders WHERE customer_id = '1'"
    page = await queries.run_sql(ANN, sql=sql, max_rows=1000)
    cost = await estimated(queries, sql)
    assert (cost.items, cost.read_units) == (page.statistics.items_read, page.statistics.read_units)
    assert cost.confidence == "observed"
    assert (await estimated(queries, sql, BEN)).confidence != "observed"
    await service.tables.drop("vir_all")
