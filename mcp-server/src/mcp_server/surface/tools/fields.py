"""Arguments and result fields that several tools share."""

from typing import Annotated, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Table
from mcp_server.ports.catalog import Refresh
from mcp_server.surface import reply

SQL_LENGTH = 65_536

SchemaName = Annotated[
    str | None,
    Field(max_length=255, description="From list_schemas; else your default one."),
]
RefreshMode = Annotated[
    Refresh,
    Field(description="if_stale (the default); force: anew, for a table that just changed; skip: never."),
]
Sql = Annotated[
    str,
    Field(
        min_length=1,
        max_length=SQL_LENGTH,
        description='One SELECT in DuckDB SQL, over table or schema.table; quote odd names: "my-table".',
    ),
]


class Size(TypedDict):
    """How large the table is."""

    item_count: NotRequired[Annotated[int, Field(description="DynamoDB's, up to six hours old.")]]


class TableNames(TypedDict):
    """What a table is called."""

    name: str
    qualified_name: Annotated[str, Field(description="schema.table, quoted where SQL needs it.")]
    physical_table_name: NotRequired[str]


class Freshness(TypedDict):
    """How old the information is."""

    refreshed: bool
    refreshed_at: str
    stale_after_seconds: int


def names(table: Table) -> TableNames:
    """What a table is called; the one behind a virtual table may not be there for the caller."""
    names: TableNames = {"name": table.name, "qualified_name": qualified_name(table.schema, table.name)}
    if table.virtual is None:
        names["physical_table_name"] = table.physical_name
    return names


def qualified_name(schema: str, table: str) -> str:
    """A table's name as any statement may write it."""
    return f"{quoted(schema)}.{quoted(table)}"


def size(table: Table) -> Size:
    """How large the table is. What is a part of another, be it virtual or by rules, nobody has counted."""
    return {} if table.is_partial else {"item_count": table.item_count}


def freshness(*, refreshed: bool, at: float, stale_after_seconds: int) -> Freshness:
    """How old the information is; `at` is in seconds since the epoch."""
    return {
        "refreshed": refreshed,
        "refreshed_at": reply.timestamp(at),
        "stale_after_seconds": stale_after_seconds,
    }
