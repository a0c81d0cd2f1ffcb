"""list_tables: which tables a schema has."""

from typing import Any

from mcp_server.domain.principal import Principal
from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface import reply
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, define
from shared_kernel import scope

_DEFINITION = define(
    "list_tables",
    title="List tables",
    description=(
        "Lists the tables of a schema with their sizes. Call describe_table next: columns are not listed here. "
        "If truncated is true there are more tables than are listed; any of them can still be described and queried."
    ),
    properties={"schema_name": fields.SCHEMA_NAME, "refresh": fields.REFRESH},
    result={
        "schema_name": {"type": "string"},
        "tables": fields.array_of(
            {**fields.NAMES, "item_count": fields.ITEM_COUNT, "refreshed_at": fields.TIMESTAMP},
        ),
        "truncated": {"type": "boolean", "description": "Whether tables are missing from the list."},
        **fields.REFRESHED,
    },
)


def list_tables(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def call(principal: Principal, arguments: Arguments) -> dict[str, Any]:
        listing = await browsing.list_tables(
            principal, schema_name=arguments.get("schema_name"), refresh=arguments.get("refresh", "if_stale")
        )
        tables = [
            {
                **fields.names(table),
                "item_count": table.item_count,
                "refreshed_at": reply.timestamp(table.refreshed_at),
            }
            for table in listing.tables
        ]
        return {
            "schema_name": listing.schema_name,
            "tables": tables,
            "truncated": listing.truncated,
            **fields.refreshed(
                refreshed=listing.refreshed,
                at=listing.refreshed_at,
                stale_after_seconds=listing.stale_after_seconds,
            ),
        }

    return ServedTool(_DEFINITION, frozenset({scope.SCHEMAS_READ}), call)
