"""run_sql and explain_sql: from text to a page of rows."""

import json
from collections.abc import Callable
from dataclasses import replace

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.arguments import ArgumentNotPositive, ArgumentOutOfRange
from mcp_server.domain.prices import Prices
from mcp_server.domain.principal import Principal
from mcp_server.engine import messages
from mcp_server.engine.admission import Admission
from mcp_server.engine.allowance import Allowance, expected_reads
from mcp_server.engine.costs import cost_in_words, costs_of, paced
from mcp_server.engine.course import statement_digest
from mcp_server.engine.direct import without_duckdb
from mcp_server.engine.execution import Execution, Options
from mcp_server.engine.limits import PAGE_ROWS, Limits
from mcp_server.engine.meter import Meter
from mcp_server.engine.observations import Observations
from mcp_server.engine.pages import Pages
from mcp_server.engine.planner import Planner
from mcp_server.engine.results import Explanation, QueryResult
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.spending import Spending
from mcp_server.planning.access_path import full_scan_of
from mcp_server.planning.cursor import Spooled, digest
from mcp_server.planning.explain import render_plan
from mcp_server.planning.stages import with_conditions
from mcp_server.ports import call_notes
from mcp_server.ports.catalog import Catalog
from mcp_server.ports.disclosures import Disclosures
from mcp_server.ports.items import ItemSource
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.ports.relational import RelationalEngine
from mcp_server.ports.spending import Ledger
from mcp_server.ports.spool import Spool
from mcp_server.ports.tally import UNTALLIED, Tally
from mcp_server.ports.usage import UsageLog
from mcp_server.sql.gate.parameters import Parameters
from shared_kernel.clock import Clock


class QueryService:
    """Runs statements for principals. Every Failure it raises is fit for its caller's eyes."""

    def __init__(
        self,
        *,
        schemas: Schemas,
        catalog: Catalog,
        items: ItemSource,
        heavy_planning: HeavyPlanning,
        relational: RelationalEngine,
        spool: Spool,
        usage: UsageLog,
        disclosures: Disclosures,
        cursor_key: bytes,
        clock: Clock,
        limits: Limits,
        prices: Prices | None = None,
        ledger: Ledger | None = None,
        tally: Tally = UNTALLIED,
    ) -> None:
        self.prices = prices or Prices()
        self._schemas, self._clock, self._limits = schemas, clock, limits
        self.admission = Admission(limits, clock, tally)
        self.spending = Spending(clock, limits.read_units_per_hour, ledger)
        self._observations = Observations(clock)
        self._planner = Planner(
            schemas=schemas,
            catalog=catalog,
            heavy=heavy_planning,
            clock=clock,
            sizes=self._observations.sizes,
            tally=tally,
        )
        self._execution = Execution(
            planner=self._planner,
            schemas=schemas,
            catalog=catalog,
            items=items,
            relational=relational,
            usage=usage,
            spending=self.spending,
            observations=self._observations,
            clock=clock,
            limits=limits,
            prices=self.prices,
        )
        self._pages = Pages(
            schemas=schemas,
            spool=spool,
            disclosures=disclosures,
            cursor_key=cursor_key,
            clock=clock,
            limits=limits,
            tally=tally,
        )

    async def run_sql(
        self,
        principal: Principal,
        *,
        sql: str,
        schema_name: str | None = None,
        parameters: Parameters = None,
        max_rows: int = PAGE_ROWS,
        cursor: str | None = None,
        consistent_read: bool = False,
        allow_full_scan: bool = False,
        max_read_units: float | None = None,
        confirmed_read_units: float | None = None,
        budget_agrees: bool = True,
        watch: Callable[[Meter], None] | None = None,
    ) -> QueryResult:
        """The first page of a statement's result, or with `cursor` a later one of the same run. Raises Failure."""
        call_notes.current().statement = statement_digest(sql)  # before anything can fail
        if not 1 <= max_rows <= self._limits.page_rows:
            raise Failure(ArgumentOutOfRange("max_rows", 1, self._limits.page_rows))
        if max_read_units is not None and not max_read_units > 0:
            raise Failure(ArgumentNotPositive("max_read_units"))
        schema = self._schemas.find(principal, schema_name)
        query_digest = digest(schema.name, sql, json.dumps(parameters, sort_keys=True))
        options = Options(
            *(consistent_read, allow_full_scan, max_read_units, confirmed_read_units, budget_agrees),
            max_rows=max_rows,
            watch=watch,
        )
        if cursor is not None:
            state = self._pages.opened(principal, cursor, query_digest=query_digest)
            if isinstance(state.place, Spooled):
                return await self._pages.later(
                    principal, state, state.place, query_digest=query_digest, max_rows=max_rows
                )
            resume = state.place
            options = replace(
                options,
                consistent=resume.consistent,
                allow_full_scan=allow_full_scan or resume.full_scan,
                resume=resume,
            )
        started_at = self._clock.monotonic()
        async with self.admission.admitted(principal):
            instant = options.resume.instant if options.resume is not None else None
            statement = await self._planner.parse(sql, parameters, instant)
            run = await self._execution.run(principal, schema, statement, options)
        return await self._pages.first(
            principal, run, started_at=started_at, query_digest=query_digest, max_rows=max_rows
        )

    async def explain_sql(
        self,
        principal: Principal,
        *,
        sql: str,
        schema_name: str | None = None,
        parameters: Parameters = None,
        consistent_read: bool = False,
        to_the_end: bool = False,
    ) -> Explanation:
        """How run_sql would read for a statement, and with `to_the_end` if no read ended early. Raises Failure.

        It reads no items but the catalogue's samples, and those among which it looks for a column that they lack.
        """
        call_notes.current().statement = statement_digest(sql)
        schema = self._schemas.find(principal, schema_name)
        async with self.admission.admitted(principal):
            statement = await self._planner.parse(sql, parameters)
            plan = await self._execution.plan(principal, schema, statement, consistent=consistent_read)
        plan = replace(plan, reads=with_conditions(plan.reads))
        reads = expected_reads(plan, self._observations.of(principal, plan.reads))
        allowance = Allowance(self._limits, self.prices, self._schemas.by_name)
        unconfirmed = allowance.refusal(plan, reads, PAGE_ROWS)
        early = () if plan.large_scans() else [one for one in plan.begun(reads, PAGE_ROWS) if full_scan_of(one)]
        if not to_the_end:
            reads = tuple(allowance.bounded(read) for read in plan.likely(reads))
        reads = paced(reads, self._schemas.by_name)
        dollars, cost = costs_of(reads, self._schemas.by_name, self.prices)
        lines = [render_plan(reads, without_duckdb(plan, self._limits)), cost_in_words(cost)]
        by_page, deadline = plan.resumable() is not None, self._limits.deadline_seconds
        budget = self._limits.read_units
        if by_page:
            lines.append(messages.read_by_page())
        for read in early:
            most = allowance.unasked(read)
            lines.append(
                messages.ends_unasked(read, most.items, most.read_units, by_page=by_page, goes_on=plan.goes_on)
            )
        text = "\n".join((*lines, *messages.computed_units(reads, self._schemas.by_name)))
        return Explanation(
            text,
            reads,
            dollars,
            cost,
            plan.query.normalized_sql,
            plan.large_tables,
            unconfirmed,
            ends_after=deadline if cost.seconds > deadline and not by_page else None,
            ends_at=budget if cost.read_units > budget and not by_page else None,
        )
