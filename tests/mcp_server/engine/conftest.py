"""The whole engine, over doubles of its ports and over a real emulator with real DuckDB children.

The contract suites in tests/mcp_server/ports show that both behave alike. Limits are small enough to run into.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import pytest

from mcp_server.adapters.audit_log import AuditedDisclosures, AuditedUsage, UsageOnBoth
from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.metrics import MeteredTally
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.adapters.spool import MemorySpool
from mcp_server.adapters.usage_days import UsageInMemory
from mcp_server.domain.principal import Principal
from mcp_server.domain.restriction import Mask, Rule
from mcp_server.domain.schema import ColumnType, Override, Schema, TypeKind
from mcp_server.domain.virtual_table import Template, VirtualTable
from mcp_server.engine.browsing import BrowsingService
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import QueryResult
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.spending import Spending
from mcp_server.ports.catalog import Catalog
from mcp_server.ports.items import ItemSource
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.ports.relational import RelationalEngine
from mcp_server.ports.usage import UsageLog
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.stores import TablesInMemory, TableStore, tables_of_module
from tests.support.clock import SettableClock
from tests.support.emulator import Emulator

ANN = Principal("acme", "usr_ann", "cli", frozenset({"query", "schemas:read"}), "gid")
EVE = Principal("globex", "usr_eve", "cli", frozenset({"query", "schemas:read"}), "gid")


@dataclass(frozen=True, slots=True)
class Ports:
    """What stands behind the engine, and the tables behind that."""

    tables: TableStore
    catalog: Catalog
    items: ItemSource
    relational: RelationalEngine
    heavy_planning: HeavyPlanning


class Service:
    """Both services, and the tables to fill."""

    def __init__(self, ports: Ports, clock: SettableClock, schemas: tuple[Schema, ...]) -> None:
        self.ports, self.clock = ports, clock
        self.schemas = Schemas(schemas)
        self.catalog, self.tables = ports.catalog, ports.tables
        self.spool = self._spool()
        self.usage = UsageInMemory(clock)
        self.limits = Limits()
        self.tally = MeteredTally()

    def queries(self, **limits: Any) -> QueryService:
        """A query service whose limits differ as told."""
        return self._queries(self.spool, replace(self.limits, **limits))

    def keeping(self, result_bytes: int, **limits: Any) -> QueryService:
        """One that keeps no larger result between pages."""
        return self._queries(self._spool(result_bytes=result_bytes), replace(self.limits, **limits))

    def _spool(self, **sizes: int) -> MemorySpool:
        return MemorySpool(clock=self.clock, entropy=SystemEntropy(), lifetime_seconds=900, **sizes)

    def _queries(self, spool: MemorySpool, limits: Limits) -> QueryService:
        return QueryService(
            schemas=self.schemas,
            catalog=self.catalog,
            items=self.ports.items,
            heavy_planning=self.ports.heavy_planning,
            relational=self.ports.relational,
            spool=spool,
            usage=UsageOnBoth(AuditedUsage(), self.usage),
            disclosures=AuditedDisclosures(),
            cursor_key=b"k" * 32,
            clock=self.clock,
            limits=limits,
            tally=self.tally,
        )

    def replica(self) -> QueryService:
        """Another replica's query service: it shares the key and the tables, and nothing else."""
        return self._queries(self._spool(), self.limits)

    def browsing(self, **limits: Any) -> BrowsingService:
        """A browsing service whose limits differ as told."""
        return browsing_over(
            self.schemas, self.catalog, self.clock, limits=replace(self.limits, **limits), usage=self.usage
        )

    async def run(self, sql: str, principal: Principal = ANN, **arguments: Any) -> QueryResult:
        """run_sql under the default limits."""
        return await self.queries().run_sql(principal, sql=sql, **arguments)

    async def rows(self, sql: str, **arguments: Any) -> list[list[Any]]:
        """The rows alone."""
        return (await self.run(sql, **arguments)).rows

    async def create(self, name: str, items: list[dict[str, Any]], *, range_key: str | None = None) -> None:
        """A table with the partition key pk (S), and a sort key (N) if named."""
        await self.tables.create(name, (("pk", "S"), *([(range_key, "N")] if range_key else [])))
        await self.put(name, items)

    async def sample(self, *names: str) -> None:
        """Has tables of `shop` sampled, so that no statement is the first to need it."""
        for name in names:
            await self.catalog.describe(self.schemas.by_name["shop"], name, "if_stale")

    async def put(self, name: str, items: list[dict[str, Any]]) -> None:
        """Writes items."""
        await self.tables.put(name, items)


def browsing_over(
    schemas: Schemas,
    catalog: Catalog,
    clock: SettableClock,
    *,
    limits: Limits | None = None,
    usage: UsageLog | None = None,
) -> BrowsingService:
    """A browsing service with accounts of its own."""
    limits = limits or Limits()
    return BrowsingService(
        schemas=schemas,
        catalog=catalog,
        spending=Spending(clock, limits.read_units_per_hour),
        usage=UsageOnBoth(AuditedUsage(), usage or UsageInMemory(clock)),
        disclosures=AuditedDisclosures(),
        limits=limits,
    )


def schemas_at(region: str, endpoint_url: str | None) -> tuple[Schema, ...]:
    """Schemas of two tenants over the same tables."""
    times = {
        "ms": ColumnType(TypeKind.TIMESTAMPTZ, unit="ms"),
        "s": ColumnType(TypeKind.TIMESTAMPTZ, unit="s"),
        "us": ColumnType(TypeKind.TIMESTAMPTZ, unit="us"),
        "iso": ColumnType(TypeKind.TIMESTAMPTZ),
    }
    declared_times = {name: Override(type=type_) for name, type_ in times.items()}
    overrides = {
        "eng_declared": {"a": Override(type=ColumnType(TypeKind.BIGINT))},
        **dict.fromkeys(
            ["ins_events", "ins_by_ms", "ins_by_iso", *(f"ins_late{number}" for number in range(8))], declared_times
        ),
    }
    for column in ("created", "expires"):
        units = {"created": Override(type=times["ms"]), "expires": Override(type=times["s"])}
        overrides[f"unit_by_{column}"] = units
        overrides[f"iso_by_{column}"] = dict.fromkeys(units, Override(type=times["iso"]))
    staff = frozenset({"admin"})
    rules = {
        "rul_people": (
            Rule(
                "rul_people",
                except_roles=staff,
                hidden=frozenset({"card", "absent"}),
                masks=(("email", Mask.LAST4), ("phone", Mask.NULL), ("salary", Mask.REDACTED)),
                rows=(("owner", frozenset({"$subject", "everybody"})),),
            ),
            Rule("rul_people", rows=(("level", frozenset({"1", "2"})),)),
        ),
        "rul_columns": (Rule("rul_columns", except_roles=staff, rows=(("owner", frozenset({"$subject"})),)),),
        "rul_counted": (
            Rule(
                "rul_counted",
                masks=(("email", Mask.LAST4),),
                rows=(("owner", frozenset({"$subject", "everybody"})),),
            ),
        ),
        "rul_keyed": (Rule("rul_keyed", except_roles=staff, masks=(("pk", Mask.NULL),)),),
        "rul_own": (Rule("rul_own", except_roles=staff, rows=(("pk", frozenset({"USER#$subject", "$$all"})),)),),
        "rul_closed": (Rule("rul_closed", except_roles=staff, closed=True),),
        "uns_masked": (
            Rule("uns_masked", except_roles=staff, masks=(("nation", Mask.LAST4),), hidden=frozenset({"address"})),
        ),
        "uns_rows": (Rule("uns_rows", except_roles=staff, rows=(("status", frozenset({"O"})),)),),
        "rul_secrets": (Rule("rul_secrets", except_roles=staff, hidden=frozenset({"card", "cash"})),),
        "rul_parts": (Rule("rul_parts", rows=(("pk", frozenset({"$tenant"})),)),),
    }
    virtual = {
        name: VirtualTable(name, "vir_all", tuple((key, Template.parse(form)) for key, form in forms.items()))
        for name, forms in {
            "vir_customers": {"pk": "CUSTOMER#{customer_id}", "sk": "PROFILE"},
            "vir_orders": {"pk": "CUSTOMER#{customer_id}", "sk": "ORDER#{placed_on}#{order_id}"},
            "vir_open": {"sk": "ORDER#{placed_on}#{order_id}", "g": "STATUS#{status}"},
            "vir_guarded": {"pk": "GUARDED#{customer_id}"},
        }.items()
    }
    sales = (("pk", Template.parse("CUSTOMER#{customer_id}")), ("sk", Template.parse("ORDER#{order_id}")))
    virtual["vir_sales"] = VirtualTable("vir_sales", "vir_large", sales)
    virtual["end_orders"] = replace(virtual["vir_sales"], name="end_orders", source="end_all")
    virtual["end_tails"] = VirtualTable("end_tails", "end_all", (("sk", Template.parse("{part}#TAIL")),))
    united = {"pk": "P#{part}", "g": "G#{kind}"}
    virtual["uni_parts"] = VirtualTable(
        "uni_parts", "uni_kinds", tuple((k, Template.parse(f)) for k, f in united.items())
    )
    rules["uni_kinds"] = (Rule("uni_kinds", masks=(("note", Mask.REDACTED),), rows=(("visible", frozenset({"yes"})),)),)
    rules["vir_all"] = (Rule("vir_all", masks=(("secret", Mask.REDACTED),), rows=(("visible", frozenset({"yes"})),)),)
    shop = Schema("shop", "acme", region, endpoint_url, overrides=overrides, rules=rules, virtual_tables=virtual)
    return (
        shop,
        replace(shop, name="narrow", tables=frozenset({"eng_orders", "eng_missing", "brw_orders"}), virtual_tables={}),
        replace(shop, name="asleep", active=False),
        replace(shop, name="rival", tenant="globex", tables=frozenset({"eng_rival"}), virtual_tables={}),
    )


REAL = pytest.param("real", marks=pytest.mark.slow)
only_real = pytest.mark.parametrize("service", [REAL], indirect=True)
"""Marks a test of what only processes or the emulator do."""
only_doubles = pytest.mark.parametrize("service", ["doubles"], indirect=True)
"""Marks a test of what only a double does when it is told to."""


@pytest.fixture(scope="module", params=["doubles", REAL])
async def service(request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    clock = SettableClock()
    if request.param == "doubles":
        tables = TablesInMemory()
        ports = Ports(
            tables, HeldCatalog(tables.held, clock), HeldItems(tables.held), InProcessDuckDb(), InProcessPlanning()
        )
        yield Service(ports, clock, schemas_at("eu-central-1", "http://127.0.0.1:1"))
        return
    emulator: Emulator = request.getfixturevalue("emulator")
    schemas = schemas_at(emulator.region, emulator.endpoint_url)
    async with (
        DynamoDbClients(schemas) as clients,
        DuckDbSandbox(children=3, wait_seconds=20) as sandbox,
        PlanningProcesses(seconds=Limits().planning_seconds) as planning,
        aclosing(DynamoDbCatalog(clients, clock)) as catalog,
        tables_of_module(clients.of(schemas[0])) as emulated,
    ):
        yield Service(Ports(emulated, catalog, DynamoDbItems(clients), sandbox, planning), clock, schemas)
