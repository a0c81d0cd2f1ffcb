"""From a statement's text to a plan: parse, bind against the catalogue, ask the policy, choose access paths."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar, TypeVarTuple, Unpack

import anyio.to_thread

from mcp_server.access.policy import Deny, decide
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.cursors import PathClosed
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.literals import Varying, lifted
from mcp_server.engine.plan_cache import (
    UNTRIED,
    Asked,
    Plan,
    PlanCache,
    Sent,
    Spelling,
    Unrepeated,
    Unslotted,
    asked,
    same_plan,
    sent,
)
from mcp_server.engine.plan_slots import Template, Unfit, carried, carried_by_read
from mcp_server.engine.probing import Prober, Probing
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.slot_values import by_name, marked, stand_alike
from mcp_server.engine.table_sizes import TableSizes
from mcp_server.engine.tables import find_table, find_tables
from mcp_server.engine.unknown_names import with_what_is_meant
from mcp_server.planning.pinned import with_pinned_columns
from mcp_server.planning.plan import Pin, Terms
from mcp_server.ports.catalog import Catalog, Payer, Refresh
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.ports.tally import UNTALLIED, Tally
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.binding.weight import MAX_WEIGHT, weight
from mcp_server.sql.canonical_text import canonical_text, folds
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import Statement, TableName, parse
from mcp_server.sql.lowering.text_comparisons import MOST as MOST_TEXTS
from mcp_server.sql.now import at_instant
from mcp_server.sql.slots import ColumnSlots, slots
from shared_kernel.clock import Clock
from shared_kernel.spans import span

TINY_CHARACTERS, TINY_WEIGHT = 200, 50
"""A statement up to this length and weight is parsed and bound at once: a thread would hold others up for as long."""

LIGHT_CHARACTERS = 4_000
"""Statements up to this length are parsed in the service, longer ones beside it. Parsing takes 20 µs per token."""

LONGEST_WITH_SLOTS = 1_000
"""Statements up to this length are looked at for slots: they are parsed and bound twice for it."""

LIGHT_WEIGHT = 1_000
"""Statements up to this weight are bound in the service: about 50 ms at most, in which other callers only share."""

REFRESH_AFTER_SECONDS = 10.0
"""An unknown column refreshes a table that was sampled longer ago than this, once per call."""

_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A statement that passed the gate; `statement` is None when that was found out earlier, or beside the service.

    `instant` is the time of UTC that it asks for wherever it does. `key` is what its plan is kept under, which may be
    that of other spellings: positions are those of `text`. `varying` is the statement as one with other values, and
    `varying_key` what a plan with slots for literals is kept under, None where there are none, or not yet.
    """

    text: str
    parameters: Parameters
    instant: datetime
    tables: frozenset[TableName]
    statement: Statement | None
    key: Sent | None
    varying: Varying
    varying_key: Sent | None = None

    async def again(self) -> Statement | None:
        """The statement at its instant, parsed once more where it has to be; None of a long text. Raises Failure."""
        if self.statement is None and len(self.text) > LIGHT_CHARACTERS:
            return None
        return at_instant(self.statement or await light_statement(self.text, self.parameters), self.instant)


class Planner:
    """Plans statements for principals: light ones in a thread, heavy ones where their planning can be ended."""

    def __init__(
        self,
        *,
        schemas: Schemas,
        catalog: Catalog,
        heavy: HeavyPlanning,
        clock: Clock,
        sizes: TableSizes | None = None,
        tally: Tally = UNTALLIED,
    ) -> None:
        self._schemas, self._catalog, self._heavy, self._clock = schemas, catalog, heavy, clock
        self._sizes, self._tally = sizes or TableSizes(clock), tally
        self._cache = PlanCache()

    async def parse(self, sql: str, parameters: Parameters, instant: datetime | None = None) -> Parsed:
        """The statement of a text, at that instant of UTC, or at the present one. Raises Failure."""
        with span("parse", {}):
            return await self._parsed(sql, parameters, instant or datetime.fromtimestamp(self._clock.now(), UTC))

    async def _parsed(self, sql: str, parameters: Parameters, instant: datetime) -> Parsed:
        known = self._cache.spelling(sql)
        spelling = known or _spelling(sql, parameters)
        without = spelling.without_literals if not parameters else None
        varying = without or Varying(sql, parameters)
        slots = await self._slots(spelling.text, varying) if parameters and len(sql) <= LONGEST_WITH_SLOTS else ()
        key, varying_key = sent(spelling.text, parameters, slots), None
        tables = self._cache.tables(key) if key is not None else None
        if tables is None and without is not None:  # with these literals it was not sent
            varying_key = _open(without, await self._slots(without.text, without))
            tables = self._cache.tables(varying_key) if varying_key is not None else None
        if tables is not None:
            if known is None:
                self._cache.keep_spelling(sql, spelling)
            if varying_key is not None and key is not None:
                self._cache.keep_tables(key, tables)
            return Parsed(sql, parameters, instant, tables, None, key, varying, varying_key)
        if len(sql) > LIGHT_CHARACTERS:
            parsed = Parsed(sql, parameters, instant, await self._heavy.tables(sql, parameters), None, key, varying)
        else:
            statement = await light_statement(sql, parameters)
            if key is not None and known is None:
                if not folds(statement):
                    spelling, key = Spelling(sql, None), replace(key, text=sql)
                    varying, varying_key = Varying(sql, parameters), None
                self._cache.keep_spelling(sql, spelling)
            parsed = Parsed(sql, parameters, instant, statement.tables, statement, key, varying, varying_key)
        for one in (key, varying_key):
            if one is not None:
                self._cache.keep_tables(one, parsed.tables)
        return parsed

    async def _slots(self, text: str, varying: Varying) -> tuple[ColumnSlots, ...]:
        """The values that the plan is made without, once the statement, kept under a text, came twice."""
        found = self._cache.slots(text, varying.values)
        if found is None:
            self._cache.keep_slots(text, varying.values, UNTRIED)
        elif found == UNTRIED:
            values, marks = marked(varying.text, varying.values)
            try:
                found = slots(await light_statement(*varying.with_values(values)), marks)
            except Failure:
                found = ()
            self._cache.keep_slots(text, varying.values, found)
        return found if isinstance(found, tuple) else ()

    async def plan(
        self,
        principal: Principal,
        schema: Schema,
        parsed: Parsed,
        *,
        consistent: bool,
        allow_full_scan: bool = False,
        pin: Pin | None = None,
        prober: Prober,
        payer: Payer,
        estimated: bool = False,
    ) -> Plan:
        """How a statement would be run; `schema` is the one of unqualified names. Raises Failure.

        `payer` pays for samples of its tables, `prober` hears of what it takes to look for columns that these lack.
        `estimated` wants all that is estimated for these very values, ways that are not taken included; a read of
        primary keys that was planned for other ones does not have that.
        `pin` says how a read that goes on was begun.
        """
        if estimated and parsed.key is not None and parsed.key.slots:
            parsed = replace(parsed, key=sent(parsed.key.text, parsed.parameters))
        probing = Probing(self._schemas, self._catalog, prober)
        with span("plan", {}):
            plan = await self._bound(principal, schema, parsed, probing, Terms(consistent, allow_full_scan, pin), payer)
        decision = decide(principal, plan.query.footprint, self._schemas.by_name)
        if isinstance(decision, Deny):
            raise Failure(decision.fact)
        return plan

    async def _bound(
        self, principal: Principal, schema: Schema, parsed: Parsed, probing: Probing, terms: Terms, payer: Payer
    ) -> Plan:
        """The plan; a column that is not known is looked for first in newer samples, then in more of the items."""
        tables = await self._tables(principal, schema, parsed, "if_stale", payer)
        refresh: Refresh = "force"
        while True:
            try:
                return await self._bind(parsed, schema.name, tables, terms)
            except Failure as failure:
                if failure.code is not FailureCode.UNKNOWN_COLUMN and not isinstance(failure.fact, PathClosed):
                    raise
                now = self._clock.now()
                oldest = min((table.refreshed_at for table in tables.values()), default=now)
                # Of a wall clock that was set, one refresh too many is made; then the times are right again.
                if refresh == "skip" or 0 <= now - oldest < REFRESH_AFTER_SECONDS:
                    if not await probing.finds(failure.fact, tables.values()):
                        raise
                    refresh = "skip"
            tables = await self._tables(principal, schema, parsed, refresh, payer)
            refresh = "skip"

    async def _tables(
        self, principal: Principal, schema: Schema, parsed: Parsed, refresh: Refresh, payer: Payer
    ) -> dict[TableName, Table]:
        """The tables of a statement. Raises Failure, with its place and what is meant where a name is not one."""

        async def named(name: str) -> Table | None:
            try:
                found = await find_table(self._catalog, self._schemas, principal, schema, name, "if_stale", payer)
            except Failure:
                return None
            return found.table

        try:
            return await find_tables(self._catalog, self._schemas, principal, schema, parsed.tables, refresh, payer)
        except Failure as failure:
            if failure.code not in (FailureCode.UNKNOWN_TABLE, FailureCode.UNKNOWN_SCHEMA):
                raise
            statement = await parsed.again()
            if statement is None:
                raise
            raise await with_what_is_meant(failure, statement, schema.name, named) from failure

    async def _bind(self, parsed: Parsed, schema_name: str, tables: Mapping[TableName, Table], terms: Terms) -> Plan:
        tables = self._sizes.sized(tables)
        if terms.pin is not None:
            tables = {name: with_pinned_columns(table, terms.pin) for name, table in tables.items()}
        key = parsed.key
        if key is not None and key.slots:
            plan = await self._with_slots(parsed, key, schema_name, tables, terms)
            if plan is not None:
                return plan
            key = sent(key.text, parsed.parameters)
        if key is None:
            return await self._planned(parsed, schema_name, tables, terms)
        question = asked(key, schema_name, tables, terms)
        known = self._cache.plan(question, tables)
        if isinstance(known, Plan):
            self._tally.cache_asked("plans", hit=True)
            return known
        plan = await self._with_slots(parsed, self._varying_key(parsed), schema_name, tables, terms)
        if plan is None:
            self._tally.cache_asked("plans", hit=False)
            plan = await self._planned(parsed, schema_name, tables, terms)
        if not plan.query.timed:
            self._cache.keep_plan(question, tables, plan, len(plan.query.statement))
        return plan

    async def _with_slots(
        self, parsed: Parsed, key: Sent | None, schema_name: str, tables: Mapping[TableName, Table], terms: Terms
    ) -> Plan | None:
        """The plan of which there is a template, or one is kept now; None where it is made for these values alone."""
        values = parsed.varying.values
        while key is not None and key.slots and terms.pin is None:  # whose conditions on keys have values
            question = asked(key, schema_name, tables, terms)
            known = self._cache.plan(question, tables)
            if isinstance(known, Template):
                self._tally.cache_asked("plans", hit=True)
                return _filled(known, parsed.varying, terms)
            if isinstance(known, Unslotted):
                key = sent(key.text, values, known.slots)
            elif known is None and key.is_partly_open:
                # A template is of use for these very values of the others alone: it waits for them to return.
                self._cache.keep_plan(question, tables, Unrepeated(), 0)
                return None
            else:
                return await self._with_template(parsed, question, tables)
        return None

    def _varying_key(self, parsed: Parsed) -> Sent | None:
        """What a plan with slots for literals is kept under, None where it is not known whether there are any."""
        if parsed.varying_key is not None or not parsed.varying.has_gaps:
            return parsed.varying_key
        found = self._cache.slots(parsed.varying.text, parsed.varying.values)
        return _open(parsed.varying, found) if isinstance(found, tuple) else None

    async def _with_template(self, parsed: Parsed, question: Asked, tables: Mapping[TableName, Table]) -> Plan:
        """The plan, of which a template is kept, or that it depends on what fills its slots."""
        self._tally.cache_asked("plans", hit=False)
        plan = await self._planned(parsed, question.schema, tables, question.terms)
        if not plan.query.timed:
            kept = await self._template(parsed, plan, question, tables)
            self._cache.keep_plan(question, tables, kept, 2 * len(plan.query.statement))
        return plan

    async def _template(
        self, parsed: Parsed, plan: Plan, question: Asked, tables: Mapping[TableName, Table]
    ) -> Template[Plan] | Unslotted:
        """A template that gives that plan for the statement as it was sent, else which slots may give one."""
        slots, varying, terms = question.sent.slots, parsed.varying, question.terms
        values, marks = marked(varying.text, varying.values, {name for column in slots for name in column.names})
        given, marked_values = by_name(varying.values), by_name(values)
        slots = tuple(one for one in slots if stand_alike(one, given, marked_values))
        try:
            text, parameters = varying.with_values(values)
            statement = await light_statement(text, parameters)
            with_marks = replace(parsed, text=text, parameters=parameters, statement=statement, key=None)
            model = await self._planned(with_marks, question.schema, tables, terms)
            # Whichever primary keys are named, their items are read by these, at what items take.
            read_anew = varying.has_gaps or [read.access for read in model.reads] != ["GetItem"]
            fit = _fit(model, marks, slots, read_anew=read_anew)
            if fit != question.sent.slots:
                return Unslotted(fit)
            reads = () if read_anew else model.reads
            template = Template(Plan(model.query.with_normalized_sql(), reads), marks)
        except (Failure, Unfit):
            return Unslotted()
        filled = _filled(template, varying, terms)
        same = same_plan(filled, plan) and (filled.reads == plan.reads or not read_anew)
        return template if same else Unslotted()

    async def _planned(self, parsed: Parsed, schema_name: str, tables: Mapping[TableName, Table], terms: Terms) -> Plan:
        statement = await parsed.again()
        heaviness = MAX_WEIGHT if statement is None else weight(statement, tables)
        if statement is None or heaviness > LIGHT_WEIGHT:
            planned = await self._heavy.plan(
                *(parsed.text, parsed.parameters, parsed.instant, schema_name, tables),
                consistent=terms.consistent,
                allow_full_scan=terms.allow_full_scan,
                pin=terms.pin,
            )
            return Plan(*planned)
        work = partial(_plan, statement, schema_name, tables, terms)
        return work() if heaviness <= TINY_WEIGHT else await in_thread(work)


def _spelling(sql: str, parameters: Parameters) -> Spelling:
    """The texts of a statement; one with parameters says by them which of its values may be others."""
    text = canonical_text(sql) if len(sql) <= LIGHT_CHARACTERS else None
    if text is None:
        return Spelling(sql, None)
    return Spelling(text, lifted(text) if not parameters and len(sql) <= LONGEST_WITH_SLOTS else None)


def _open(varying: Varying, slots: tuple[ColumnSlots, ...]) -> Sent | None:
    return sent(varying.text, varying.values, slots) if slots else None


def _fit(
    model: Plan, marks: Mapping[str, str], slots: tuple[ColumnSlots, ...], *, read_anew: bool
) -> tuple[ColumnSlots, ...]:
    """The slots that a plan with marks carries along unread: all of it, or all but how its relations are read."""
    # Where so many texts are looked for, which are the first depends on which of them the sample has.
    if not model.reads or len(model.query.sought) >= MOST_TEXTS:
        return ()
    if read_anew:
        return carried(model.query.relations, marks, slots)
    return carried_by_read(model.reads[0], marks, slots)


def _filled(template: Template[Plan], varying: Varying, terms: Terms) -> Plan:
    """The plan for the values of a statement; how it is read is chosen now if the template has nothing of it."""
    plan = template.filled(by_name(varying.values))
    if plan.reads:
        return plan
    reads = plan.query.reads(consistent=terms.consistent, allow_full_scan=terms.allow_full_scan)
    return replace(plan, reads=reads)


def _plan(statement: Statement, schema_name: str, tables: Mapping[TableName, Table], terms: Terms) -> Plan:
    query = bind(statement, schema_name, tables)
    reads = query.reads(consistent=terms.consistent, allow_full_scan=terms.allow_full_scan, pin=terms.pin)
    return Plan(query, reads)


async def light_statement(sql: str, parameters: Parameters) -> Statement:
    """The statement of a text of at most LIGHT_CHARACTERS. Raises Failure."""
    if len(sql) <= TINY_CHARACTERS:
        return parse(sql, parameters)
    return await in_thread(parse, sql, parameters)


async def in_thread(work: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
    """Runs pure work that may take long off the event loop. Cancellation does not wait for the thread."""
    return await anyio.to_thread.run_sync(work, *arguments, abandon_on_cancel=True)
