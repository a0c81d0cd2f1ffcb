"""The product over a world in memory."""

from collections.abc import AsyncGenerator, Awaitable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from mcp_server.adapters import schemas_file
from mcp_server.adapters.audit_log import AuditedDisclosures, AuditedUsage, UsageOnBoth
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.adapters.spool import MemorySpool
from mcp_server.adapters.usage_days import UsageInMemory
from mcp_server.app.engine import Engine
from mcp_server.app.serving import product
from mcp_server.domain.prices import Prices
from mcp_server.domain.restriction import Rows
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.browsing import BrowsingService
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.usage import UsageService
from mcp_server.planning.plan import Read
from mcp_server.planning.streaming import Key
from mcp_server.ports.catalog import Described, Listing, Payer, Refresh, Resample, Summaries
from mcp_server.ports.items import Observer, Stretch
from mcp_server.surface.tools.confirmation import Confirmations
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.catalog import HeldCatalog
from tests.mcp_server.doubles.items import HeldItems
from tests.mcp_server.doubles.planning import InProcessPlanning
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.doubles.tables import HeldTable, HeldTables
from tests.mcp_server.isolation.callers import Callers, Messages
from tests.mcp_server.isolation.world import World
from tests.mcp_server.surface.exchanges import Exchanges
from tests.support.clock import SettableClock

NOWHERE = "http://127.0.0.1:1"
FULL_SCAN_ITEMS = 20
"""So many items may be scanned unasked: the tables of both sides hold more, so that questions come up."""


class RegionsInMemory:
    """A Catalog and an ItemSource of several regions, each of which is a pair of doubles."""

    stale_after_seconds = HeldCatalog.stale_after_seconds

    def __init__(self, world: World, clock: SettableClock, schemas: Sequence[Schema]) -> None:
        held: dict[str, HeldTables] = {schema.region: {} for schema in schemas}
        for table in world.tables:
            made = HeldTable(table.name, table.key)
            made.put(table.items)
            held[table.region][table.name] = made
        self._catalogs = {region: HeldCatalog(tables, clock) for region, tables in held.items()}
        self._items = {region: HeldItems(tables) for region, tables in held.items()}
        self._regions = {schema.name: schema.region for schema in schemas}

    async def list_tables(self, schema: Schema, refresh: Refresh) -> Listing:
        """See Catalog."""
        return await self._catalogs[schema.region].list_tables(schema, refresh)

    async def summaries(self, schema: Schema, names: Sequence[str], refresh: Refresh) -> Summaries:
        """See Catalog."""
        return await self._catalogs[schema.region].summaries(schema, names, refresh)

    def known(self, schema: Schema, name: str, rows: Rows = ()) -> Table | None:
        """See Catalog."""
        return self._catalogs[schema.region].known(schema, name, rows)

    async def describe(
        self, schema: Schema, name: str, refresh: Resample, rows: Rows = (), *, payer: Payer | None = None
    ) -> Described | None:
        """See Catalog."""
        return await self._catalogs[schema.region].describe(schema, name, refresh, rows, payer=payer)

    async def probe(
        self,
        schema: Schema,
        name: str,
        attribute: str,
        observe: Observer,
        rows: Rows = (),
        *,
        fields: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> bool:
        """See Catalog."""
        catalog = self._catalogs[schema.region]
        return await catalog.probe(schema, name, attribute, observe, rows, fields=fields, hidden=hidden)

    async def learn(self, table: Table) -> None:
        """See Catalog."""
        await self._catalogs[self._regions[table.schema]].learn(table)

    def arrow_schema(self, read: Read) -> pa.Schema:
        """See ItemSource."""
        return self._of(read).arrow_schema(read)

    async def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[pa.RecordBatch]:
        """See ItemSource."""
        async for page in self._of(read).pages(schema, read, observe):
            yield page

    async def count(self, schema: Schema, read: Read, observe: Observer) -> int:
        """See ItemSource."""
        return await self._of(read).count(schema, read, observe)

    async def stretch(
        self, schema: Schema, read: Read, request: int, after: Key | None, limit: int | None, observe: Observer
    ) -> Stretch:
        """See ItemSource."""
        return await self._of(read).stretch(schema, read, request, after, limit, observe)

    def under_way(self, observers: Collection[Observer]) -> Awaitable[None] | None:
        """See ItemSource. What is in memory is there at once."""
        return None

    def _of(self, read: Read) -> HeldItems:
        return self._items[self._regions[read.relation.table.schema]]


def engine_over(world: World, directory: Path, clock: SettableClock) -> Engine:
    """The engine over doubles; the schemas come out of a file that says what the world says."""
    file = directory / "schemas.toml"
    file.write_text(world.schemas_file(NOWHERE))
    read = schemas_file.read(file)
    regions, limits = RegionsInMemory(world, clock, read.schemas), Limits(full_scan_items=FULL_SCAN_ITEMS)
    schemas = Schemas(read.schemas, read.defaults)
    records, prices, disclosures = UsageInMemory(clock), Prices(), AuditedDisclosures()
    usage_log = UsageOnBoth(AuditedUsage(), records)
    queries = QueryService(
        schemas=schemas,
        catalog=regions,
        items=regions,
        heavy_planning=InProcessPlanning(),
        relational=InProcessDuckDb(databases=1),
        spool=MemorySpool(clock=clock, entropy=SystemEntropy(), lifetime_seconds=900),
        usage=usage_log,
        disclosures=disclosures,
        cursor_key=b"k" * 32,
        clock=clock,
        limits=limits,
        prices=prices,
    )
    browsing = BrowsingService(
        schemas=schemas,
        catalog=regions,
        spending=queries.spending,
        usage=usage_log,
        disclosures=disclosures,
        limits=limits,
    )
    usage = UsageService(records=records, schemas=schemas, prices=prices, clock=clock)
    return Engine(cast("Any", None), browsing, queries, usage, limits, cast("Any", None), lambda: True, ())


def callers_in_memory(world: World, directory: Path) -> Callers:
    """Callers of the product over a world in memory."""
    clock = SettableClock()
    confirmations = Confirmations(SingleUseInMemory(clock), SystemEntropy(), lifetime_seconds=600)
    exchanges = Exchanges(product(engine_over(world, directory, clock), confirmations))
    principals = world.principals()

    async def post(
        who: str, document: dict[str, Any], headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], Messages]:
        answer = await exchanges.post(document, headers, principal=principals[who])
        return answer.status, answer.headers, answer.messages

    return Callers(world, post)
