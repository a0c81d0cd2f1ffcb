"""The engine over the demo tables, reading as a setting says."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace

import pyarrow as pa

from mcp_server.adapters.audit_log import AuditedDisclosures, AuditedUsage
from mcp_server.adapters.catalog import DynamoDbCatalog
from mcp_server.adapters.dynamodb.clients import DynamoDbClients
from mcp_server.adapters.dynamodb.items import DynamoDbItems
from mcp_server.adapters.planning.processes import PlanningProcesses
from mcp_server.adapters.spool import MemorySpool
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.limits import Limits
from mcp_server.engine.queries import QueryService
from mcp_server.engine.schemas import Schemas
from mcp_server.planning.plan import Read, Request
from mcp_server.planning.requests import Filters, scan_requests
from mcp_server.ports.items import ItemSource, Observer
from mcp_server.ports.relational import RelationalEngine
from shared_kernel import scope
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.relational import InProcessDuckDb

SOMEBODY = Principal("default", "somebody", "somebody", frozenset(scope.RESOURCE_SCOPES), "")
LIMITS = Limits(deadline_seconds=120, read_pages=100_000, confirm_read_units=0)
ONE, PRIME = 1, 997
"""How many items a response of DynamoDB has at most: one, or a prime number, so that responses end anywhere."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a query is read.

    Where nothing is `pushed`, every table is scanned whole, without filters, keys and stages. A response has as many
    items as it can hold, or `response_items` at most. A `warm` query has been planned before. The tables are
    MiniStack's or, `elsewhere`, Dynoxide's.
    """

    pushed: bool
    segments: int
    response_items: int | None
    warm: bool
    elsewhere: bool


class ReadOtherwise(DynamoDbItems):
    """Carries reads out as a setting says."""

    def __init__(self, clients: DynamoDbClients, setting: Setting) -> None:
        super().__init__(clients)
        self._setting = setting

    def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[pa.RecordBatch]:
        """See ItemSource.pages."""
        made = self._otherwise(read)
        if made.access == read.access:
            return super().pages(schema, made, observe)
        # Nothing may be learnt of a planned Query from the Scan in its place.
        return super().pages(schema, made, lambda consumption: observe(replace(consumption, part=None)))

    def _otherwise(self, read: Read) -> Read:
        setting, relation = self._setting, read.relation
        if read.access != "None" and not setting.pushed:
            scans = scan_requests(relation, Filters(()), setting.segments, consistent=read.consistent, goal=None)
            read = replace(read, access="Scan", index=None, requests=tuple(scans), enough=None, lookup=None)
        elif read.access == "Scan" and read.enough is None:
            read = replace(read, requests=_in_segments(read.requests[0], setting.segments))
        limit = setting.response_items
        if limit is not None and read.enough is None:
            read = replace(read, requests=tuple(_limited(one, limit) for one in read.requests))
        return read


def _in_segments(scan: Request, segments: int) -> tuple[Request, ...]:
    shared = {name: value for name, value in scan.arguments.items() if name not in ("Segment", "TotalSegments")}
    if segments == 1:
        return (Request("Scan", shared),)
    return tuple(Request("Scan", {**shared, "Segment": n, "TotalSegments": segments}) for n in range(segments))


def _limited(request: Request, limit: int) -> Request:
    if request.operation == "BatchGetItem":
        return request
    return replace(request, arguments={**request.arguments, "Limit": limit})


@asynccontextmanager
async def serving(
    schema: Schema,
    setting: Setting | None = None,
    *,
    relational: RelationalEngine | None = None,
    limits: Limits = LIMITS,
) -> AsyncIterator[QueryService]:
    """The engine over the demo tables, reading as the setting says, or as it is planned."""
    clock = SystemClock()
    async with (
        DynamoDbClients((schema,)) as clients,
        PlanningProcesses(seconds=limits.planning_seconds) as planning,
        aclosing(DynamoDbCatalog(clients, clock)) as catalog,
    ):
        items: ItemSource = DynamoDbItems(clients) if setting is None else ReadOtherwise(clients, setting)
        yield QueryService(
            schemas=Schemas((schema,)),
            catalog=catalog,
            items=items,
            heavy_planning=planning,
            relational=relational or InProcessDuckDb(),
            spool=MemorySpool(clock=clock, entropy=SystemEntropy(), lifetime_seconds=900),
            usage=AuditedUsage(),
            disclosures=AuditedDisclosures(),
            cursor_key=b"k" * 32,
            clock=clock,
            limits=limits,
        )
