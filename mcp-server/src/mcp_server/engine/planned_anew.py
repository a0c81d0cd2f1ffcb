"""Plans made anew: light ones in the service, heavy ones where their planning can be ended."""

from collections.abc import Mapping
from functools import partial

from mcp_server.domain.schema import Table
from mcp_server.engine.parsed import Parsed, in_thread
from mcp_server.engine.plan_cache import Plan
from mcp_server.planning.plan import Terms
from mcp_server.ports.planning import HeavyPlanning
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.binding.weight import MAX_WEIGHT, weight
from mcp_server.sql.gate.parse import Statement, TableName

TINY_WEIGHT = 200
"""A statement up to this weight is bound at once, which takes no longer than to parse one that is parsed at once."""

LIGHT_WEIGHT = 1_000
"""Statements up to this weight are bound in the service: about 50 ms at most, in which other callers only share."""


async def planned_anew(
    heavy: HeavyPlanning, parsed: Parsed, schema_name: str, tables: Mapping[TableName, Table], terms: Terms
) -> Plan:
    """The plan of a statement for the values that it has. Raises Failure."""
    statement = await parsed.taken()
    heaviness = MAX_WEIGHT if statement is None else weight(statement, tables)
    if statement is None or heaviness > LIGHT_WEIGHT:
        planned = await heavy.plan(
            *(parsed.text, parsed.parameters, parsed.instant, schema_name, tables),
            consistent=terms.consistent,
            allow_full_scan=terms.allow_full_scan,
            pin=terms.pin,
        )
        return Plan(*planned)
    work = partial(_plan, statement, schema_name, tables, terms)
    return work() if heaviness <= TINY_WEIGHT else await in_thread(work)


def _plan(statement: Statement, schema_name: str, tables: Mapping[TableName, Table], terms: Terms) -> Plan:
    query = bind(statement, schema_name, tables)
    reads = query.reads(consistent=terms.consistent, allow_full_scan=terms.allow_full_scan, pin=terms.pin)
    return Plan(query, reads)
