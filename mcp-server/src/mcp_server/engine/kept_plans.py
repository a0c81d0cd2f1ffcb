"""Plans of statements that were sent before, be it with other values: kept whole, or as templates with slots."""

from collections.abc import Mapping
from dataclasses import replace

from mcp_server.domain.failures import Failure
from mcp_server.domain.schema import Table
from mcp_server.engine.literals import Varying
from mcp_server.engine.parsed import Parsed, light_statement
from mcp_server.engine.plan_cache import (
    UNTRIED,
    Asked,
    Plan,
    PlanCache,
    Sent,
    Unrepeated,
    Unslotted,
    asked,
    same_plan,
    sent,
)
from mcp_server.engine.plan_slots import Template, Unfit, carried, carried_by_read
from mcp_server.engine.planned_anew import planned_anew
from mcp_server.engine.slot_values import marked, stand_alike
from mcp_server.planning.plan import Terms
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.ports.tally import Tally
from mcp_server.sql.gate.parameters import by_name
from mcp_server.sql.gate.parse import TableName
from mcp_server.sql.lowering.text_comparisons import MOST as MOST_TEXTS
from mcp_server.sql.slots import ColumnSlots
from mcp_server.sql.slots import slots as column_slots


class KeptPlans:
    """Finds the plan of a statement, or makes it and keeps what may serve others."""

    def __init__(self, cache: PlanCache, heavy: HeavyPlanning, tally: Tally) -> None:
        self._cache, self._heavy, self._tally = cache, heavy, tally

    async def slots(self, text: str, varying: Varying) -> tuple[ColumnSlots, ...]:
        """The values that the plan is made without, once the statement, kept under a text, came twice."""
        found = self._cache.slots(text, varying.values)
        if found is None:
            self._cache.keep_slots(text, varying.values, UNTRIED)
        elif found == UNTRIED:
            values, marks = marked(varying.text, varying.values)
            try:
                found = varying.whole(column_slots(await light_statement(*varying.with_values(values)), marks))
            except Failure:
                found = ()
            self._cache.keep_slots(text, varying.values, found)
        return found if isinstance(found, tuple) else ()

    async def plan(self, parsed: Parsed, schema_name: str, tables: Mapping[TableName, Table], terms: Terms) -> Plan:
        """The plan of a statement over these very tables. Raises Failure."""
        key = parsed.key
        if key is not None and key.slots:
            plan = await self._with_slots(parsed, key, schema_name, tables, terms)
            if plan is not None:
                return plan
            key = sent(key.text, parsed.varying.values)
        if key is None:
            return await planned_anew(self._heavy, parsed, schema_name, tables, terms)
        question = asked(key, schema_name, tables, terms)
        known = self._cache.plan(question, tables)
        if isinstance(known, Plan):
            self._tally.cache_asked("plans", hit=True)
            return known
        plan = await self._with_slots(parsed, self._varying_key(parsed), schema_name, tables, terms)
        if plan is None:
            self._tally.cache_asked("plans", hit=False)
            plan = await planned_anew(self._heavy, parsed, schema_name, tables, terms)
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
        return key_of(parsed.varying, found) if isinstance(found, tuple) else None

    async def _with_template(self, parsed: Parsed, question: Asked, tables: Mapping[TableName, Table]) -> Plan:
        """The plan, of which a template is kept, or that it depends on what fills its slots."""
        self._tally.cache_asked("plans", hit=False)
        plan = await planned_anew(self._heavy, parsed, question.schema, tables, question.terms)
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
            model = await planned_anew(self._heavy, with_marks, question.schema, tables, terms)
            # Whichever primary keys are named, their items are read by these, at what items take.
            read_anew = varying.has_gaps or [read.access for read in model.reads] != ["GetItem"]
            fit = varying.whole(_fit(model, marks, slots, read_anew=read_anew))
            if fit != question.sent.slots:
                return Unslotted(fit)
            reads = () if read_anew else model.reads
            template = Template(Plan(model.query.with_normalized_sql(), reads), marks)
        except (Failure, Unfit):
            return Unslotted()
        filled = _filled(template, varying, terms)
        same = same_plan(filled, plan) and (filled.reads == plan.reads or not read_anew)
        return template if same else Unslotted()


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


def key_of(varying: Varying, slots: tuple[ColumnSlots, ...]) -> Sent | None:
    """What a plan with these slots is kept under; None without any."""
    return sent(varying.text, varying.values, slots) if slots else None
