"""list_schemas: which connections there are."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.principal import Principal
from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.call import Call
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel import scope

_DESCRIPTION = (
    "Lists the schemas you can query. A schema is a named connection to the DynamoDB tables of one AWS account and "
    "region. Start here when you do not know what data there is, then call list_tables."
)


class SchemaEntry(TypedDict):
    """One schema."""

    name: Annotated[str, Field(description="What schema_name and schema.table use.")]
    region: str
    status: Annotated[Literal["active", "disabled"], Field(description="Only active: queryable.")]
    default: Annotated[bool, Field(description="Whether unqualified table names mean this schema.")]


class SchemaListing(TypedDict):
    """The result."""

    schemas: list[SchemaEntry]


def listing(browsing: BrowsingService, principal: Principal) -> SchemaListing:
    """The principal's schemas."""
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


def list_schemas(browsing: BrowsingService) -> ServedTool:
    """The tool over a BrowsingService."""

    async def answer(call: Call, _arguments: Arguments) -> SchemaListing:
        return listing(browsing, call.principal)

    return serve(
        answer,
        name="list_schemas",
        title="List schemas",
        description=_DESCRIPTION,
        scopes=frozenset({scope.SCHEMAS_READ}),
        arguments=Arguments,
        result=SchemaListing,
    )
