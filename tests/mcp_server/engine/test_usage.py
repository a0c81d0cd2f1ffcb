"""What statements read is told by day and table: one's own to everybody, a workspace's to its owners and admins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from mcp_server.adapters.usage_days import UsageInMemory
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.prices import Prices
from mcp_server.domain.principal import Principal
from mcp_server.domain.restriction import Rule
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.usage import LINES, NAMED_PEOPLE, WITHHELD, UsageReport, UsageService, Whose
from mcp_server.ports.usage import DAYS_KEPT, TableDay, TableUsage, Total, Usage, UsageUnavailable
from mcp_server.surface.tools.usage import listing
from tests.mcp_server.engine.conftest import ANN, EVE, Service, schemas_at
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

OWNER = replace(ANN, subject="usr_owner", roles=frozenset({"owner"}))
PRICES = Prices(million=2_000_000.0)
"""Two dollars a read unit."""


@pytest.fixture(scope="module", autouse=True)
async def tables(service: Service) -> None:
    orders = [
        {"pk": {"S": f"o{number}"}, "customer": {"S": f"c{number % 3}"}, "text": {"S": "x" * 3000}}
        for number in range(30)
    ]
    await service.create("usg_orders", orders)
    await service.create("usg_people", [{"pk": {"S": f"c{number}"}, "name": {"S": "n"}} for number in range(3)])
    await service.sample("usg_orders", "usg_people")


@pytest.fixture
def someone(request: pytest.FixtureRequest) -> Principal:
    """A principal who has read nothing yet."""
    return replace(ANN, subject=request.node.nodeid)


def usage_of(service: Service) -> UsageService:
    return UsageService(records=service.usage, schemas=service.schemas, prices=PRICES, clock=service.clock)


def by_table(report: UsageReport) -> dict[str, tuple[int, int, float]]:
    """By table: statements, items, read units."""
    return {
        line.read.table: (line.read.total.statements, line.read.total.items, line.read.total.read_units)
        for line in report.lines
    }


async def test_each_table_of_a_statement_is_told_by_itself(service: Service, someone: Principal) -> None:
    result = await service.run(
        "SELECT count(*) FROM usg_orders o JOIN usg_people p ON o.customer = p.pk || ''", principal=someone
    )
    assert result.rows == [[30]]
    report = await usage_of(service).report(someone)
    told = by_table(report)
    assert set(told) == {"usg_orders", "usg_people"}
    assert (told["usg_orders"][:2], told["usg_people"][:2]) == ((1, 30), (1, 3))
    assert told["usg_orders"][2] > told["usg_people"][2] > 0
    totals = [line.read.total for line in report.lines]
    assert sum(total.requests for total in totals) == result.statistics.pages_read
    assert [total.rows for total in totals] == [1, 1]
    assert report.read_units == pytest.approx(result.statistics.read_units)
    assert report.usd == pytest.approx(2 * report.read_units)
    assert report.basis == "the operator's price"
    assert report.people is None
    assert report.first.toordinal() == report.last.toordinal() - 6


async def test_what_was_read_where_no_price_is_known_has_none(service: Service, someone: Principal) -> None:
    await service.run("SELECT count(*) FROM usg_people", principal=someone)
    in_china = Schemas((replace(service.schemas.by_name["shop"], region="cn-north-1"),))
    usage = UsageService(records=service.usage, schemas=in_china, prices=Prices(), clock=service.clock)
    report = await usage.report(someone)
    shown = listing(report)
    assert report.read_units > 0
    assert (report.usd, report.basis) == (None, "no price of cn-north-1 is known")
    assert "usd" not in {*shown, *shown["entries"][0]}


async def test_every_way_to_read_counts(service: Service, someone: Principal) -> None:
    """A point read, a count by DynamoDB, keys that another table's rows name, and pages of a list."""
    counts = 0
    for sql in (
        "SELECT text FROM usg_orders WHERE pk = 'o1'",
        "SELECT count(*) FROM usg_orders",
        "SELECT p.name, o.pk FROM usg_orders o JOIN usg_people p ON p.pk = o.customer WHERE o.pk = 'o1'",
    ):
        await service.run(sql, principal=someone)
        counts += 1
        assert by_table(await usage_of(service).report(someone))["usg_orders"][0] == counts
    listed = "SELECT pk FROM usg_orders"
    page = await service.run(listed, principal=someone, max_rows=10)
    await service.run(listed, principal=someone, max_rows=10, cursor=page.next_cursor)
    told = by_table(await usage_of(service).report(someone))
    assert told["usg_orders"][0] == counts + 2
    report = await usage_of(service).report(someone)
    (orders,) = (line.read.total for line in report.lines if line.read.table == "usg_orders")
    assert orders.rows == 3 + 10 + 10
    assert orders.requests >= counts + 2
    assert told["usg_people"][0] == 1


async def test_what_failed_has_read_all_the_same(service: Service, someone: Principal) -> None:
    with pytest.raises(Failure) as failed:
        await service.run("SELECT CAST(text AS INTEGER) FROM usg_orders", principal=someone)
    assert failed.value.code is FailureCode.EVALUATION_ERROR
    assert by_table(await usage_of(service).report(someone))["usg_orders"][0] == 1


async def test_what_reads_nothing_is_no_usage(service: Service, someone: Principal) -> None:
    await service.run("SELECT 1", principal=someone)
    await service.run("SELECT * FROM usg_orders WHERE false", principal=someone)
    report = await usage_of(service).report(someone)
    assert (report.lines, report.read_units, report.usd, report.basis) == ([], 0, 0, "nothing was read")


async def test_only_owners_and_admins_see_what_others_read(service: Service, someone: Principal) -> None:
    await service.run("SELECT count(*) FROM usg_people", principal=someone)
    usage = usage_of(service)
    for role in ("owner", "admin"):
        report = await usage.report(replace(OWNER, roles=frozenset({role})), whose="workspace")
        assert report.people is not None
        assert someone.subject in report.people
        assert "usg_people" in by_table(report)
    for principal in (someone, replace(someone, roles=frozenset({"member"}))):
        with pytest.raises(Failure) as failed:
            await usage.report(principal, whose="workspace")
        assert failed.value.code is FailureCode.ACCESS_DENIED
    other = await usage.report(replace(EVE, roles=frozenset({"owner"})), whose="workspace")
    assert other.people is not None
    assert someone.subject not in other.people
    assert "usg_people" not in by_table(other)
    assert (await usage.report(OWNER)).lines == []


@pytest.mark.parametrize("days", [0, -1, DAYS_KEPT + 1])
async def test_days_are_bounded(service: Service, days: int) -> None:
    with pytest.raises(Failure) as failed:
        await usage_of(service).report(ANN, days=days)
    assert failed.value.code is FailureCode.INVALID_ARGUMENT


def recorded(records: UsageInMemory, table: str, units: float, subject: str = "usr_ann") -> None:
    reads = (TableUsage("shop", table, 1, units),)
    records.record(replace(ANN, subject=subject), Usage("d", (table,), 1, 1, 1, units, 0.0, 0.0, reads))


async def test_days_before_are_left_out_and_the_latest_comes_first() -> None:
    clock = SettableClock()
    records = UsageInMemory(clock)
    usage = UsageService(records=records, schemas=Schemas(schemas_at("eu-central-1", None)), prices=PRICES, clock=clock)
    for number in range(9):
        recorded(records, "small", 1.0)
        recorded(records, "large", 2.0 + number)
        clock.time += 86_400
    clock.time -= 86_400
    report = await usage.report(ANN, days=2)
    assert [(report.last.toordinal() - line.read.day.toordinal(), line.read.table) for line in report.lines] == [
        (0, "large"),
        (0, "small"),
        (1, "large"),
        (1, "small"),
    ]
    assert report.last == datetime.fromtimestamp(clock.now(), UTC).date()
    assert report.usd == 2 * (10.0 + 1.0 + 9.0 + 1.0)
    assert len((await usage.report(ANN, days=31)).lines) == 18


async def test_long_reports_are_cut_and_their_sums_are_not() -> None:
    clock = SettableClock()
    records = UsageInMemory(clock)
    for number in range(LINES + 10):
        recorded(records, f"t{number}", 1.0, subject=f"usr_{number % (NAMED_PEOPLE + 5)}")
    usage = UsageService(records=records, schemas=Schemas(()), prices=Prices(), clock=clock)
    report = await usage.report(OWNER, whose="workspace", days=1)
    assert (len(report.lines), report.truncated, report.read_units) == (LINES, True, LINES + 10)
    assert report.people is not None
    assert len(report.people) == NAMED_PEOPLE
    assert report.basis.startswith("list price of us-east-1"), "that of a schema which is gone"


async def test_tables_of_which_a_rule_keeps_something_are_told_together() -> None:
    """One that is closed to an owner has no name for them, and nobody's items of what is withheld have a number."""
    clock = SettableClock()
    records = UsageInMemory(clock)
    (shop, *others) = schemas_at("eu-central-1", None)
    rules = {
        "vault": (Rule("vault", frozenset({"admin"}), hidden=frozenset({"pk"})),),
        "people": (Rule("people", frozenset({"admin"}), rows=(("owner", frozenset({"$subject"})),)),),
    }
    schemas = Schemas((replace(shop, rules=rules), *others))
    for table, units in (("orders", 1.0), ("vault", 2.0), ("people", 4.0)):
        recorded(records, table, units)
    recorded(records, "orders", 8.0, subject="usr_bob")
    usage = UsageService(records=records, schemas=schemas, prices=PRICES, clock=clock)
    report = await usage.report(OWNER, whose="workspace")
    assert by_table(report) == {WITHHELD: (2, 0, 6.0), "orders": (2, 2, 9.0)}
    assert (report.read_units, report.usd, report.withholds) == (15.0, 30.0, True)
    assert report.people == {"usr_bob": Total(1, read_units=8.0), "usr_ann": Total(3, read_units=7.0)}
    admin = await usage.report(replace(OWNER, roles=frozenset({"admin"})), whose="workspace")
    assert set(by_table(admin)) == {"orders", "vault", "people"}
    assert not admin.withholds
    assert admin.people == {"usr_bob": Total(1, 1, 8.0), "usr_ann": Total(3, 3, 7.0)}
    own = await usage.report(ANN)
    assert by_table(own) == {"orders": (1, 1, 1.0), "vault": (1, 1, 2.0), "people": (1, 1, 4.0)}
    assert not own.withholds, "what one read oneself"


class Away:
    """UsageRecords whose keeper does not answer."""

    def record(self, principal: Principal, usage: Usage) -> None:
        """Takes it."""

    def record_sample(self, principal: Principal, taken: TableUsage) -> None:
        """Takes it."""

    async def of_person(self, tenant: str, subject: str, days: Sequence[date]) -> Sequence[TableDay]:
        """Has no answer."""
        raise UsageUnavailable

    async def of_tenant(self, tenant: str, days: Sequence[date]) -> tuple[Sequence[TableDay], Mapping[str, Total]]:
        """Has no answer."""
        raise UsageUnavailable


@pytest.mark.parametrize("whose", ["mine", "workspace"])
async def test_it_is_said_when_nobody_can_tell(whose: Whose) -> None:
    usage = UsageService(records=Away(), schemas=Schemas(()), prices=Prices(), clock=SettableClock())
    with pytest.raises(Failure) as failed:
        await usage.report(OWNER, whose=whose)
    assert failed.value.code is FailureCode.SOURCE_UNAVAILABLE
    assert failed.value.retry_after_seconds
