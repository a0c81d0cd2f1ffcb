"""describe_table: columns and indexes of one table."""

from typing import Any

from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Column, KeyAttribute, Table
from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, define
from shared_kernel import scope

_KEY_TYPE = {"type": "string", "description": "S (string), N (number) or B (binary)."}
_DEFINITION = define(
    "describe_table",
    title="Describe a table",
    description=(
        "Shows the columns and indexes of a table. DynamoDB has no fixed columns: they are found by sampling items, so "
        "a rare attribute may be missing; presence says in what share of the sampled items a column was found. Queries "
        "that fix a hashKey with = (and bound its sortKey) are fast and cheap; others read the whole table. "
        "Call this before you write a query."
    ),
    properties={
        "table_name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "description": "A table's name from list_tables, without its schema.",
        },
        "schema_name": fields.SCHEMA_NAME,
        "refresh": fields.REFRESH,
    },
    required=("table_name",),
    result={
        "schema_name": {"type": "string"},
        **fields.NAMES,
        **fields.REFRESHED,
        "item_count": fields.ITEM_COUNT,
        "columns": fields.array_of(
            {
                "name": {"type": "string"},
                "type": {"type": "string", "description": "The SQL type."},
                "nullable": {"type": "boolean"},
                "presence": {"type": "number", "minimum": 0, "maximum": 1},
                "notes": fields.strings("What is odd about the column, for instance mixed types."),
            },
            optional=("notes",),
        ),
        "indexes": fields.array_of(
            {
                "name": {"type": "string"},
                "type": {
                    "type": "string",
                    "enum": ["PRIMARY", "GSI", "LSI"],
                    "description": "PRIMARY: the table's key.",
                },
                "hashKey": {"type": "string"},
                "hashKeyType": _KEY_TYPE,
                "sortKey": {"type": "string"},
                "sortKeyType": _KEY_TYPE,
            },
            optional=("sortKey", "sortKeyType"),
        ),
    },
)


def describe_table(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def call(principal: Principal, arguments: Arguments) -> dict[str, Any]:
        described = await browsing.describe_table(
            principal,
            table_name=arguments["table_name"],
            schema_name=arguments.get("schema_name"),
            refresh=arguments.get("refresh", "if_stale"),
        )
        table = described.table
        return {
            "schema_name": table.schema,
            **fields.names(table),
            **fields.refreshed(
                refreshed=described.refreshed,
                at=table.refreshed_at,
                stale_after_seconds=browsing.stale_after_seconds,
            ),
            "item_count": table.item_count,
            "columns": [_column(column) for column in table.columns],
            "indexes": _indexes(table),
        }

    return ServedTool(_DEFINITION, frozenset({scope.SCHEMAS_READ}), call)


def _column(column: Column) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": column.name,
        "type": column.type.sql,
        "nullable": column.nullable,
        "presence": round(column.presence, 3),
    }
    return {**document, "notes": list(column.notes)} if column.notes else document


def _indexes(table: Table) -> list[dict[str, Any]]:
    range_keys = () if table.range_key is None else (table.range_key,)
    primary = _index("PRIMARY", "PRIMARY", (table.hash_key,), range_keys)
    return [
        primary,
        *(_index(index.name, index.kind, index.hash_keys, index.range_keys) for index in table.indexes if index.active),
    ]


def _index(
    name: str, kind: str, hash_keys: tuple[KeyAttribute, ...], range_keys: tuple[KeyAttribute, ...]
) -> dict[str, Any]:
    """An index; a GSI may have several attributes in either key, which are shown separated by commas."""
    document = {"name": name, "type": kind, **_key("hashKey", hash_keys)}
    return {**document, **_key("sortKey", range_keys)} if range_keys else document


def _key(field: str, attributes: tuple[KeyAttribute, ...]) -> dict[str, str]:
    return {
        field: ", ".join(attribute.name for attribute in attributes),
        f"{field}Type": ", ".join(attribute.type.value for attribute in attributes),
    }
