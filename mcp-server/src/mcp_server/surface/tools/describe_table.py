"""describe_table: columns and indexes of one table."""

from typing import Annotated

from pydantic import Field

from mcp_server.access.policy import sees_values
from mcp_server.engine.browsing import BrowsingService
from mcp_server.ports.catalog import Described
from mcp_server.surface.call import Call
from mcp_server.surface.tools import fields, structure
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel import scope

_DESCRIPTION = (
    "Shows the columns and indexes of a table. DynamoDB has no fixed columns: they are found by sampling items, so "
    "a rare attribute may be missing; presence is the share of the sampled items that have it. values, parts, range "
    "and format show what is in it: write texts so. An index's query is fast and cheap; others read the whole table. "
    "Call this before you write a query."
)


class DescribeTable(Arguments):
    """The arguments."""

    table_name: Annotated[
        str,
        Field(min_length=1, max_length=1024, description="A table's name or qualified_name from list_tables."),
    ]
    schema_name: fields.SchemaName = None
    refresh: fields.RefreshMode = "if_stale"


class TableDescription(fields.TableNames, fields.Freshness, fields.Size):
    """The result."""

    schema_name: str
    columns: list[structure.ColumnEntry]
    indexes: list[structure.IndexEntry]


def description(described: Described, stale_after_seconds: int, call: Call) -> TableDescription:
    """A table as the caller may see it: what is in it, only with the scope to query it."""
    table = described.table
    made = structure.structure(table, with_values=sees_values(call.principal))
    freshness = fields.freshness(
        refreshed=described.refreshed,
        at=table.refreshed_at,
        stale_after_seconds=stale_after_seconds,
    )
    return {
        "schema_name": table.schema,
        **fields.names(table),
        **freshness,
        **fields.size(table),
        "columns": made.columns,
        "indexes": made.indexes,
    }


def describe_table(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def answer(call: Call, arguments: DescribeTable) -> TableDescription:
        described = await browsing.describe_table(
            call.principal,
            table_name=arguments.table_name,
            schema_name=arguments.schema_name,
            refresh=arguments.refresh,
        )
        return description(described, browsing.stale_after_seconds, call)

    return serve(
        answer,
        name="describe_table",
        title="Describe a table",
        description=_DESCRIPTION,
        scopes=frozenset({scope.SCHEMAS_READ}),
        arguments=DescribeTable,
        result=TableDescription,
    )
