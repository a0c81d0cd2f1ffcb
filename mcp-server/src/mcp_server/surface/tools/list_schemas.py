"""list_schemas: which connections there are."""

from typing import Any

from mcp_server.domain.principal import Principal
from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.tools import fields
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, define
from shared_kernel import scope

_DEFINITION = define(
    "list_schemas",
    title="List schemas",
    description=(
        "Lists the schemas you can query. A schema is a named connection to the DynamoDB tables of one AWS account and "
        "region. Start here when you do not know what data there is, then call list_tables."
    ),
    properties={},
    result={
        "schemas": fields.array_of(
            {
                "name": {"type": "string", "description": "What schema_name and schema.table use."},
                "region": {"type": "string", "description": "The AWS region of its tables."},
                "status": {"type": "string", "enum": ["active", "disabled"], "description": "Only active: queryable."},
                "default": {"type": "boolean", "description": "Whether unqualified table names mean this schema."},
            }
        )
    },
)


def list_schemas(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def call(principal: Principal, _arguments: Arguments) -> dict[str, Any]:
        default = browsing.default_schema(principal)
        return {
            "schemas": [
                {
                    "name": schema.name,
                    "region": schema.region,
                    "status": "active" if schema.active else "disabled",
                    "default": schema == default,
                }
                for schema in browsing.list_schemas(principal)
            ]
        }

    return ServedTool(_DEFINITION, frozenset({scope.SCHEMAS_READ}), call)
