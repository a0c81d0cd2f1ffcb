"""The whole engine over a real emulator and real DuckDB children, with limits small enough to run into."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.duckdb.sandbox import DuckDbSandbox
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.adapters.spool import MemorySpool
from mcp_server.adapters.usage_log import LoggedUsage
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import ColumnType, Override, Schema, TypeKind
from mcp_server.engine.browsing import BrowsingService
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import QueryResult
from mcp_server.engine.schemas import Schemas
from shared_kernel.entropy import SystemEntropy
from tests.support.clock import SettableClock
from tests.support.emulator import Emulator

ANN = Principal("acme", "usr_ann", "cli", frozenset({"query", "schemas:read"}), "gid")
EVE = Principal("globex", "usr_eve", "cli", frozenset({"query", "schemas:read"}), "gid")


class Service:
    """Both services, and the emulator's client to fill tables with."""

    def __init__(self, emulator: Emulator, clients: DynamoDbClients, sandbox: DuckDbSandbox, schemas: Any) -> None:
        self.clock = SettableClock()
        self.sandbox = sandbox
        self.schemas = Schemas(schemas)
        self.client = clients.of(schemas[0])
        self.catalog = DynamoDbCatalog(clients, self.clock)
        self.items = DynamoDbItems(clients)
        self.spool = MemorySpool(clock=self.clock, entropy=SystemEntropy(), lifetime_seconds=900)
        self.limits = Limits()
        self.heavy_planning = PlanningProcesses(seconds=self.limits.planning_seconds)

    def queries(self, **limits: Any) -> QueryService:
        """A query service whose limits differ as told."""
        return QueryService(
            schemas=self.schemas,
            catalog=self.catalog,
            items=self.items,
            heavy_planning=self.heavy_planning,
            relational=self.sandbox,
            spool=self.spool,
            usage=LoggedUsage(),
            cursor_key=b"k" * 32,
            clock=self.clock,
            limits=replace(self.limits, **limits),
        )

    def browsing(self, **limits: Any) -> BrowsingService:
        """A browsing service whose limits differ as told."""
        return BrowsingService(schemas=self.schemas, catalog=self.catalog, limits=replace(self.limits, **limits))

    async def run(self, sql: str, principal: Principal = ANN, **arguments: Any) -> QueryResult:
        """run_sql under the default limits."""
        return await self.queries().run_sql(principal, sql=sql, **arguments)

    async def rows(self, sql: str, **arguments: Any) -> list[list[Any]]:
        """The rows alone."""
        return (await self.run(sql, **arguments)).rows

    async def create(self, name: str, items: list[dict[str, Any]], *, range_key: str | None = None) -> None:
        """A table with the partition key pk (S), and a sort key (N) if named."""
        keys = [("pk", "S", "HASH"), *([(range_key, "N", "RANGE")] if range_key else [])]
        await self.client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": type_} for key, type_, _ in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, _, kind in keys],
        )
        await self.put(name, items)

    async def put(self, name: str, items: list[dict[str, Any]]) -> None:
        """Writes items, a batch after the other."""
        batches = [items[start : start + 25] for start in range(0, len(items), 25)]
        for start in range(0, len(batches), 8):
            await asyncio.gather(
                *(
                    self.client.batch_write_item(
                        RequestItems={name: [{"PutRequest": {"Item": item}} for item in batch]}
                    )
                    for batch in batches[start : start + 8]
                )
            )


@pytest.fixture(scope="module")
async def service(emulator: Emulator) -> AsyncIterator[Service]:
    overrides = {"eng_declared": {"a": Override(type=ColumnType(TypeKind.BIGINT))}}
    shop = Schema("shop", "acme", emulator.region, emulator.endpoint_url, overrides=overrides)
    schemas = (
        shop,
        replace(shop, name="narrow", tables=frozenset({"eng_orders", "eng_missing", "brw_orders"})),
        replace(shop, name="asleep", active=False),
        replace(shop, name="rival", tenant="globex", tables=frozenset({"eng_rival"})),
    )
    async with DynamoDbClients(schemas) as clients, DuckDbSandbox(children=3, wait_seconds=20) as sandbox:
        made = Service(emulator, clients, sandbox, schemas)
        async with aclosing(made.catalog):
            yield made
