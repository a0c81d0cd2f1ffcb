"""explain_sql: how a query would be run, without running it."""

from typing import Any

from mcp_server.domain.principal import Principal
from mcp_server.engine.queries import QueryService
from mcp_server.planning.plan import Read
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, define
from shared_kernel import scope

_DEFINITION = define(
    "explain_sql",
    title="Explain a SQL query",
    description=(
        "Shows how run_sql would run a SELECT, without running it: for every table how DynamoDB would be read, by "
        "which index, which conditions DynamoDB would apply, and about how much would be read. Use it before a query "
        "that may be expensive, and to find out which condition would make it cheaper."
    ),
    properties={"sql": fields.SQL, "schema_name": fields.SCHEMA_NAME, "parameters": fields.PARAMETERS},
    required=("sql",),
    result={
        "plan": {"type": "string", "description": "The plan as a text tree."},
        "scans": fields.array_of(
            {
                "table": {"type": "string"},
                "access": {
                    "type": "string",
                    "enum": ["GetItem", "Query", "Scan", "None"],
                    "description": "The DynamoDB operation; None: contradictory conditions, nothing is read.",
                },
                "index": {"type": "string", "description": "The secondary index that is read."},
                "reason": {"type": "string", "description": "Why this access."},
                "key_condition": {"type": "string", "description": "The conditions on keys that bound what is read."},
                "pushed_filters": fields.strings("Conditions DynamoDB applies after reading; they save no read units."),
                "residual_filters": fields.strings("Conditions that are applied here, to what DynamoDB returns."),
                "estimate": {
                    "type": "object",
                    "properties": {
                        "items": {"type": "integer"},
                        "pages": {"type": "integer"},
                        "read_units": {"type": "number"},
                        "seconds": {"type": "number"},
                    },
                    "required": ["items", "pages", "read_units", "seconds"],
                },
            },
            optional=("index", "key_condition"),
            description="One entry per reference to a table.",
        ),
        "normalized_sql": {"type": "string", "description": "The statement as it was understood."},
        "verdict": {"type": "string", "description": "Whether run_sql would run it, and what it would take."},
    },
)


def explain_sql(queries: QueryService) -> ServedTool:
    """The tool over a QueryService."""

    async def call(principal: Principal, arguments: Arguments) -> dict[str, Any]:
        explanation = await queries.explain_sql(
            principal,
            sql=arguments["sql"],
            schema_name=arguments.get("schema_name"),
            parameters=arguments.get("parameters"),
        )
        return {
            "plan": explanation.plan,
            "scans": [_scan(read) for read in explanation.reads],
            "normalized_sql": explanation.normalized_sql,
            "verdict": explanation.verdict,
        }

    return ServedTool(_DEFINITION, frozenset({scope.QUERY}), call)


def _scan(read: Read) -> dict[str, Any]:
    optional = {"index": read.index, "key_condition": read.key_condition}
    return {
        "table": fields.names(read.relation.table)["qualified_name"],
        "access": read.access,
        **{name: value for name, value in optional.items() if value is not None},
        "reason": read.reason,
        "pushed_filters": list(read.pushed_filters),
        "residual_filters": list(read.residual_filters),
        "estimate": {
            "items": read.estimate.items,
            "pages": read.estimate.pages,
            "read_units": read.estimate.read_units,
            "seconds": read.estimate.seconds,
        },
    }
