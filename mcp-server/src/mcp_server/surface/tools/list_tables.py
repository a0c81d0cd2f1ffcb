"""list_tables: which tables a schema has."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Table
from mcp_server.engine.browsing import BrowsingService
from mcp_server.engine.results import UndescribedTable
from mcp_server.surface import reply
from mcp_server.surface.call import Call
from mcp_server.surface.tools import fields, structure
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from mcp_server.surface.wording.failures import worded
from shared_kernel import scope

_DESCRIPTION = (
    "Lists the tables of a schema with their sizes; details adds keys and indexes, or also columns: one call then "
    "shows a small schema whole. Where truncated is true there are more tables, which can be queried too."
)


class ListTables(Arguments):
    """The arguments."""

    schema_name: fields.SchemaName = None
    details: Annotated[
        Literal["names", "keys", "columns"],
        Field(description="keys: with the keys of tables and indexes; columns: also sampled columns, of up to 25."),
    ] = "names"
    refresh: fields.RefreshMode = "if_stale"


class TableEntry(fields.TableNames, fields.Size):
    """One table; of one with an `error` only that is told, beside its name."""

    refreshed_at: NotRequired[str]
    error: NotRequired[str]
    keys: NotRequired[list[str]]
    columns: NotRequired[list[str]]


class TableListing(fields.Freshness):
    """The result."""

    schema_name: str
    tables: list[TableEntry]
    truncated: bool


def list_tables(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def answer(call: Call, arguments: ListTables) -> TableListing:
        listing = await browsing.list_tables(
            call.principal,
            schema_name=arguments.schema_name,
            refresh=arguments.refresh,
            sampled=arguments.details == "columns",
        )
        freshness = fields.freshness(
            refreshed=listing.refreshed,
            at=listing.refreshed_at,
            stale_after_seconds=listing.stale_after_seconds,
        )
        return {
            "schema_name": listing.schema_name,
            "tables": [
                *(_entry(table, arguments) for table in listing.tables),
                *(_undescribed(listing.schema_name, table) for table in listing.undescribed),
            ],
            "truncated": listing.truncated,
            **freshness,
        }

    return serve(
        answer,
        name="list_tables",
        title="List tables",
        description=_DESCRIPTION,
        scopes=frozenset({scope.SCHEMAS_READ}),
        arguments=ListTables,
        result=TableListing,
    )


def _entry(table: Table, arguments: ListTables) -> TableEntry:
    names = fields.names(table)
    entry: TableEntry = {
        "name": names["name"],
        "qualified_name": names["qualified_name"],
        "refreshed_at": reply.timestamp(table.refreshed_at),
    }
    if "physical_table_name" in names:
        entry["physical_table_name"] = names["physical_table_name"]
    if not table.is_partial:
        entry["item_count"] = table.item_count
    if arguments.details != "names":
        entry["keys"] = [_key(index) for index in structure.indexes(table)]
    if arguments.details == "columns":
        entry["columns"] = [f"{quoted(column.name)} {column.type.sql}" for column in table.columns]
    return entry


def _undescribed(schema_name: str, table: UndescribedTable) -> TableEntry:
    reason = f"{table.failure.code.value}: {worded(table.failure).message}"
    return {"name": table.name, "qualified_name": fields.qualified_name(schema_name, table.name), "error": reason}


def _key(index: structure.IndexEntry) -> str:
    sort_key = f", sortKey {index['sortKey']}" if "sortKey" in index else ""
    return f"{index['name']}: hashKey {index['hashKey']}{sort_key}"
