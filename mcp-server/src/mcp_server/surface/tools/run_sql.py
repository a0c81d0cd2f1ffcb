"""run_sql: a query's rows, page by page."""

from typing import Any

from mcp_server.domain.principal import Principal
from mcp_server.engine.queries import QueryService
from mcp_server.engine.results import QueryResult
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, define
from shared_kernel import scope

DEFAULT_ROWS = 100
MOST_ROWS = 1000

_DEFINITION = define(
    "run_sql",
    title="Run a SQL query",
    description=(
        "Runs one read-only SELECT over DynamoDB tables and returns its rows. The dialect is DuckDB's: joins, "
        "aggregates, CTEs, window functions and subqueries work, across tables and schemas. Nothing can be written.\n"
        "Conditions on key columns keep a query cheap; call describe_table to see keys and explain_sql to see the cost "
        "before an expensive query. Reading the whole of a large table needs allow_full_scan.\n"
        f"A reply holds at most max_rows rows ({DEFAULT_ROWS} if not given, {MOST_ROWS} at most). When next_cursor is "
        "not null there are more: call again with the same sql, schema_name and parameters and with cursor set to it. "
        "The pages of one query show one moment's data; a cursor works for 15 minutes and only for you.\n"
        "Numbers that JSON cannot carry exactly (DECIMAL, large integers) and dates come as strings.\n"
        "A failed call says what went wrong in code and message, and what to do in next_action."
    ),
    properties={
        "sql": fields.SQL,
        "schema_name": fields.SCHEMA_NAME,
        "parameters": fields.PARAMETERS,
        "max_rows": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_ROWS,
            "default": DEFAULT_ROWS,
            "description": "The most rows in one reply.",
        },
        "cursor": {
            "type": "string",
            "minLength": 1,
            "maxLength": 2048,
            "description": "next_cursor of the reply before, to get the page after it.",
        },
        "consistent_read": {
            "type": "boolean",
            "default": False,
            "description": "Read the latest state at twice the cost. Not possible through a GSI.",
        },
        "allow_full_scan": {
            "type": "boolean",
            "default": False,
            "description": "Allow reading all of a large table. Only after a person agreed: it can take long and cost.",
        },
        "max_read_units": {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "Stop with budget_exceeded once the query has consumed this many DynamoDB read units.",
        },
    },
    required=("sql",),
    result={
        "columns": fields.array_of(
            {"name": {"type": "string"}, "type": {"type": "string", "description": "The SQL type."}}
        ),
        "rows": {
            "type": "array",
            "items": {"type": "array"},
            "description": "One array per row, its values in the order of columns.",
        },
        "row_count": {"type": "integer", "minimum": 0, "description": "The rows in this reply."},
        "next_cursor": {"type": ["string", "null"], "description": "Pass as cursor for the next page; null: no more."},
        "stop_reason": {
            "type": "string",
            "enum": ["complete", "row_limit", "result_limit"],
            "description": (
                "complete: the last row is in this reply. row_limit: more rows follow, see next_cursor. "
                "result_limit: the result was larger than is kept, and its end cannot be reached; narrow the query."
            ),
        },
        "statistics": {
            "type": "object",
            "properties": {
                "plan_ms": {"type": "number"},
                "exec_ms": {"type": "number"},
                "items_read": {"type": "integer"},
                "pages_read": {"type": "integer"},
                "read_units": {"type": "number", "description": "DynamoDB read units consumed by this call."},
            },
            "required": ["plan_ms", "exec_ms", "items_read", "pages_read", "read_units"],
        },
        "warnings": fields.strings("What to bear in mind about this result."),
    },
)


def run_sql(queries: QueryService) -> ServedTool:
    """The tool over a QueryService."""

    async def call(principal: Principal, arguments: Arguments) -> dict[str, Any]:
        result = await queries.run_sql(
            principal,
            sql=arguments["sql"],
            schema_name=arguments.get("schema_name"),
            parameters=arguments.get("parameters"),
            max_rows=int(arguments.get("max_rows", DEFAULT_ROWS)),  # JSON Schema counts 10.0 as an integer
            cursor=arguments.get("cursor"),
            consistent_read=arguments.get("consistent_read", False),
            allow_full_scan=arguments.get("allow_full_scan", False),
            max_read_units=arguments.get("max_read_units"),
        )
        return _document(result)

    return ServedTool(_DEFINITION, frozenset({scope.QUERY}), call)


def _document(result: QueryResult) -> dict[str, Any]:
    statistics = result.statistics
    return {
        "columns": [{"name": column.name, "type": column.type} for column in result.columns],
        "rows": result.rows,
        "row_count": len(result.rows),
        "next_cursor": result.next_cursor,
        "stop_reason": result.stop_reason,
        "statistics": {
            "plan_ms": statistics.plan_ms,
            "exec_ms": statistics.exec_ms,
            "items_read": statistics.items_read,
            "pages_read": statistics.pages_read,
            "read_units": statistics.read_units,
        },
        "warnings": list(result.warnings),
    }
