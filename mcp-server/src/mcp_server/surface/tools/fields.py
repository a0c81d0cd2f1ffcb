"""JSON Schemas of arguments and result properties that several tools share."""

import re
from typing import Any

from mcp_server.domain.schema import Table
from mcp_server.surface import reply

SQL_LENGTH = 65_536

SCHEMA_NAME: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "A schema from list_schemas. Left out: your default schema.",
}
REFRESH: dict[str, Any] = {
    "type": "string",
    "enum": ["if_stale", "force", "skip"],
    "default": "if_stale",
    "description": (
        "What to do about cached information: refresh it when it is older than stale_after_seconds (if_stale), "
        "always (force: slower, for when a table has just changed), or never (skip: fastest)."
    ),
}
SQL: dict[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": SQL_LENGTH,
    "description": 'One SELECT in DuckDB SQL. Tables are named table or schema.table; quote odd names: "my-table".',
}
PARAMETERS: dict[str, Any] = {
    "type": ["array", "object"],
    "description": (
        "Values for placeholders in the SQL: a list for ? or $1, $2, an object for $name. "
        "Use them for every value that comes from a person, instead of writing it into the SQL."
    ),
}

TIMESTAMP: dict[str, Any] = {"type": "string", "format": "date-time"}
NAMES: dict[str, Any] = {
    "name": {"type": "string", "description": "The table's name in SQL."},
    "qualified_name": {"type": "string", "description": "schema.table, quoted where SQL needs it."},
    "physical_table_name": {"type": "string", "description": "The name of the DynamoDB table."},
}
ITEM_COUNT: dict[str, Any] = {
    "type": "integer",
    "minimum": 0,
    "description": "DynamoDB's own count, brought up to date about every six hours. For an exact one, SELECT count(*).",
}
REFRESHED: dict[str, Any] = {
    "refreshed": {"type": "boolean", "description": "Whether this call asked DynamoDB anew."},
    "refreshed_at": {**TIMESTAMP, "description": "How old the information is (UTC)."},
    "stale_after_seconds": {"type": "integer", "minimum": 0, "description": "After how long if_stale refreshes."},
}

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def names(table: Table) -> dict[str, Any]:
    """The NAMES of a table."""
    return {
        "name": table.name,
        "qualified_name": f"{_quoted(table.schema)}.{_quoted(table.name)}",
        "physical_table_name": table.physical_name,
    }


def refreshed(*, refreshed: bool, at: float, stale_after_seconds: int) -> dict[str, Any]:
    """The REFRESHED properties; `at` is in seconds since the epoch."""
    return {
        "refreshed": refreshed,
        "refreshed_at": reply.timestamp(at),
        "stale_after_seconds": stale_after_seconds,
    }


def array_of(properties: dict[str, Any], *, optional: tuple[str, ...] = (), description: str = "") -> dict[str, Any]:
    """An array of objects with these properties, all required but the optional ones."""
    required = [name for name in properties if name not in optional]
    array = {"type": "array", "items": {"type": "object", "properties": properties, "required": required}}
    return {**array, "description": description} if description else array


def strings(description: str) -> dict[str, Any]:
    """An array of strings."""
    return {"type": "array", "items": {"type": "string"}, "description": description}


def _quoted(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) else '"' + name.replace('"', '""') + '"'
