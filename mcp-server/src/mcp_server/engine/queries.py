"""run_sql and explain_sql: from text to a page of rows."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread
import pyarrow as pa
import structlog

from mcp_server.access.policy import Deny, decide
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine import messages
from mcp_server.engine.browsing import denied
from mcp_server.engine.limits import Limits
from mcp_server.engine.meter import Meter, full_scan_refused
from mcp_server.engine.results import Explanation, QueryResult, Statistics, StopReason
from mcp_server.engine.rows import json_rows
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.sharing import Source, sources
from mcp_server.engine.tables import find_tables
from mcp_server.planning import cursor as cursors
from mcp_server.planning.access_path import full_scan_of, plan_read
from mcp_server.planning.cursor import CursorState
from mcp_server.planning.explain import render_plan
from mcp_server.planning.plan import Read
from mcp_server.ports.catalog import Catalog
from mcp_server.ports.items import ItemSource, SchemaConflict
from mcp_server.ports.relational import Input, RelationalEngine, Result, StreamReadTwice, View
from mcp_server.ports.spool import Spool
from mcp_server.sql.binding.bind import Query, bind
from mcp_server.sql.gate.parse import JsonValue, Statement, parse
from shared_kernel.clock import Clock

_log = structlog.get_logger(__name__)

Parameters = Sequence[JsonValue] | Mapping[str, JsonValue] | None
_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")

REFRESH_AFTER_SECONDS = 10.0
"""An unknown column refreshes a table that was sampled longer ago than this, once per call."""
MAX_CONFLICTS = 4
"""How many times one call may learn of wider columns and start again."""


@dataclass(frozen=True, slots=True)
class _Plan:
    query: Query
    reads: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class _Options:
    consistent: bool
    allow_full_scan: bool
    max_read_units: float | None


class QueryService:
    """Runs statements for principals. Every Failure it raises is fit for its caller's eyes."""

    def __init__(
        self,
        *,
        schemas: Schemas,
        catalog: Catalog,
        items: ItemSource,
        relational: RelationalEngine,
        spool: Spool,
        cursor_key: bytes,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._schemas = schemas
        self._catalog = catalog
        self._items = items
        self._relational = relational
        self._spool = spool
        self._cursor_key = cursor_key
        self._clock = clock
        self._limits = limits
        tenants = {schema.tenant for schema in schemas.by_name.values()}
        self._slots = {tenant: anyio.Semaphore(limits.queries_per_tenant) for tenant in tenants}

    async def run_sql(
        self,
        principal: Principal,
        *,
        sql: str,
        schema_name: str | None = None,
        parameters: Parameters = None,
        max_rows: int = 100,
        cursor: str | None = None,
        consistent_read: bool = False,
        allow_full_scan: bool = False,
        max_read_units: float | None = None,
    ) -> QueryResult:
        """The first page of a statement's result, or with `cursor` a later one of the same run. Raises Failure."""
        if not 1 <= max_rows <= self._limits.page_rows:
            raise messages.argument(f"max_rows must be between 1 and {self._limits.page_rows}.")
        if max_read_units is not None and not max_read_units > 0:
            raise messages.argument("max_read_units must be greater than 0.")
        schema = self._schemas.find(principal, schema_name)
        query_digest = cursors.digest(schema.name, sql, json.dumps(parameters, sort_keys=True))
        if cursor is not None:
            return await self._guarded(lambda: self._later_page(principal, cursor, query_digest, max_rows))
        options = _Options(consistent_read, allow_full_scan, max_read_units)
        return await self._guarded(
            lambda: self._first_page(principal, schema, sql, parameters, options, query_digest, max_rows)
        )

    async def explain_sql(
        self, principal: Principal, *, sql: str, schema_name: str | None = None, parameters: Parameters = None
    ) -> Explanation:
        """How run_sql would read for a statement. Raises Failure; reads no items but the catalogue's samples."""
        schema = self._schemas.find(principal, schema_name)

        async def explain() -> Explanation:
            statement = await _in_thread(parse, sql, parameters)
            plan = await self._plan(principal, schema, statement, consistent=False)
            large = [read for read in plan.reads if full_scan_of(read)]
            verdict = full_scan_refused(large, "it is large").message if large else "It may run as it is."
            text = "\n".join((render_plan(plan.reads), *messages.shared_scans(sources(plan.reads))))
            return Explanation(text, plan.reads, plan.query.normalized_sql, verdict)

        return await self._guarded(lambda: self._admitted(principal, explain))

    async def _first_page(
        self,
        principal: Principal,
        schema: Schema,
        sql: str,
        parameters: Parameters,
        options: _Options,
        query_digest: str,
        max_rows: int,
    ) -> QueryResult:
        started = self._clock.now()
        meter = Meter(self._limits, max_read_units=options.max_read_units, allow_full_scan=options.allow_full_scan)

        async def run() -> tuple[_Plan, Result, float]:
            statement = await _in_thread(parse, sql, parameters)
            return await self._run(principal, schema, statement, options, meter)

        plan, result, planned = await self._admitted(principal, run)
        rows = await _in_thread(json_rows, result, 0, max_rows, self._limits.page_bytes)
        warnings = messages.warnings(plan.reads, self._schemas.by_name)
        stop_reason: StopReason = "complete" if result.complete else "result_limit"
        next_cursor = None
        if len(rows) < result.table.num_rows:
            spool_id = await self._spool.put(principal, result, stop_reason)
            if spool_id is None:
                stop_reason = "result_limit"
            else:
                stop_reason = "row_limit"
                expires_at = self._clock.now() + self._limits.cursor_seconds
                next_cursor = self._seal(principal, spool_id, len(rows), query_digest, expires_at)
        if not result.complete:
            warnings = (*warnings, messages.cut(result.table.num_rows))
        ended = self._clock.now()
        statistics = Statistics(
            plan_ms=round((planned - started) * 1000, 1),
            exec_ms=round((ended - planned) * 1000, 1),
            items_read=meter.items,
            pages_read=meter.pages,
            read_units=round(meter.read_units, 1),
        )
        return QueryResult(result.columns, rows, next_cursor, stop_reason, statistics, warnings)

    async def _later_page(self, principal: Principal, cursor: str, query_digest: str, max_rows: int) -> QueryResult:
        started = self._clock.now()
        state = cursors.open_(
            self._cursor_key,
            cursor,
            now=started,
            query_digest=query_digest,
            principal_digest=_owner(principal),
        )
        spooled = await self._spool.get(principal, state.spool_id)
        if spooled is None:
            raise Failure(
                FailureCode.CURSOR_EXPIRED,
                "The result that this cursor continues is no longer kept.",
                "Run the statement again without a cursor.",
            )
        result = spooled.result
        rows = await _in_thread(json_rows, result, state.offset, max_rows, self._limits.page_bytes)
        end = state.offset + len(rows)
        next_cursor = None
        stop_reason: StopReason = "complete" if result.complete else "result_limit"
        if end < result.table.num_rows:
            stop_reason = "row_limit"
            next_cursor = self._seal(principal, state.spool_id, end, query_digest, state.expires_at)
        exec_ms = round((self._clock.now() - started) * 1000, 1)
        statistics = Statistics(plan_ms=0.0, exec_ms=exec_ms, items_read=0, pages_read=0, read_units=0.0)
        warnings = () if result.complete else (messages.cut(result.table.num_rows),)
        return QueryResult(result.columns, rows, next_cursor, stop_reason, statistics, warnings)

    async def _run(
        self, principal: Principal, schema: Schema, statement: Statement, options: _Options, meter: Meter
    ) -> tuple[_Plan, Result, float]:
        """The plan that ran, its result, and when planning was done."""
        materialise = False
        conflicts: set[tuple[str, str, str]] = set()
        while True:
            plan = await self._plan(principal, schema, statement, consistent=options.consistent)
            large = [read for read in plan.reads if full_scan_of(read)]
            if large and not options.allow_full_scan:
                raise full_scan_refused(large, "that is more than may be scanned unasked")
            planned = self._clock.now()
            try:
                return plan, await self._execute(plan, meter, materialise=materialise), planned
            except StreamReadTwice:
                if materialise:
                    raise
                materialise = True
            except SchemaConflict as conflict:
                await self._catalog.learn(conflict.table)
                again = {(conflict.table.schema, conflict.table.physical_name, name) for name in conflict.columns}
                if again & conflicts or len(conflicts) >= MAX_CONFLICTS:
                    raise messages.type_conflict(conflict) from conflict
                conflicts |= again

    async def _plan(self, principal: Principal, schema: Schema, statement: Statement, *, consistent: bool) -> _Plan:
        names = statement.tables
        tables = await find_tables(self._catalog, self._schemas, principal, schema, names)
        try:
            query = await _in_thread(bind, statement, schema.name, tables)
        except Failure as failure:
            oldest = min((table.refreshed_at for table in tables.values()), default=self._clock.now())
            if failure.code is not FailureCode.UNKNOWN_COLUMN or self._clock.now() - oldest < REFRESH_AFTER_SECONDS:
                raise
            tables = await find_tables(self._catalog, self._schemas, principal, schema, names, "force")
            query = await _in_thread(bind, statement, schema.name, tables)
        decision = decide(principal, query.footprint, self._schemas.by_name)
        if isinstance(decision, Deny):
            raise denied(decision)
        return _Plan(query, tuple(plan_read(relation, consistent=consistent) for relation in query.relations))

    async def _execute(self, plan: _Plan, meter: Meter, *, materialise: bool) -> Result:
        feeds = sources(plan.reads)
        inputs = [self._input(source, meter, materialise=materialise) for source in feeds]
        try:
            return await self._relational.run(
                plan.query.statement,
                inputs,
                row_limit=self._limits.result_rows,
                byte_limit=self._limits.result_bytes,
            )
        except Failure as failure:
            raise messages.with_table_names(failure, plan.reads) from failure

    def _input(self, source: Source, meter: Meter, *, materialise: bool) -> Input:
        schema = self._items.arrow_schema(source.read)
        views = tuple(
            View(relation.name, tuple(schema.names[position] for position in source.positions(relation)))
            for relation in source.relations
            if source.shared
        )
        relation = source.read.relation
        batches = self._batches(source.read, meter)
        return Input(relation.name, schema, batches, materialise or relation.materialise, views)

    async def _batches(self, read: Read, meter: Meter) -> AsyncGenerator[pa.RecordBatch]:
        schema = self._schemas.by_name[read.relation.table.schema]
        async with aclosing(self._items.pages(schema, read, meter.observer(read))) as pages:
            async for page in pages:
                yield page.batch

    async def _admitted(self, principal: Principal, work: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Runs within the tenant's share and the deadline."""
        slots = self._slots[principal.tenant]
        with anyio.move_on_after(self._limits.queue_seconds) as waiting:
            await slots.acquire()
        if waiting.cancelled_caught:
            raise messages.busy(self._limits.queries_per_tenant)
        try:
            with anyio.move_on_after(self._limits.deadline_seconds):
                return await work()
            raise messages.deadline(self._limits.deadline_seconds)
        finally:
            slots.release()

    async def _guarded(self, work: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            return await work()
        except Failure:
            raise
        except Exception:
            _log.exception("query_failed")
            raise messages.internal() from None

    def _seal(self, principal: Principal, spool_id: str, offset: int, query_digest: str, expires_at: float) -> str:
        state = CursorState(
            spool_id=spool_id,
            offset=offset,
            query_digest=query_digest,
            principal_digest=_owner(principal),
            expires_at=int(expires_at),
        )
        return cursors.seal(self._cursor_key, state)


async def _in_thread(work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
    """Pure work that may take long, off the event loop; who is cancelled does not wait for its end."""
    return await anyio.to_thread.run_sync(work, *arguments, abandon_on_cancel=True)


def _owner(principal: Principal) -> str:
    return cursors.digest(principal.tenant, principal.subject, principal.client_id)
