"""A sample is charged to the caller whose call needed it: to their hour and their usage, not to their statement."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.prices import Prices
from mcp_server.domain.principal import Principal
from mcp_server.engine.browsing import BrowsingService
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.usage import UsageService
from mcp_server.ports.catalog import RECENT_SECONDS
from mcp_server.ports.usage import Total
from tests.mcp_server.engine.conftest import ANN, Service, browsing_over

pytestmark = pytest.mark.anyio

ITEMS = 12
PEOPLE = [{"pk": {"S": f"p{number}"}, "owner": {"S": "everybody"}, "level": {"N": "1"}} for number in range(ITEMS)]
TABLES = ("smp_orders", "smp_people", "rul_people", "rul_keyed")


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    for name in TABLES:
        await service.create(name, PEOPLE)


@pytest.fixture
def someone(request: pytest.FixtureRequest, service: Service) -> Principal:
    """A principal who has read nothing yet, at a time when all samples are stale."""
    service.clock.time += service.catalog.stale_after_seconds
    return replace(ANN, subject=request.node.nodeid)


def browsing_of(service: Service, **limits: Any) -> BrowsingService:
    """Over these tables alone: others may be beside them in a shared emulator, and not all are sampled for a list."""
    shop = replace(service.schemas.by_name["shop"], tables=frozenset(TABLES), virtual_tables={})
    limited = replace(service.limits, **limits)
    return browsing_over(Schemas((shop,)), service.catalog, service.clock, limits=limited, usage=service.usage)


async def used(service: Service, principal: Principal) -> dict[str, Total]:
    """What the usage of a principal says of each table."""
    usage = UsageService(records=service.usage, schemas=service.schemas, prices=Prices(), clock=service.clock)
    return {line.read.table: line.read.total for line in (await usage.report(principal)).lines}


Call = Callable[[BrowsingService, QueryService, Principal], Awaitable[object]]
CALLS: dict[str, Call] = {
    "describe_table": lambda browsing, _, who: browsing.describe_table(who, table_name="smp_orders"),
    "another spelling": lambda browsing, _, who: browsing.describe_table(who, table_name="SMP_Orders"),
    "list_tables": lambda browsing, _, who: browsing.list_tables(who, sampled=True),
    "run_sql": lambda _, queries, who: queries.run_sql(who, sql="SELECT 1 FROM smp_orders WHERE false"),
    "explain_sql": lambda _, queries, who: queries.explain_sql(who, sql="SELECT pk FROM smp_orders"),
}


@pytest.mark.parametrize("way", CALLS)
async def test_whoever_needs_a_sample_first_is_charged_for_it(way: str, service: Service, someone: Principal) -> None:
    call = CALLS[way]
    await call(browsing_of(service), service.queries(), someone)
    total = (await used(service, someone))["smp_orders"]
    assert (total.statements, total.items, total.rows) == (0, ITEMS, 0)
    assert total.requests > 0
    assert total.read_units > 0
    another = replace(someone, subject=f"{someone.subject} again")
    await call(browsing_of(service), service.queries(), another)
    assert "smp_orders" not in await used(service, another), "it is known by now"


async def test_a_statement_does_not_count_the_sample_as_its_own(service: Service, someone: Principal) -> None:
    result = await service.run("SELECT count(pk) FROM smp_orders", principal=someone, max_read_units=0.5)
    assert (result.rows, result.statistics.items_read, result.statistics.read_units) == ([[ITEMS]], ITEMS, 0.5)
    total = (await used(service, someone))["smp_orders"]
    assert (total.statements, total.items) == (1, 2 * ITEMS)
    assert total.requests > result.statistics.pages_read
    assert total.read_units > result.statistics.read_units


async def test_a_forced_sample_is_charged_each_time_that_it_is_taken(service: Service, someone: Principal) -> None:
    for expected in (1, 1, 2):
        await service.browsing().describe_table(someone, table_name="smp_orders", refresh="force")
        assert (await used(service, someone))["smp_orders"].items == expected * ITEMS
        service.clock.time += RECENT_SECONDS / 2 + 0.1


async def test_a_column_that_no_sample_shows_is_looked_for_in_one_that_is_charged(
    service: Service, someone: Principal
) -> None:
    await service.sample("smp_orders")
    service.clock.time += 60
    with pytest.raises(Failure):
        await service.run("SELECT nothing FROM smp_orders", principal=someone)
    assert (await used(service, someone))["smp_orders"].items == ITEMS


async def test_samples_count_in_the_hour_of_their_caller(service: Service, someone: Principal) -> None:
    queries = service.queries()
    await queries.explain_sql(someone, sql="SELECT pk FROM smp_orders")
    taken = (await used(service, someone))["smp_orders"].read_units
    assert queries.spending.account(someone).spent == pytest.approx(taken)


async def test_who_has_spent_the_hour_gets_no_sample_and_what_is_known_all_the_same(
    service: Service, someone: Principal
) -> None:
    browsing = browsing_of(service, read_units_per_hour=0.1)
    await browsing.describe_table(someone, table_name="smp_orders")
    for refused in (
        browsing.describe_table(someone, table_name="smp_people"),
        browsing.list_tables(someone, sampled=True, refresh="force"),
    ):
        service.clock.time += RECENT_SECONDS
        with pytest.raises(Failure) as failed:
            await refused
        assert failed.value.code is FailureCode.BUDGET_EXCEEDED
        assert failed.value.retry_after_seconds
    assert set(await used(service, someone)) == {"smp_orders"}
    assert (await browsing.describe_table(someone, table_name="smp_orders")).table.columns
    listing = await browsing.list_tables(someone, sampled=True)
    assert [table.name for table in listing.tables] == ["smp_orders"]
    assert {one.failure.code for one in listing.undescribed} == {FailureCode.BUDGET_EXCEEDED}
    another = replace(someone, subject=f"{someone.subject} again")
    assert (await browsing.describe_table(another, table_name="smp_people")).refreshed


async def test_a_statement_whose_caller_has_spent_the_hour_is_refused_before_the_sample(
    service: Service, someone: Principal
) -> None:
    queries = service.queries(read_units_per_hour=10)
    queries.spending.account(someone).spend(10.1)
    for statement in (queries.run_sql, queries.explain_sql):
        with pytest.raises(Failure) as failed:
            await statement(someone, sql="SELECT pk FROM smp_orders")
        assert failed.value.code is FailureCode.BUDGET_EXCEEDED
    assert await used(service, someone) == {}


async def test_items_that_are_not_there_for_the_caller_are_not_counted(service: Service, someone: Principal) -> None:
    await service.browsing().describe_table(someone, table_name="rul_people")
    total = (await used(service, someone))["rul_people"]
    assert total.items == 0
    assert total.read_units > 0


async def test_a_table_that_is_not_there_for_the_caller_is_not_told_by_their_usage(
    service: Service, someone: Principal
) -> None:
    """Nor by their budget: the service pays for the sample that shows nothing but keys which are kept back."""
    queries = service.queries()
    with pytest.raises(Failure) as failed:
        await queries.explain_sql(someone, sql="SELECT 1 FROM rul_keyed")
    assert failed.value.code is FailureCode.UNKNOWN_TABLE
    assert await used(service, someone) == {}
    assert queries.spending.account(someone).spent == 0
    service.clock.time += RECENT_SECONDS
    admin = replace(someone, subject=f"{someone.subject} admin", roles=frozenset({"admin"}))
    await service.browsing().describe_table(admin, table_name="rul_keyed", refresh="force")
    assert (await used(service, admin))["rul_keyed"].items == ITEMS
