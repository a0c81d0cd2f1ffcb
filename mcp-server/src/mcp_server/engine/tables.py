"""Finds the tables that a statement names, as far as its principal may see them."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from mcp_server.access.policy import Deny
from mcp_server.access.rules import closes
from mcp_server.domain.failures import Fact, Failure, Position
from mcp_server.domain.failures.schemas import DisabledSchema, UnknownSchema
from mcp_server.domain.failures.tables import AmbiguousTable, UnknownTable
from mcp_server.domain.names import Ambiguous, Found, find_name
from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Schema, Table
from mcp_server.engine.schemas import Schemas
from mcp_server.ports.catalog import Catalog, Described, Payer, Refresh, Resample
from mcp_server.sql.gate.parse import Statement, TableName
from mcp_server.sql.tables import place_of_schema, place_of_table


async def find_table(
    catalog: Catalog, schemas: Schemas, principal: Principal, schema: Schema, name: str, refresh: Resample, payer: Payer
) -> Described:
    """What a principal may see of the table of that name: exact spelling first, then any case if that is unique.

    One that is not there for the principal is reported as unknown. Raises Failure: unknown_table, ambiguous_name,
    budget_exceeded where it has to be sampled.
    """

    async def seen(name: str) -> Described | None:
        if closes(principal, schema, name):
            return None
        rows = schemas.views.rows(principal, schema, name)
        found = await catalog.describe(schema, name, refresh, rows, payer=payer)
        view = _view(schemas, principal, schema, found.table) if found is not None else None
        if found is None or view is None:
            return None
        return found if view is found.table else replace(found, table=view)

    described = await seen(name)
    if described is not None:
        return described
    match find_name(name, await table_names(catalog, schemas, principal, schema)):
        case Found(found) if found != name:
            described = await seen(found)
            if described is not None:
                return described
            near: tuple[str, ...] = ()
        case Ambiguous(candidates):
            raise Failure(AmbiguousTable(name, candidates))
        case found_or_not:
            near = getattr(found_or_not, "near", ())
    raise Failure(UnknownTable(name, schema.name, near))


def known_table(catalog: Catalog, schemas: Schemas, principal: Principal, schema: Schema, name: str) -> Table | None:
    """What a principal may see of the table of exactly that name, if that is known and no reason to look again."""
    if closes(principal, schema, name):
        return None
    found = catalog.known(schema, name, schemas.views.rows(principal, schema, name))
    return _view(schemas, principal, schema, found) if found is not None else None


def _view(schemas: Schemas, principal: Principal, schema: Schema, table: Table) -> Table | None:
    """What there is of a table for a principal, if anything."""
    view = schemas.views.of(principal, schema, table)
    return view if isinstance(view, Table) else None


async def table_names(catalog: Catalog, schemas: Schemas, principal: Principal, schema: Schema) -> tuple[str, ...]:
    """The names of a schema's tables, as far as they are there for a principal. Raises Failure."""
    listed = (await catalog.list_tables(schema, "if_stale")).names
    names = tuple(name for name in listed if not closes(principal, schema, name))
    doubtful = [name for name in names if schemas.views.may_close(principal, schema, name)]
    if not doubtful:
        return names
    found = await catalog.summaries(schema, doubtful, "if_stale")
    # Of one that cannot be described nobody knows whether it is there for them.
    closed = {*found.failures}
    closed |= {table.name for table in found.tables if isinstance(schemas.views.of(principal, schema, table), Deny)}
    return tuple(name for name in names if name not in closed)


def place_of_name(fact: Fact, statement: Statement, default: str) -> Position | None:
    """Where a statement has the name of a table or schema that is not one; `default` is the schema of bare names."""
    match fact:
        case UnknownTable(name=name, schema=schema):
            return place_of_table(statement.nodes, schema, name, statement.text, default)
        case UnknownSchema(name=name) | DisabledSchema(name=name):
            return place_of_schema(statement.nodes, name, statement.text)
    return None


async def find_tables(
    catalog: Catalog,
    schemas: Schemas,
    principal: Principal,
    default: Schema,
    names: Iterable[TableName],
    refresh: Refresh,
    payer: Payer,
) -> dict[TableName, Table]:
    """All tables of a statement; those that are not known are looked up side by side. Raises Failure."""
    wanted = {
        name: default if name.schema is None else schemas.find(principal, name.schema)
        for name in sorted(names, key=str)
    }

    async def find(name: TableName) -> Table:
        return (await find_table(catalog, schemas, principal, wanted[name], name.name, refresh, payer)).table

    found: dict[TableName, Table] = {}
    for name, schema in wanted.items() if refresh == "if_stale" else ():
        known = known_table(catalog, schemas, principal, schema, name.name)
        if known is not None:
            found[name] = known
    missing = [name for name in wanted if name not in found]
    if len(missing) == 1:
        found[missing[0]] = await find(missing[0])
    elif missing:
        # Not asyncio's TaskGroup: before Python 3.13 one that fails leaves its task marked as cancelled. A lookup that
        # goes on after another failed serves the next caller.
        found |= zip(missing, await asyncio.gather(*map(find, missing)), strict=True)
    return {name: found[name] for name in wanted}
