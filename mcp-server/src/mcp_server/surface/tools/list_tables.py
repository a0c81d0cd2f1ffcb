"""list_tables: which tables a schema has."""

from typing import Annotated

from pydantic import Field

from mcp_server.domain.principal import Principal
from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface import reply
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel import scope

_DESCRIPTION = (
    "Lists the tables of a schema with their sizes. Call describe_table next: columns are not listed here. "
    "If truncated is true there are more tables than are listed; any of them can still be described and queried."
)


class ListTables(Arguments):
    """The arguments."""

    schema_name: fields.SchemaName = None
    refresh: fields.RefreshMode = "if_stale"


class TableEntry(fields.TableNames):
    """One table."""

    item_count: fields.ItemCount
    refreshed_at: str


class TableListing(fields.Freshness):
    """The result."""

    schema_name: str
    tables: list[TableEntry]
    truncated: Annotated[bool, Field(description="Whether tables are missing from the list.")]


def list_tables(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def call(principal: Principal, arguments: ListTables) -> TableListing:
        listing = await browsing.list_tables(principal, schema_name=arguments.schema_name, refresh=arguments.refresh)
        freshness = fields.freshness(
            refreshed=listing.refreshed,
            at=listing.refreshed_at,
            stale_after_seconds=listing.stale_after_seconds,
        )
        return {
            "schema_name": listing.schema_name,
            "tables": [
                {
                    **fields.names(table),
                    "item_count": table.item_count,
                    "refreshed_at": reply.timestamp(table.refreshed_at),
                }
                for table in listing.tables
            ],
            "truncated": listing.truncated,
            **freshness,
        }

    return serve(
        call,
        name="list_tables",
        title="List tables",
        description=_DESCRIPTION,
        scopes=frozenset({scope.SCHEMAS_READ}),
        arguments=ListTables,
        result=TableListing,
    )
