"""From a statement's text to a plan: parse, bind against the catalogue, ask the policy, choose access paths."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple, Unpack

import anyio.to_thread

from mcp_server.access.policy import Deny, decide
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine.browsing import denied
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.tables import find_tables
from mcp_server.planning.access_path import full_scan_of, plan_read
from mcp_server.planning.plan import Read
from mcp_server.ports.catalog import Catalog
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.gate.parse import JsonValue, Statement, parse
from shared_kernel.clock import Clock

Parameters = Sequence[JsonValue] | Mapping[str, JsonValue] | None

REFRESH_AFTER_SECONDS = 10.0
"""An unknown column refreshes a table that was sampled longer ago than this, once per call."""

_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")


@dataclass(frozen=True, slots=True)
class Plan:
    """A bound statement and how each of its relations is read."""

    query: Query
    reads: tuple[Read, ...]

    @property
    def large_scans(self) -> list[Read]:
        """The reads that have to be asked for."""
        return [read for read in self.reads if full_scan_of(read)]


class Planner:
    """Plans statements for principals. Planning computes in a thread, off the event loop."""

    def __init__(self, *, schemas: Schemas, catalog: Catalog, clock: Clock) -> None:
        self._schemas, self._catalog, self._clock = schemas, catalog, clock

    async def parse(self, sql: str, parameters: Parameters) -> Statement:
        """The statement of a text. Raises Failure."""
        return await in_thread(parse, sql, parameters)

    async def plan(self, principal: Principal, schema: Schema, statement: Statement, *, consistent: bool) -> Plan:
        """How a statement would be run; `schema` is the one of unqualified names. Raises Failure."""
        query = await self._bind(principal, schema, statement)
        decision = decide(principal, query.footprint, self._schemas.by_name)
        if isinstance(decision, Deny):
            raise denied(decision)
        return Plan(query, tuple(plan_read(relation, consistent=consistent) for relation in query.relations))

    async def _bind(self, principal: Principal, schema: Schema, statement: Statement) -> Query:
        names = statement.tables
        tables = await find_tables(self._catalog, self._schemas, principal, schema, names)
        try:
            return await in_thread(bind, statement, schema.name, tables)
        except Failure as failure:
            oldest = min((table.refreshed_at for table in tables.values()), default=self._clock.now())
            if failure.code is not FailureCode.UNKNOWN_COLUMN or self._clock.now() - oldest < REFRESH_AFTER_SECONDS:
                raise
        tables = await find_tables(self._catalog, self._schemas, principal, schema, names, "force")
        return await in_thread(bind, statement, schema.name, tables)


async def in_thread(work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
    """Runs pure work that may take long off the event loop. Cancellation does not wait for the thread."""
    return await anyio.to_thread.run_sync(work, *arguments, abandon_on_cancel=True)
