"""What a statement costs is told before it runs: by read and in all, with how sure that is."""

from copy import copy
from dataclasses import replace

import pytest

from mcp_server.domain.prices import AS_OF, Prices
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.surface.wording.confirmations import question as confirmation
from mcp_server.surface.wording.scans import question, verdict
from tests.mcp_server.engine.conftest import ANN, Service

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    items = [{"pk": {"S": f"k{number % 5}"}, "n": {"N": str(number)}, "t": {"S": "x" * 400}} for number in range(200)]
    await service.create("cost_lines", items, range_key="n")


async def test_a_scan_that_references_share_is_paid_once(service: Service) -> None:
    one = await service.queries().explain_sql(ANN, sql="SELECT count(*) FROM cost_lines")
    both = await service.queries().explain_sql(ANN, sql="SELECT count(*) FROM cost_lines a JOIN cost_lines b USING (t)")
    assert one.cost == both.cost
    assert one.cost.read_units > 0


async def test_dollars_follow_read_units_by_the_operators_price(service: Service) -> None:
    queries = service.queries()
    queries.prices = Prices(million=2.0)
    explained = await queries.explain_sql(ANN, sql="SELECT count(*) FROM cost_lines")
    assert explained.cost.dollars.on_demand == pytest.approx(explained.cost.read_units * 2 / 1_000_000)
    assert [one.on_demand for one in explained.dollars] == [explained.cost.dollars.on_demand]
    assert "the operator's price" in explained.plan


async def test_a_plan_says_whose_list_price_it_takes_for_want_of_the_regions(service: Service) -> None:
    away = replace(service.schemas.by_name["shop"], region="eu-north-7")
    queries = copy(service.queries())
    queries._schemas = Schemas((away,))
    explained = await queries.explain_sql(ANN, sql="SELECT count(*) FROM cost_lines")
    assert explained.cost.dollars.basis == f"list price of us-east-1, for want of eu-north-7, {AS_OF}"
    assert explained.cost.dollars.basis in explained.plan


async def test_a_plan_says_that_no_price_of_a_region_is_known(service: Service) -> None:
    in_china = replace(service.schemas.by_name["shop"], region="cn-north-1")
    queries = copy(service.queries(confirm_read_units=1.0))
    queries._schemas = Schemas((in_china,))
    explained = await queries.explain_sql(ANN, sql="SELECT count(t) FROM cost_lines")
    assert (explained.cost.dollars.on_demand, explained.cost.read_units > 1) == (None, True)
    assert " s; no price of cn-north-1 is known\n" in explained.plan
    assert explained.unconfirmed is not None
    assert "read units: no price of cn-north-1 is known. Go on?" in confirmation(explained.unconfirmed)
    asked = question([], explained.reads, explained.cost)
    assert asked.endswith("read units. Its cost: no price of cn-north-1 is known. Go on?")


async def test_what_follows_from_the_statement_is_exact(service: Service) -> None:
    explained = await service.queries().explain_sql(ANN, sql="SELECT * FROM cost_lines WHERE false")
    assert (explained.cost.read_units, explained.cost.confidence) == (0, "exact")


async def test_a_list_says_that_it_is_read_by_page(service: Service) -> None:
    listed = await service.queries().explain_sql(ANN, sql="SELECT * FROM cost_lines")
    counted = await service.queries().explain_sql(ANN, sql="SELECT count(*) FROM cost_lines")
    assert "A page reads until it is full" in listed.plan
    assert "A page reads until it is full" not in counted.plan


def at_pace(service: Service, units_per_second: float | None) -> QueryService:
    """A query service, of which each table is read with so many units per second at most."""
    replica = copy(service)
    schemas = service.schemas.by_name.values()
    replica.schemas = Schemas(tuple(replace(one, read_units_per_second=units_per_second) for one in schemas))
    return replica.queries()


async def test_seconds_follow_the_pace_that_the_operator_allows(service: Service) -> None:
    sql = "SELECT count(*) FROM cost_lines WHERE pk IN ('k0', 'k1', 'k2')"
    fast, slow = [await at_pace(service, pace).explain_sql(ANN, sql=sql) for pace in (None, 0.5)]
    [read] = slow.reads

    assert fast.cost.read_units == slow.cost.read_units
    assert fast.cost.seconds < 1
    assert slow.cost.seconds == read.estimate.seconds == read.estimate.read_units / 0.5
    assert [one.estimate.seconds for one in read.alternatives] == [
        one.estimate.read_units / 0.5 if one.estimate.pages > 1 else one.estimate.seconds for one in read.alternatives
    ]


async def test_reads_of_one_table_share_its_pace(service: Service) -> None:
    sql = "SELECT count(*) FROM cost_lines a JOIN cost_lines b USING (t) WHERE a.pk = 'k0' AND b.pk = 'k1'"
    explained = await at_pace(service, 0.5).explain_sql(ANN, sql=sql)

    assert [read.estimate.pages for read in explained.reads] == [1, 1]
    assert explained.cost.seconds == explained.cost.read_units / 0.5 > 1


async def test_one_page_does_not_wait(service: Service) -> None:
    explained = await at_pace(service, 0.5).explain_sql(ANN, sql="SELECT count(t) FROM cost_lines WHERE pk = 'k0'")

    assert explained.cost.read_units > 0.5
    assert explained.cost.seconds < 1


async def test_a_query_that_is_expected_to_outlast_the_deadline_is_told_so(service: Service) -> None:
    sql = "SELECT count(t) FROM cost_lines WHERE pk IN ('k0', 'k1', 'k2')"
    late, soon = [await at_pace(service, pace).explain_sql(ANN, sql=sql) for pace in (0.02, 5)]
    by_page = await at_pace(service, 0.02).explain_sql(ANN, sql=sql.replace("count(t)", "t"))

    assert verdict(late) == (
        f"It is expected to take about {late.cost.seconds:,.0f} s, and run_sql ends a query, without a result, "
        "after 30 s."
    )
    assert {verdict(soon), verdict(by_page)} == {"It may run as it is."}


async def test_a_read_that_ends_early_is_told_so_and_confirmed_by_all_that_it_may_take(service: Service) -> None:
    items = [{"pk": {"S": f"k{number}"}, "n": {"N": str(number % 2)}, "t": {"S": "x" * 400}} for number in range(1_500)]
    await service.create("cost_many", items)
    sql = "SELECT n FROM cost_many WHERE n = 1"
    queries = service.queries(confirm_read_units=50.0)
    whole = await queries.explain_sql(ANN, sql=sql)
    for early, looked_at, rows in (
        (f"{sql} LIMIT 10", 100, 10),
        (f"{sql.replace('n FROM', 'n + 1 FROM')} LIMIT 10", 100, 10),
        (f"SELECT EXISTS ({sql})", 300, 1),  # a page that is asked for ahead is twice as large
        (f"SELECT pk FROM cost_many WHERE pk IN ('k1', 'k2') AND EXISTS ({sql})", 300, 2),
        (f"{sql} LIMIT 3 OFFSET 2", 100, 3),
    ):
        explained = await queries.explain_sql(ANN, sql=early)
        read = explained.reads[-1]
        assert (read.estimate.items, read.at_most) == (looked_at, whole.reads[0].estimate), early
        assert f"at most: 1500 items, {whole.cost.read_units:g} read units" in explained.plan
        assert explained.unconfirmed is not None
        assert explained.unconfirmed.read_units >= whole.cost.read_units
        result = await service.run(early)
        assert len(result.rows) == rows
        assert result.statistics.read_units <= explained.cost.read_units + 0.5  # each page is rounded up
    for sql in ("SELECT EXISTS (SELECT 1 FROM cost_many WHERE n = 2)", "SELECT n FROM cost_many WHERE n = 2 LIMIT 10"):
        result = await service.run(sql)
        assert result.rows in ([[False]], [])
        assert result.statistics.read_units >= whole.cost.read_units
