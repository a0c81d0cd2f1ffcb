"""What DynamoDB carries out of a statement that runs into its budget: no more than was in flight beyond it.

A proxy hears all that Dynoxide answers, also to requests that were given up, so that what is asserted is not only what
the service says of itself. Read units are Dynoxide's, whose figures are those of AWS.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import PARALLEL_REQUESTS
from mcp_server.adapters.usage_days import UsageInMemory, today
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.budgets import BudgetSpent, BudgetTooSmall, HourSpent
from mcp_server.domain.failures.scans import ScanWentOn
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.meter import Meter
from mcp_server.ports.catalog import Described, Refresh
from mcp_server.ports.usage import TableDay, Usage
from tests.bench.estimates import ReportedItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import EmulatedTables
from tests.mcp_server.doubles.tables import HeldIndex
from tests.mcp_server.engine.conftest import ANN, Ports, Service
from tests.support.clock import SettableClock
from tests.support.dynamodb_emulators import dynoxide_serving
from tests.support.dynamodb_faults import LOST, THROTTLED, Fault, FaultyDynamoDb, faulty
from tests.support.dynamodb_faults import Request as Sent
from tests.support.emulator import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

PARTITIONS, ITEMS_EACH, BYTES = 8, 40, 100_000
"""A page of 1 MB has ten of these items; the table has eight segments."""
FEW_EACH = 12
"""Items of each of two partitions of `few`, which are as large."""
SMALL, LARGE, LARGE_BYTES = 15_000, 1_000, 40_000
"""Of the items of `parts`, whose mean takes half a unit to read; one of the large ones takes 5."""
IN_ALL = {"wide": 3_900.0, "parts": 5_000.0}
"""Read units that reading all of `wide`, or the large items of `parts`, takes at least."""


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are waited for: on a busy machine, proxy and emulator are slow."""
    monkeypatch.setattr("mcp_server.adapters.dynamodb.given_up.HEARD_OUT_SECONDS", 20.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the tables are, and what is known of them."""

    schema: Schema
    catalog: DynamoDbCatalog
    tables: EmulatedTables
    clock: SettableClock


@pytest.fixture(scope="module")
async def place(emulator: Emulator, session_directory: Path) -> AsyncIterator[Place]:
    """The first emulator sets the credentials."""
    with dynoxide_serving(session_directory / "dynoxide-overshoot") as dynoxide:
        clock = SettableClock()
        schema = Schema("shop", "acme", dynoxide.region, dynoxide.endpoint_url)
        async with DynamoDbClients((schema,)) as clients, aclosing(DynamoDbCatalog(clients, clock)) as catalog:
            tables = EmulatedTables(clients.of(schema))
            by_kind = HeldIndex("by_kind", (("kind", "S"), ("n", "N")), frozenset())
            await tables.create("wide", (("pk", "S"), ("n", "N")), [by_kind])
            for partition in range(PARTITIONS):
                for start in range(0, ITEMS_EACH, 8):  # aiohttp warns of bodies of more than 1 MB
                    await tables.put("wide", [wide(partition, number) for number in range(start, start + 8)])
            await tables.create("few", (("pk", "S"), ("n", "N")))
            for number in range(FEW_EACH):
                await tables.put("few", [wide(partition, number) for partition in range(2)])
            await tables.create("parts", (("pk", "S"),))
            await tables.put("parts", [{"pk": {"S": f"a{number}"}} for number in range(SMALL)])
            for start in range(0, LARGE, 20):
                large = range(start, start + 20)
                await tables.put("parts", [{"pk": {"S": f"l{n}"}, "text": text(LARGE_BYTES)} for n in large])
            await tables.create("named", (("pk", "S"), ("n", "N")))
            await tables.put(
                "named", [{"pk": {"S": "a"}, "n": {"N": f"{n}"}, "part": {"S": f"l{n}"}} for n in range(LARGE)]
            )
            for name in ("wide", "few", "parts", "named"):
                await catalog.describe(schema, name, "if_stale")  # now: it would be in some statement's usage
            yield Place(schema, catalog, tables, clock)


def text(size: int) -> dict[str, Any]:
    return {"S": "x" * (size - 60)}


def wide(partition: int, number: int) -> dict[str, Any]:
    kind = {"S": f"k{number % 2}"}
    return {"pk": {"S": f"p{partition}"}, "n": {"N": str(number)}, "kind": kind, "text": text(BYTES)}


@asynccontextmanager
async def through_proxy(place: Place) -> AsyncGenerator[tuple[Service, FaultyDynamoDb]]:
    """A service whose statements read through a proxy, and nothing else does.

    On the way out, all that was asked for has been answered.
    """
    async with faulty(str(place.schema.endpoint_url)) as proxy:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.endpoint_url)  # where botocore finds AWS
            async with DynamoDbClients((replace(place.schema, endpoint_url=None),)) as clients:
                items = ReportedItems(clients)
                ports = Ports(place.tables, place.catalog, items, InProcessDuckDb(), InProcessPlanning())
                yield Service(ports, place.clock, (place.schema,)), proxy
        with anyio.fail_after(30):
            await proxy.ended.wait()


def units_of(proxy: FaultyDynamoDb) -> list[float]:
    """The read units that each of DynamoDB's answers says it took."""
    taken = []
    for body in proxy.carried_out:
        consumed = json.loads(body)["ConsumedCapacity"]
        parts = consumed if isinstance(consumed, list) else [consumed]
        taken.append(sum(part["CapacityUnits"] for part in parts))
    return taken


def read_of(lines: Sequence[TableDay]) -> float:
    """The read units of some lines of usage."""
    return sum(line.total.read_units for line in lines)


class HeardUsage(UsageInMemory):
    """Tells when the rest of a statement was recorded."""

    def __init__(self, clock: SettableClock) -> None:
        super().__init__(clock)
        self.heard = anyio.Event()

    def record(self, principal: Principal, usage: Usage) -> None:
        """See UsageLog."""
        super().record(principal, usage)
        if usage.rest:
            self.heard.set()


def listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


PARTITION_KEYS = listed([f"p{number}" for number in range(PARTITIONS)])
LARGE_KEYS = [f"l{number}" for number in range(LARGE)]


@pytest.mark.parametrize(
    ("sql", "operations", "table", "budget", "in_flight"),
    [
        pytest.param(
            "SELECT n FROM wide ORDER BY text, n LIMIT 3", {"Scan"}, "wide", 1_000.0, PARALLEL_REQUESTS, id="segments"
        ),
        pytest.param(
            "SELECT n FROM wide WHERE n < 0", {"Scan"}, "wide", 1_000.0, PARALLEL_REQUESTS, id="segments of a page"
        ),
        pytest.param(
            f"SELECT sum(n) FROM wide WHERE pk IN ({PARTITION_KEYS})",
            {"Query"},
            "wide",
            1_000.0,
            PARALLEL_REQUESTS,
            id="partitions",
        ),
        pytest.param(
            f"SELECT count(*) FROM wide WHERE pk IN ({PARTITION_KEYS})",
            {"Query"},
            "wide",
            1_000.0,
            PARALLEL_REQUESTS,
            id="partitions counted",
        ),
        pytest.param(
            f"SELECT sum(n) FROM wide WHERE pk IN ({PARTITION_KEYS}) AND (n < 19 OR n > 20)",
            {"Query"},
            "wide",
            1_000.0,
            PARALLEL_REQUESTS,
            id="ranges",
        ),
        pytest.param(
            f"SELECT max(text) FROM parts WHERE pk IN ({listed(LARGE_KEYS)})",
            {"BatchGetItem"},
            "parts",
            550.0,
            PARALLEL_REQUESTS,
            id="keys",
        ),
        pytest.param(
            "SELECT max(p.text) FROM named n JOIN parts p ON n.part = p.pk WHERE n.pk = 'a'",
            {"Query", "BatchGetItem"},
            "parts",
            550.0,
            PARALLEL_REQUESTS,
            id="keys that rows name",
        ),
        pytest.param(
            "SELECT max(text) FROM wide WHERE kind = 'k1' AND n > 0",
            {"Query", "BatchGetItem"},
            "wide",
            600.0,
            1,
            id="keys that an index names",
        ),
    ],
)
async def test_no_more_than_what_is_in_flight_is_read_beyond_the_budget(
    place: Place,
    sql: str,
    operations: set[str],
    table: str,
    budget: float,
    in_flight: int,
) -> None:
    meters: list[Meter] = []
    async with through_proxy(place) as (service, proxy):
        with pytest.raises(Failure) as raised:
            await service.queries().run_sql(
                ANN, sql=sql, max_read_units=budget, allow_full_scan=True, watch=meters.append
            )
    units = units_of(proxy)
    (meter,) = meters
    assert {request.operation for request in proxy.requests} == operations
    assert isinstance(raised.value.fact, BudgetSpent)
    assert budget < sum(units) < IN_ALL[table]
    assert raised.value.fact.spent == meter.read_units == sum(units), "what was given up in flight is told of too"
    assert read_of(await service.usage.of_person(ANN.tenant, ANN.subject, [today(place.clock)])) == sum(units)
    assert proxy.most_at_once <= in_flight
    assert sum(units) <= budget + proxy.most_at_once * max(units)


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT n FROM wide WHERE length(text) = 1", id="page"),
        pytest.param("SELECT n FROM wide WHERE length(text) = 1 LIMIT 10", id="limit"),
        pytest.param("SELECT EXISTS (SELECT 1 FROM wide WHERE pk > 'p7')", id="exists"),
    ],
)
async def test_no_more_than_what_is_in_flight_is_scanned_beyond_what_may_be_unasked(place: Place, sql: str) -> None:
    """The table tells of many more items, of which few are likely to be looked at; none of them is what is wanted."""
    table = (await described(place, "skip")).table
    await place.catalog.learn(replace(table, item_count=200_000, size_bytes=200_000 * 18_000))
    unasked, meters = 2_400.0, list[Meter]()
    result, fact = None, None
    try:
        async with through_proxy(place) as (service, proxy):
            queries = service.queries(confirm_read_units=unasked)
            try:
                result = await queries.run_sql(ANN, sql=sql, watch=meters.append)
            except Failure as failure:
                fact = failure.fact
    finally:
        await described(place, "force")
    units = units_of(proxy)
    if "EXISTS" not in sql:  # a cursor goes on
        assert result is not None
        assert (result.rows, result.stop_reason, result.next_cursor is None) == ([], "scan_limit", False)
        assert result.statistics.read_units == sum(units)
    else:
        assert isinstance(fact, ScanWentOn)
        assert fact.spent == sum(units)
    assert unasked < sum(units) == meters[0].read_units < IN_ALL["wide"]
    assert sum(units) <= unasked + proxy.most_at_once * max(units)


async def described(place: Place, refresh: Refresh) -> Described:
    found = await place.catalog.describe(place.schema, "wide", refresh)
    assert found is not None
    return found


async def test_many_small_budgets_do_not_get_round_the_hour(place: Place) -> None:
    facts: list[object] = []
    async with through_proxy(place) as (service, proxy):
        queries = service.queries(read_units_per_hour=3_000.0)
        while len(facts) < 10 and not (facts and isinstance(facts[-1], HourSpent)):
            with pytest.raises(Failure) as raised:
                await queries.run_sql(
                    ANN, sql=f"SELECT sum(n) FROM wide WHERE pk IN ({PARTITION_KEYS})", max_read_units=1.0
                )
            facts.append(raised.value.fact)
    units = units_of(proxy)
    assert [type(fact) for fact in facts] == [*[BudgetSpent] * (len(facts) - 1), HourSpent]
    assert sum(units) <= 3_000.0 + proxy.most_at_once * max(units)


async def test_a_list_of_keys_that_is_too_long_for_the_budget_is_not_begun(place: Place) -> None:
    async with through_proxy(place) as (service, proxy):
        with pytest.raises(Failure) as raised:
            await service.queries().run_sql(
                ANN, sql=f"SELECT max(text) FROM parts WHERE pk IN ({listed(LARGE_KEYS)})", max_read_units=499.5
            )
    assert raised.value.fact == BudgetTooSmall(500.0, 499.5, Limits().read_units)
    assert proxy.requests == []


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(f"SELECT sum(n) FROM wide WHERE pk IN ({PARTITION_KEYS})", id="queries"),
        pytest.param(f"SELECT count(*) FROM wide WHERE pk IN ({PARTITION_KEYS})", id="counted"),
        pytest.param(f"SELECT max(text) FROM parts WHERE pk IN ({listed(LARGE_KEYS)})", id="keys"),
        pytest.param("SELECT w.n, f.n FROM wide w, few f WHERE w.pk = 'p1' AND f.pk = 'p0'", id="two tables"),
        pytest.param("SELECT n FROM wide WHERE n < 0", id="a page"),
    ],
)
@pytest.mark.parametrize("then", [None, LOST], ids=["answered", "lost"])
async def test_what_is_under_way_when_a_caller_leaves_is_recorded_and_not_repeated(
    place: Place, sql: str, then: Fault | None
) -> None:
    answer, came = asyncio.Event(), asyncio.Event()
    async with through_proxy(place) as (service, proxy):
        service.usage = usage = HeardUsage(place.clock)

        def held(_: Sent) -> Fault:
            came.set()
            return Fault(held=answer, then=then)

        proxy.rule = held
        meters: list[Meter] = []
        calling = asyncio.create_task(
            service.queries().run_sql(ANN, sql=sql, allow_full_scan=True, watch=meters.append)
        )
        with anyio.fail_after(30):
            await came.wait()
            calling.cancel()
            await asyncio.wait((calling,))
            begun = len(proxy.requests)
            under_way = service.ports.items.under_way(meters[0].observers)
            assert under_way is not None
            answer.set()
            await under_way
            if then is None:
                await usage.heard.wait()
    assert calling.cancelled()
    units = units_of(proxy)
    assert len(proxy.requests) == len(units) == begun, "nothing is asked for once the caller has left"
    lines = await service.usage.of_person(ANN.tenant, ANN.subject, [today(place.clock)])
    assert read_of(lines) == (sum(units) if then is None else 0.0)
    assert {line.total.statements for line in lines} <= {0}, "the statement itself had read nothing when it ended"


async def test_what_comes_once_its_caller_has_left_teaches_nothing(place: Place) -> None:
    answer, came = asyncio.Event(), asyncio.Event()
    sql = "SELECT sum(n) FROM named WHERE pk = 'a'"
    async with through_proxy(place) as (service, proxy):
        queries = service.queries()
        before = (await queries.explain_sql(ANN, sql=sql)).cost

        def held(_: Sent) -> Fault:
            came.set()
            return Fault(held=answer)

        proxy.rule = held
        meters: list[Meter] = []
        calling = asyncio.create_task(queries.run_sql(ANN, sql=sql, watch=meters.append))
        with anyio.fail_after(30):
            await came.wait()
            calling.cancel()
            await asyncio.wait((calling,))
            under_way = service.ports.items.under_way(meters[0].observers)
            assert under_way is not None
            answer.set()
            await under_way
        assert calling.cancelled()
        assert meters[0].pages == 1
        assert (await queries.explain_sql(ANN, sql=sql)).cost == before
        await queries.run_sql(ANN, sql=sql)
        assert (await queries.explain_sql(ANN, sql=sql)).cost.confidence == "observed"


async def test_what_is_under_way_when_there_are_rows_enough_counts(place: Place) -> None:
    async with through_proxy(place) as (service, proxy):
        result = await service.run(
            f"SELECT w.n FROM wide w, few f WHERE w.pk IN ({PARTITION_KEYS}) AND f.pk = 'p0' LIMIT 1"
        )
    assert len(result.rows) == 1
    assert result.statistics.read_units == sum(units_of(proxy))


DAMAGED = Fault(b"{}", status=200, checksum="1", passes=True)
"""The request is carried out, and its answer arrives damaged."""
EACH = (LOST, DAMAGED, THROTTLED)


def meet(proxy: FaultyDynamoDb, *faults: Fault) -> None:
    """Each request that is made meets these faults in turn, and is answered when it is made once more."""
    met = Counter[bytes]()

    def rule(request: Sent) -> Fault | None:
        met[request.body] += 1
        return faults[met[request.body] - 1] if met[request.body] <= len(faults) else None

    proxy.rule = rule


SCAN = "SELECT sum(n) FROM few"
SUM = sum(range(FEW_EACH))


@pytest.mark.parametrize(
    ("sql", "rows", "faults"),
    [
        pytest.param(SCAN, [[2 * SUM]], (THROTTLED, THROTTLED), id="scan-throttled"),
        pytest.param(SCAN, [[2 * SUM]], (LOST,), id="scan-lost"),
        pytest.param(SCAN, [[2 * SUM]], (DAMAGED,), id="scan-damaged"),
        pytest.param(SCAN, [[2 * SUM]], (LOST, THROTTLED), id="scan-lost-throttled"),
        pytest.param(SCAN, [[2 * SUM]], (DAMAGED, THROTTLED, DAMAGED), id="scan-damaged-throttled-damaged"),
        pytest.param("SELECT count(*) FROM few", [[2 * FEW_EACH]], EACH, id="count"),
        pytest.param("SELECT n FROM few WHERE n < 0", [], EACH, id="page"),
        pytest.param("SELECT sum(n) FROM few WHERE pk IN ('p0', 'p1')", [[2 * SUM]], EACH, id="query"),
        pytest.param(
            f"SELECT count(text) FROM parts WHERE pk IN ({listed(LARGE_KEYS[:250])})", [[250]], EACH, id="keys"
        ),
        pytest.param(
            "SELECT count(text) FROM wide WHERE kind = 'k1' AND n > 0",
            [[PARTITIONS * ITEMS_EACH // 2]],
            EACH,
            id="looked-up",
        ),
    ],
)
async def test_what_repeated_requests_took_is_counted(
    place: Place, sql: str, rows: list[list[Any]], faults: tuple[Fault, ...]
) -> None:
    async with through_proxy(place) as (service, proxy):
        meet(proxy, *faults)
        result = await service.run(sql, allow_full_scan=True)
    assert result.rows == rows
    units = units_of(proxy)
    once = {request.body for request in proxy.requests}
    assert len(proxy.requests) == (1 + len(faults)) * len(once)
    assert len(units) == (1 + len(faults) - faults.count(THROTTLED)) * len(once)
    assert result.statistics.read_units == sum(units)
