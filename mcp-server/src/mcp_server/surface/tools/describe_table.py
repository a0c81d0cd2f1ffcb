"""describe_table: columns and indexes of one table."""

from typing import Annotated, Literal, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Column, KeyAttribute, Table
from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel import scope

_DESCRIPTION = (
    "Shows the columns and indexes of a table. DynamoDB has no fixed columns: they are found by sampling items, so "
    "a rare attribute may be missing; presence says in what share of the sampled items a column was found. Queries "
    "that fix a hashKey with = (and bound its sortKey) are fast and cheap; others read the whole table. "
    "Call this before you write a query."
)


class DescribeTable(Arguments):
    """The arguments."""

    table_name: Annotated[
        str,
        Field(min_length=1, max_length=255, description="A table's name from list_tables, without its schema."),
    ]
    schema_name: fields.SchemaName = None
    refresh: fields.RefreshMode = "if_stale"


class ColumnEntry(TypedDict):
    """One column."""

    name: str
    type: str
    nullable: bool
    presence: Annotated[float, Field(description="From 0 to 1.")]
    notes: NotRequired[
        Annotated[list[str], Field(description="What is odd about the column, for instance mixed types.")]
    ]


class IndexEntry(TypedDict):
    """The primary key, or a secondary index; a GSI may have several attributes in either key, separated by commas."""

    name: str
    type: Annotated[Literal["PRIMARY", "GSI", "LSI"], Field(description="PRIMARY: the table's key.")]
    hashKey: str
    hashKeyType: Annotated[str, Field(description="S (string), N (number) or B (binary).")]
    sortKey: NotRequired[str]
    sortKeyType: NotRequired[str]


class TableDescription(fields.TableNames, fields.Freshness):
    """The result."""

    schema_name: str
    item_count: fields.ItemCount
    columns: list[ColumnEntry]
    indexes: list[IndexEntry]


def describe_table(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def call(principal: Principal, arguments: DescribeTable) -> TableDescription:
        described = await browsing.describe_table(
            principal,
            table_name=arguments.table_name,
            schema_name=arguments.schema_name,
            refresh=arguments.refresh,
        )
        table = described.table
        freshness = fields.freshness(
            refreshed=described.refreshed,
            at=table.refreshed_at,
            stale_after_seconds=browsing.stale_after_seconds,
        )
        return {
            "schema_name": table.schema,
            **fields.names(table),
            **freshness,
            "item_count": table.item_count,
            "columns": [_column(column) for column in table.columns],
            "indexes": _indexes(table),
        }

    return serve(
        call,
        name="describe_table",
        title="Describe a table",
        description=_DESCRIPTION,
        scopes=frozenset({scope.SCHEMAS_READ}),
        arguments=DescribeTable,
        result=TableDescription,
    )


def _column(column: Column) -> ColumnEntry:
    entry: ColumnEntry = {
        "name": column.name,
        "type": column.type.sql,
        "nullable": column.nullable,
        "presence": round(column.presence, 3),
    }
    if column.notes:
        entry["notes"] = list(column.notes)
    return entry


def _indexes(table: Table) -> list[IndexEntry]:
    range_keys = () if table.range_key is None else (table.range_key,)
    primary = _index("PRIMARY", "PRIMARY", (table.hash_key,), range_keys)
    return [
        primary,
        *(_index(index.name, index.kind, index.hash_keys, index.range_keys) for index in table.indexes if index.active),
    ]


def _index(
    name: str, kind: str, hash_keys: tuple[KeyAttribute, ...], range_keys: tuple[KeyAttribute, ...]
) -> IndexEntry:
    entry: IndexEntry = {
        "name": name,
        "type": cast("Literal['PRIMARY', 'GSI', 'LSI']", kind),
        "hashKey": _names(hash_keys),
        "hashKeyType": _types(hash_keys),
    }
    if range_keys:
        entry["sortKey"] = _names(range_keys)
        entry["sortKeyType"] = _types(range_keys)
    return entry


def _names(attributes: tuple[KeyAttribute, ...]) -> str:
    return ", ".join(attribute.name for attribute in attributes)


def _types(attributes: tuple[KeyAttribute, ...]) -> str:
    return ", ".join(attribute.type.value for attribute in attributes)
