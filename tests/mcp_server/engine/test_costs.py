"""What a statement costs is told before it runs: by read and in all, with how sure that is."""

import pytest

from mcp_server.domain.prices import Prices
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
    assert explained.cost.on_demand_usd == pytest.approx(explained.cost.read_units * 2 / 1_000_000)
    assert [one.on_demand for one in explained.dollars] == [explained.cost.on_demand_usd]
    assert "the operator's price" in explained.plan


async def test_what_follows_from_the_statement_is_exact(service: Service) -> None:
    explained = await service.queries().explain_sql(ANN, sql="SELECT * FROM cost_lines WHERE false")
    assert (explained.cost.read_units, explained.cost.confidence) == (0, "exact")


async def test_a_list_says_that_it_is_read_by_page(service: Service) -> None:
    listed = await service.queries().explain_sql(ANN, sql="SELECT * FROM cost_lines")
    counted = await service.queries().explain_sql(ANN, sql="SELECT count(*) FROM cost_lines")
    assert "A page reads until it is full" in listed.plan
    assert "A page reads until it is full" not in counted.plan
