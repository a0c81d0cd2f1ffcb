"""Cuts results into pages: the first from a run, later ones from the spooled result that a cursor names."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from mcp_server.access.footprint import Footprint, TableAccess
from mcp_server.access.policy import Deny, decide
from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.availability import ResultsUnavailable
from mcp_server.domain.failures.cursors import ResultNotKept, SeenOtherwise
from mcp_server.domain.principal import Principal
from mcp_server.engine import messages
from mcp_server.engine.cursors import Cursors
from mcp_server.engine.execution import Run, StreamedPage
from mcp_server.engine.first_rows import first_rows
from mcp_server.engine.limits import BUSY_SECONDS, Limits
from mcp_server.engine.results import QueryResult, Statistics, StopReason
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.unseen import never_equal, unseen_texts
from mcp_server.engine.views import sight
from mcp_server.planning.cursor import Binding, CursorState, Reading, Spooled, digest
from mcp_server.planning.expectations import expected
from mcp_server.planning.plan import Read
from mcp_server.ports import call_notes
from mcp_server.ports.disclosures import Disclosures
from mcp_server.ports.spool import Spool, SpoolUnavailable
from mcp_server.ports.tally import UNTALLIED, Tally
from shared_kernel.clock import Clock


class Pages:
    """Makes pages and the cursors between them.

    A cursor only works for its principal and its query, and only while that principal sees the same of its tables: rows
    that were kept, or are read on, are those of the first page's caller.
    """

    def __init__(
        self,
        *,
        schemas: Schemas,
        spool: Spool,
        disclosures: Disclosures,
        cursor_key: bytes,
        clock: Clock,
        limits: Limits,
        tally: Tally = UNTALLIED,
    ) -> None:
        self._schemas, self._spool, self._cursors = schemas, spool, Cursors(cursor_key)
        self._disclosures, self._clock, self._limits, self._tally = disclosures, clock, limits, tally

    async def first(
        self, principal: Principal, run: Run, *, started_at: float, query_digest: str, max_rows: int
    ) -> QueryResult:
        """The first rows of a run; what is left waits in the spool, or in the table. Raises Failure."""
        if isinstance(run.result, StreamedPage):
            return self._streamed(principal, run, run.result, started_at=started_at, query_digest=query_digest)
        result = run.result
        rows = await first_rows(result, max_rows, self._limits.page_bytes)
        warnings = self._warnings(principal, run, rows)
        stop_reason: StopReason = "complete" if result.complete else "result_limit"
        next_cursor = None
        if len(rows) < result.table.num_rows:
            spool_id, lost = None, messages.no_later_pages()
            with suppress(SpoolUnavailable):
                spool_id = await self._spool.put(principal, result)
                lost = messages.not_kept(len(rows), result.table.num_rows, complete=result.complete)
            if spool_id is None:
                stop_reason, warnings = "result_limit", (*warnings, lost)
            else:
                stop_reason = "row_limit"
                next_cursor = self._begun(principal, run, Spooled(spool_id, len(rows)), query_digest)
        if not result.complete:
            warnings = (*warnings, messages.cut(result.table.num_rows))
        statistics = self._statistics(run, started_at)
        return QueryResult(result.columns, rows, next_cursor, stop_reason, statistics, warnings)

    def _streamed(
        self, principal: Principal, run: Run, streamed: StreamedPage, *, started_at: float, query_digest: str
    ) -> QueryResult:
        """A page that the reading stopped for: the next one goes on in the table."""
        next_cursor = None
        stop_reason: StopReason = "complete"
        if streamed.place is not None:
            stop_reason = "scan_limit" if streamed.page.cut else "row_limit"
            next_cursor = self._begun(principal, run, streamed.place, query_digest)
        page, warnings = streamed.page, self._warnings(principal, run, streamed.page.rows)
        if page.cut and (ended := run.meter.scan_ended) is not None:
            name = run.plan.reads[0].relation.table.name
            warnings = (*warnings, messages.page_ended(name, ended.items, ended.read_units))
        return QueryResult(
            page.columns, page.rows, next_cursor, stop_reason, self._statistics(run, started_at), warnings
        )

    def _warnings(self, principal: Principal, run: Run, rows: Sequence[Sequence[Any]]) -> tuple[str, ...]:
        """What a reader of a run's rows should know; what of it quotes samples is noted as shown."""
        query = run.plan.query
        has_rows = bool(rows) and list(rows[0]) != [0]
        of_samples = (*unseen_texts(query.sought, has_rows=has_rows), *never_equal(query.unequal, has_rows=has_rows))
        if of_samples:
            tables = {f"{table.schema}.{table.name}" for table in query.footprint.tables}
            self._disclosures.values_shown(principal, tables)
        return (*of_samples, *_warnings(run))

    def _statistics(self, run: Run, started_at: float) -> Statistics:
        ended_at = self._clock.monotonic()
        return Statistics(
            plan_ms=round((run.planned_at - started_at) * 1000, 1),
            exec_ms=round((ended_at - run.planned_at) * 1000, 1),
            items_read=run.meter.items_seen,
            pages_read=run.meter.pages,
            read_units=round(run.meter.read_units, 1),
        )

    def opened(self, principal: Principal, cursor: str, *, query_digest: str) -> CursorState:
        """What a cursor stands for. The policy is asked again. Raises Failure."""
        state = self._cursors.open(cursor, _binding(principal, query_digest), now=self._clock.now())
        footprint = Footprint(tuple(TableAccess(schema, name, frozenset()) for schema, name in state.tables))
        decision = decide(principal, footprint, self._schemas.by_name)
        if isinstance(decision, Deny):
            raise Failure(decision.fact)
        if state.sight != sight(principal, self._schemas.by_name, state.tables):
            raise Failure(SeenOtherwise())
        return state

    async def later(
        self, principal: Principal, state: CursorState, place: Spooled, *, query_digest: str, max_rows: int
    ) -> QueryResult:
        """The rows of a kept result from a place on. Raises Failure."""
        call_notes.current().names(f"{schema}.{table}" for schema, table in state.tables)
        started_at = self._clock.monotonic()
        try:
            part = await self._spool.get(principal, place.spool_id, place.offset, max_rows)
        except SpoolUnavailable:
            raise Failure(ResultsUnavailable(), retry_after_seconds=BUSY_SECONDS) from None
        self._tally.cache_asked("results", hit=part is not None)
        if part is None:
            raise Failure(ResultNotKept())
        result = part.result
        rows = await first_rows(result, max_rows, self._limits.page_bytes)
        end = place.offset + len(rows)
        next_cursor = None
        stop_reason: StopReason = "complete" if result.complete else "result_limit"
        if end < part.total_rows:
            stop_reason = "row_limit"
            next_state = replace(state, place=Spooled(place.spool_id, end))
            next_cursor = self._cursors.seal(next_state, _binding(principal, query_digest))
        exec_ms = round((self._clock.monotonic() - started_at) * 1000, 1)
        statistics = Statistics(plan_ms=0.0, exec_ms=exec_ms, items_read=0, pages_read=0, read_units=0.0)
        warnings = () if result.complete else (messages.cut(part.total_rows),)
        return QueryResult(result.columns, rows, next_cursor, stop_reason, statistics, warnings)

    def _begun(self, principal: Principal, run: Run, place: Spooled | Reading, query_digest: str) -> str:
        """The cursor after a page that was run for."""
        tables = tuple((table.schema, table.name) for table in run.plan.query.footprint.tables)
        state = CursorState(
            place=place,
            expires_at=int(self._clock.now() + self._limits.cursor_seconds),
            tables=tables,
            sight=sight(principal, self._schemas.by_name, tables),
        )
        return self._cursors.seal(state, _binding(principal, query_digest))


def _binding(principal: Principal, query_digest: str) -> Binding:
    return Binding(query_digest, digest(principal.tenant, principal.subject, principal.client_id))


def _warnings(run: Run) -> tuple[str, ...]:
    """What the plan of a run tells, and the values that were met."""
    query, meter = run.plan.query, run.meter
    reads: Sequence[Read] = run.plan.reads
    if any(read.rejected for read in reads):  # their savings are told against what is expected
        reads = run.plan.likely(expected(reads, {read.relation.name: read for read in reads}))
    return (
        *messages.from_zero(query.from_zero),
        *messages.warnings(reads),
        *messages.no_numbers(meter.no_numbers),
        *messages.no_maps(meter.no_maps),
        *messages.no_lists(meter.no_lists),
        *messages.unshown(meter.unshown),
    )
