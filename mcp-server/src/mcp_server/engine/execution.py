"""Runs a plan: DynamoDB's pages stream into the relational engine, within a budget."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.availability import EvaluatorLost
from mcp_server.domain.failures.cursors import ReadOtherwise
from mcp_server.domain.failures.scans import LargeScan
from mcp_server.domain.prices import Prices
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema
from mcp_server.engine import direct
from mcp_server.engine.allowance import Allowance, expected_reads, sure_to_take
from mcp_server.engine.course import Course
from mcp_server.engine.evaluation_failures import failure_of
from mcp_server.engine.limits import Limits
from mcp_server.engine.meter import Meter
from mcp_server.engine.observations import Observations
from mcp_server.engine.parsed import Parsed
from mcp_server.engine.payers import PayingCaller
from mcp_server.engine.plan_cache import Plan
from mcp_server.engine.planner import Planner
from mcp_server.engine.rest import RestOfReads
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.sharing import sources
from mcp_server.engine.spending import Spending
from mcp_server.engine.stages import Intake, Intakes
from mcp_server.engine.streaming import PageOfRows, Streaming
from mcp_server.engine.wider_columns import WiderColumns
from mcp_server.planning.advice import scanned
from mcp_server.planning.cursor import Reading
from mcp_server.planning.pinned import pin_of
from mcp_server.planning.plan import Read
from mcp_server.planning.streaming import Stream, route
from mcp_server.ports import call_notes
from mcp_server.ports.catalog import Catalog
from mcp_server.ports.items import ItemSource, SchemaConflict, TableChanged
from mcp_server.ports.relational import (
    EvaluationError,
    EvaluationLost,
    Input,
    RelationalEngine,
    Result,
    ResultColumn,
    StreamReadTwice,
    View,
)
from mcp_server.ports.usage import UsageLog
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Options:
    """What a caller allows, and asks for, beyond the statement."""

    consistent: bool = False
    allow_full_scan: bool = False
    max_read_units: float | None = None
    confirmed_read_units: float | None = None
    """What a person agreed to, as it was expected then."""
    budget_agrees: bool = True
    """Whether `max_read_units` is an agreement to as much; not where the client can ask its person."""
    max_rows: int = 100
    resume: Reading | None = None
    """Where a page goes on; None for the first."""
    watch: Callable[[Meter], None] | None = None
    """Is handed the meter of the run, to see from beside how far it has come."""

    @property
    def planned_full_scan(self) -> bool:
        """Whether it is planned with scans allowed. Later pages are planned as the first one, whatever they allow."""
        return self.allow_full_scan if self.resume is None else self.resume.full_scan


@dataclass(frozen=True, slots=True)
class StreamedPage:
    """A page of rows, and the place in the read where the next one goes on."""

    page: PageOfRows
    place: Reading | None


@dataclass(frozen=True, slots=True)
class Run:
    """A completed run: the plan that ran, its result or a page of it, what it read, and when planning was done."""

    plan: Plan
    result: Result | StreamedPage
    meter: Meter
    planned_at: float

    @property
    def rows(self) -> int:
        """How many rows the result has, or the page of it."""
        return len(self.result.page.rows) if isinstance(self.result, StreamedPage) else self.result.table.num_rows


class Execution:
    """Plans and runs a statement, and starts again when the data contradicts the plan."""

    def __init__(
        self,
        *,
        planner: Planner,
        schemas: Schemas,
        catalog: Catalog,
        items: ItemSource,
        relational: RelationalEngine,
        usage: UsageLog,
        spending: Spending,
        observations: Observations,
        clock: Clock,
        limits: Limits,
        prices: Prices,
    ) -> None:
        self._planner, self._schemas, self._catalog = planner, schemas, catalog
        self._items, self._relational, self._usage = items, relational, usage
        self._clock, self._limits, self._prices = clock, limits, prices
        self._spending, self._observations = spending, observations
        self._rest = RestOfReads(items, usage)
        self._streaming = Streaming(items=items, relational=relational, limits=limits)

    async def run(self, principal: Principal, schema: Schema, parsed: Parsed, options: Options) -> Run:
        """The statement's result. Raises Failure. What was read is recorded in any case, at last all of it."""
        allowance = Allowance(
            self._limits,
            self._prices,
            self._schemas.by_name,
            allow_full_scan=options.allow_full_scan,
            max_read_units=options.max_read_units,
            confirmed=options.confirmed_read_units,
            budget_agrees=options.budget_agrees,
        )
        account = await self._spending.current(principal)
        meter = Meter(
            self._limits,
            max_read_units=options.max_read_units,
            allow_full_scan=options.allow_full_scan,
            account=account,
            allowance=allowance,
        )
        if options.watch is not None:
            options.watch(meter)
        course = Course(meter, PayingCaller(principal, account, self._schemas, self._usage))
        started_at = self._clock.monotonic()
        try:
            run = await self._run(principal, schema, parsed, options, course, allowance)
            course.rows = run.rows
            await self._rest.heard(meter)
            return run
        except asyncio.CancelledError:
            meter.lessons = None  # what is still under way is counted
            raise
        except Failure as failure:
            meter.lessons = None
            await self._rest.heard(meter)
            if (all_told := meter.all_told(failure, course.reads)) is failure:
                raise
            raise all_told from failure
        finally:
            seconds = self._clock.monotonic() - started_at
            usage = course.usage(schema, parsed, seconds)
            self._usage.record(principal, usage)
            call_notes.current().take(usage)
            self._rest.record(principal, usage, meter, lambda: course.usage(schema, parsed, seconds))

    async def plan(self, principal: Principal, schema: Schema, parsed: Parsed, *, consistent: bool = False) -> Plan:
        """How the statement would be run, if its scans are allowed. Raises Failure. Records what it read for that."""
        account = await self._spending.current(principal)
        meter = Meter(self._limits, max_read_units=None, allow_full_scan=False, account=account)
        course = Course(meter, PayingCaller(principal, account, self._schemas, self._usage))
        started_at = self._clock.monotonic()
        try:
            ask = partial(self._planner.plan, principal, schema, parsed, consistent=consistent, estimated=True)
            plan = await ask(prober=meter.prober, payer=course.payer)
            if plan.large_scans():  # refused as it is; and nobody asks what a refusal would take
                plan = await ask(prober=meter.prober, payer=course.payer, allow_full_scan=True)
            course.plans.append(plan)
            return plan
        finally:
            course.planning_seconds = self._clock.monotonic() - started_at
            usage = course.usage(schema, parsed, None)
            if meter.pages:
                self._usage.record(principal, usage)
            call_notes.current().take(usage)

    async def _run(
        self,
        principal: Principal,
        schema: Schema,
        parsed: Parsed,
        options: Options,
        course: Course,
        allowance: Allowance,
    ) -> Run:
        materialise = lost = False
        wider = WiderColumns(self._catalog, self._schemas)
        changed: set[str] = set()
        while True:
            started_at = self._clock.monotonic()
            try:
                plan = await self._planner.plan(
                    *(principal, schema, parsed),
                    consistent=options.consistent,
                    allow_full_scan=options.planned_full_scan,
                    pin=options.resume.pin if options.resume is not None else None,
                    prober=course.meter.prober,
                    payer=course.payer,
                )
            finally:
                planned_at = self._clock.monotonic()
                course.planning_seconds += planned_at - started_at
            course.plans.append(plan)
            # What goes on was allowed when it began, however large the table has become; what it scans is counted.
            if options.resume is None and not options.allow_full_scan and (large := plan.large_scans(options.max_rows)):
                raise Failure(LargeScan(scanned(large)))
            course.meter.lessons = self._observations.lessons(principal, plan.reads)
            course.reads = plan.reads
            course.meter.begin(sure_to_take(plan))
            if options.resume is None:  # else the first page was confirmed, and what it was sealed with is still so
                reads = expected_reads(plan, self._observations.of(principal, plan.reads))
                course.reads = reads
                allowance.check(plan, reads, options.max_rows)
            try:
                result = await self._computed(plan, parsed, course.meter, options, materialise=materialise)
            except StreamReadTwice:
                if materialise:
                    raise
                materialise = True
            except EvaluationLost as error:  # no row was handed out yet, so nobody sees that it ran twice
                if lost:
                    raise Failure(EvaluatorLost()) from error
                lost = True
            except TableChanged as change:
                if change.table.name in changed:
                    raise change.failure from change
                changed.add(change.table.name)
                table = change.table
                self._observations.forget(table)
                place = self._schemas.by_name[table.schema], table.name
                await self._catalog.describe(*place, "force", table.rows, payer=course.payer)
            except SchemaConflict as conflict:
                await wider.learn(conflict, course.payer)
            else:
                return Run(plan, result, course.meter, planned_at)

    async def _computed(
        self, plan: Plan, parsed: Parsed, meter: Meter, options: Options, *, materialise: bool
    ) -> Result | StreamedPage:
        resume = options.resume
        requests = resume.requests if resume is not None else None
        if resume is not None and resume.left is not None and (first := plan.first_rows(requests)) is not None:
            read, stream, _ = first
            return await self._page(plan, parsed, read, stream, meter, options)
        resumable = plan.resumable(requests)
        if resumable is None:
            if resume is not None:
                raise Failure(ReadOtherwise())
            return await self._compute(plan, parsed, meter, options, materialise=materialise)
        return await self._page(plan, parsed, *resumable, meter, options)

    async def _page(
        self, plan: Plan, parsed: Parsed, read: Read, stream: Stream, meter: Meter, options: Options
    ) -> StreamedPage:
        resume = options.resume
        if resume is not None and resume.route != route(read, stream):
            raise Failure(ReadOtherwise())
        schema = self._schemas.by_name[read.relation.table.schema]
        position, left = (resume.position, resume.left) if resume is not None else (None, None)
        most = options.max_rows if left is None else min(options.max_rows, left)
        try:
            page = await self._streaming.page(schema, read, plan.query, stream, position, max_rows=most, meter=meter)
        except EvaluationError as error:
            raise failure_of(error, stream.statement, plan.reads, await parsed.again()) from error
        return _streamed(page, read, stream, parsed, options, left)

    async def _compute(
        self, plan: Plan, parsed: Parsed, meter: Meter, options: Options, *, materialise: bool
    ) -> Result | StreamedPage:
        if plan.query.number is not None and plan.reads[0].counts:
            return await self._counted(plan.query.number, plan.reads[0], meter)
        if (first := plan.first_rows()) is not None:
            return await self._first(plan, parsed, *first, meter, options)
        async with Intakes(sources(plan.reads), lambda read: self._batches(read, meter), meter) as intakes:
            inputs = [self._input(one, materialise=materialise) for one in await intakes.opened()]
            selected = plan.query.direct
            if selected is None or selected.ordered or not self._limits.direct_rows:
                return await self._evaluated(plan, parsed, inputs)
            (only,) = inputs
            async with aclosing(only.batches):
                found = await direct.answer(selected, plan.reads[0].relation, only, self._limits)
                return found if isinstance(found, Result) else await self._evaluated(plan, parsed, [found])

    async def _first(
        self, plan: Plan, parsed: Parsed, read: Read, stream: Stream, rows: int, meter: Meter, options: Options
    ) -> Result | StreamedPage:
        schema = self._schemas.by_name[read.relation.table.schema]
        try:
            found = await self._streaming.first(
                schema, read, plan.query, stream, rows, max_rows=options.max_rows, meter=meter
            )
        except EvaluationError as error:
            raise failure_of(error, stream.statement, plan.reads, await parsed.again()) from error
        return found if isinstance(found, Result) else _streamed(found, read, stream, parsed, options, rows)

    async def _counted(self, name: str, read: Read, meter: Meter) -> Result:
        schema = self._schemas.by_name[read.relation.table.schema]
        found = await self._items.count(schema, read, meter.observer(read))
        table = pa.table([pa.array([found], pa.int64())], names=[name])
        return Result((ResultColumn(name, "BIGINT"),), table, complete=True)

    async def _evaluated(self, plan: Plan, parsed: Parsed, inputs: Sequence[Input]) -> Result:
        try:
            return await self._relational.run(
                plan.query.statement,
                inputs,
                row_limit=self._limits.result_rows,
                byte_limit=self._limits.result_bytes,
            )
        except EvaluationError as error:
            raise failure_of(error, plan.query.statement, plan.reads, await parsed.again()) from error

    def _input(self, intake: Intake, *, materialise: bool) -> Input:
        source = intake.source
        schema = self._items.arrow_schema(source.read)
        views = tuple(
            View(relation.name, tuple(schema.names[position] for position in source.positions(relation)))
            for relation in source.relations
            if source.shared
        )
        relation = source.read.relation
        return Input(relation.name, schema, intake.batches(), materialise or relation.materialise, views)

    async def _batches(self, read: Read, meter: Meter) -> AsyncGenerator[pa.RecordBatch]:
        schema = self._schemas.by_name[read.relation.table.schema]
        goal, rows, found = read.relation.goal, 0, 0
        certain = goal.conditions if goal is not None else None
        async with aclosing(self._items.pages(schema, read, meter.observer(read))) as pages:
            async for page in pages:
                meter.look(read.relation, page)
                meter.saw(read, page.num_rows)
                rows += page.num_rows
                yield page
                if goal is not None and certain is not None:  # whatever the relational engine reads ahead
                    found += len(direct.meeting(certain, read.relation, page))
                    if found >= goal.rows:
                        return
        if meter.lessons is not None:
            meter.lessons.ended(read, rows)


def _streamed(
    page: PageOfRows, read: Read, stream: Stream, parsed: Parsed, options: Options, left: int | None
) -> StreamedPage:
    """A page, and the place after it, unless there is nothing more, or nothing more is `left` of what was asked for."""
    left = left - len(page.rows) if left is not None else None
    if page.after is None or left == 0:
        return StreamedPage(page, None)
    if options.resume is not None:
        return StreamedPage(page, replace(options.resume, position=page.after, left=left))
    asked = (options.consistent, options.planned_full_scan, parsed.instant, left)
    return StreamedPage(page, Reading(pin_of(read), route(read, stream), len(read.requests), page.after, *asked))
