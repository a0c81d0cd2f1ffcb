"""From a statement's text to a plan: parse, bind against the catalogue, ask the policy, choose access paths."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from mcp_server.access.policy import Deny, decide
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.cursors import PathClosed
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.kept_plans import KeptPlans, key_of
from mcp_server.engine.literals import Varying, lifted
from mcp_server.engine.parsed import LIGHT_CHARACTERS, Parsed, light_statement
from mcp_server.engine.plan_cache import Plan, PlanCache, Spelling, sent
from mcp_server.engine.probing import Prober, Probing
from mcp_server.engine.schemas import Schemas
from mcp_server.engine.table_sizes import TableSizes
from mcp_server.engine.tables import find_table, find_tables
from mcp_server.engine.unknown_names import with_what_is_meant
from mcp_server.planning.pinned import with_pinned_columns
from mcp_server.planning.plan import Pin, Terms
from mcp_server.ports.catalog import Catalog, Payer, Refresh
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.ports.tally import UNTALLIED, Tally
from mcp_server.sql.canonical_text import MARK, canonical_text, folds
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import TableName
from mcp_server.sql.parameter_uses import parameter_uses
from shared_kernel.clock import Clock
from shared_kernel.spans import span

LONGEST_WITH_SLOTS = 1_000
"""Statements up to this length are looked at for slots: they are parsed and bound twice for it."""

REFRESH_AFTER_SECONDS = 10.0
"""An unknown column refreshes a table that was sampled longer ago than this, once per call."""


class Planner:
    """Plans statements for principals, and keeps what may serve others."""

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
        self._sizes, self._cache = sizes or TableSizes(clock), PlanCache()
        self._kept = KeptPlans(self._cache, heavy, tally)

    async def parse(self, sql: str, parameters: Parameters, instant: datetime | None = None) -> Parsed:
        """The statement of a text, at that instant of UTC, or at the present one. Raises Failure."""
        with span("parse", {}):
            return await self._parsed(sql, parameters, instant or datetime.fromtimestamp(self._clock.now(), UTC))

    async def _parsed(self, sql: str, parameters: Parameters, instant: datetime) -> Parsed:
        known = self._cache.spelling(sql)
        spelling = known or _spelling(sql, parameters)
        without = spelling.without_literals if not parameters else None
        apart = spelling.with_uses_apart(parameters)
        varying = without or apart or Varying(sql, parameters)
        text, values = (spelling.text, parameters) if apart is None else (apart.text, apart.values)
        slots = await self._kept.slots(text, varying) if parameters and len(sql) <= LONGEST_WITH_SLOTS else ()
        # What is sent with the mark of canonical texts is for the gate to refuse, though one of those is kept.
        key, varying_key = sent(text, values, slots) if not sql.startswith(MARK) else None, None
        tables = self._cache.tables(key) if key is not None else None
        if tables is None and without is not None:  # with these literals it was not sent
            varying_key = key_of(without, await self._kept.slots(without.text, without))
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
                    spelling, key = Spelling(sql), sent(sql, parameters, slots if apart is None else ())
                    varying, varying_key = Varying(sql, parameters), None
                self._cache.keep_spelling(sql, spelling)
            parsed = Parsed(sql, parameters, instant, statement.tables, statement, key, varying, varying_key)
        for one in (key, varying_key):
            if one is not None:
                self._cache.keep_tables(one, parsed.tables)
        return parsed

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
            parsed = replace(parsed, key=sent(parsed.key.text, parsed.varying.values))
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
        return await self._kept.plan(parsed, schema_name, tables, terms)


def _spelling(sql: str, parameters: Parameters) -> Spelling:
    """The texts of a statement; one with parameters says by them which of its values may be others."""
    text = canonical_text(sql) if len(sql) <= LIGHT_CHARACTERS else None
    if text is None:
        return Spelling(sql)
    if len(sql) > LONGEST_WITH_SLOTS:
        return Spelling(text)
    if parameters:
        return Spelling(text, uses=parameter_uses(text.removeprefix(MARK)))
    return Spelling(text, lifted(text))
