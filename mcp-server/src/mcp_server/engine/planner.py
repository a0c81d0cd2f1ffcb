"""From a statement's text to a plan: parse, bind against the catalogue, ask the policy, choose access paths."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple, Unpack

import anyio.to_thread

from mcp_server.access.policy import Deny, decide
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.browsing import denied
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.tables import find_tables
from mcp_server.planning.access_path import full_scan_of
from mcp_server.planning.plan import Read
from mcp_server.ports.catalog import Catalog
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.binding.weight import MAX_WEIGHT, weight
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import Statement, TableName, parse
from shared_kernel.clock import Clock
from shared_kernel.spans import span

TINY_CHARACTERS, TINY_WEIGHT = 200, 50
"""A statement up to this length and weight is parsed and bound at once: a thread would hold others up for as long."""

LIGHT_CHARACTERS = 4_000
"""Statements up to this length are parsed in the service, longer ones beside it. Parsing takes 20 µs per token."""

LIGHT_WEIGHT = 1_000
"""Statements up to this weight are bound in the service: about 50 ms at most, in which other callers only share."""

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


@dataclass(frozen=True, slots=True)
class Parsed:
    """A statement that passed the gate; `statement` is None when that was found out beside the service."""

    text: str
    parameters: Parameters
    tables: frozenset[TableName]
    statement: Statement | None


class Planner:
    """Plans statements for principals: light ones in a thread, heavy ones where their planning can be ended."""

    def __init__(self, *, schemas: Schemas, catalog: Catalog, heavy: HeavyPlanning, clock: Clock) -> None:
        self._schemas, self._catalog, self._heavy, self._clock = schemas, catalog, heavy, clock

    async def parse(self, sql: str, parameters: Parameters) -> Parsed:
        """The statement of a text. Raises Failure."""
        with span("parse", {}):
            return await self._parsed(sql, parameters)

    async def _parsed(self, sql: str, parameters: Parameters) -> Parsed:
        if len(sql) > LIGHT_CHARACTERS:
            return Parsed(sql, parameters, await self._heavy.tables(sql, parameters), None)
        if len(sql) <= TINY_CHARACTERS:
            statement = parse(sql, parameters)
        else:
            statement = await in_thread(parse, sql, parameters)
        return Parsed(sql, parameters, statement.tables, statement)

    async def plan(self, principal: Principal, schema: Schema, parsed: Parsed, *, consistent: bool) -> Plan:
        """How a statement would be run; `schema` is the one of unqualified names. Raises Failure."""
        with span("plan", {}):
            plan = await self._bound(principal, schema, parsed, consistent=consistent)
        decision = decide(principal, plan.query.footprint, self._schemas.by_name)
        if isinstance(decision, Deny):
            raise denied(decision)
        return plan

    async def _bound(self, principal: Principal, schema: Schema, parsed: Parsed, *, consistent: bool) -> Plan:
        tables = await find_tables(self._catalog, self._schemas, principal, schema, parsed.tables)
        try:
            return await self._bind(parsed, schema.name, tables, consistent=consistent)
        except Failure as failure:
            now = self._clock.now()
            oldest = min((table.refreshed_at for table in tables.values()), default=now)
            # Of a wall clock that was set, one refresh too many is made; then the times are right again.
            if failure.code is not FailureCode.UNKNOWN_COLUMN or 0 <= now - oldest < REFRESH_AFTER_SECONDS:
                raise
        tables = await find_tables(self._catalog, self._schemas, principal, schema, parsed.tables, "force")
        return await self._bind(parsed, schema.name, tables, consistent=consistent)

    async def _bind(
        self, parsed: Parsed, schema_name: str, tables: Mapping[TableName, Table], *, consistent: bool
    ) -> Plan:
        statement = parsed.statement
        heaviness = MAX_WEIGHT if statement is None else weight(statement, tables)
        if statement is None or heaviness > LIGHT_WEIGHT:
            return Plan(
                *await self._heavy.plan(parsed.text, parsed.parameters, schema_name, tables, consistent=consistent)
            )
        if heaviness <= TINY_WEIGHT:
            query = bind(statement, schema_name, tables)
        else:
            query = await in_thread(bind, statement, schema_name, tables)
        return Plan(query, query.reads(consistent=consistent))


async def in_thread(work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
    """Runs pure work that may take long off the event loop. Cancellation does not wait for the thread."""
    return await anyio.to_thread.run_sync(work, *arguments, abandon_on_cancel=True)
