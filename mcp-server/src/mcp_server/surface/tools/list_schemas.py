"""list_schemas: which connections there are."""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from mcp_server.domain.principal import Principal
from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.call import Call
from mcp_server.surface.tools.scopes import HOW_TO_GET_A_SCOPE
from mcp_server.surface.tools.served_tool import Arguments, ServedTool, serve
from shared_kernel import scope

_DESCRIPTION = (
    "Lists the schemas you can query. A schema is a named connection to the DynamoDB tables of one AWS account and "
    "region. Start here if you do not know what data there is, then call list_tables."
)


class SchemaEntry(TypedDict):
    """One schema."""

    name: Annotated[str, Field(description="What schema_name and schema.table use.")]
    region: str
    status: Annotated[Literal["active", "disabled"], Field(description="Only active: queryable.")]
    default: Annotated[bool, Field(description="Whether unqualified table names mean this schema.")]


class MissingScope(TypedDict):
    """A scope that the token lacks, and the tools that are hidden for want of it."""

    scope: str
    tools: list[str]


class SchemaListing(TypedDict):
    """The result."""

    schemas: list[SchemaEntry]
    missing_scopes: NotRequired[list[MissingScope]]
    next_action: NotRequired[str]


def missing_scopes(tools: Sequence[ServedTool], principal: Principal) -> list[MissingScope]:
    """Per scope that a principal lacks, the tools that need it."""
    found: dict[str, list[str]] = {}
    for tool in tools:
        if tool.scopes <= principal.scopes:
            continue
        for missing in sorted(tool.scopes - principal.scopes):
            found.setdefault(missing, []).append(tool.definition.name)
    return [{"scope": name, "tools": names} for name, names in found.items()]


def listing(browsing: BrowsingService, others: Sequence[ServedTool], principal: Principal) -> SchemaListing:
    """The principal's schemas, and which of the other tools its token hides."""
    default = browsing.default_schema(principal)
    listed: SchemaListing = {
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
    missing = missing_scopes(others, principal)
    if missing:
        listed["missing_scopes"] = missing
        listed["next_action"] = HOW_TO_GET_A_SCOPE
    return listed


def list_schemas(browsing: BrowsingService, others: Sequence[ServedTool]) -> ServedTool:
    """The tool over a BrowsingService; `others` are the tools that may be hidden from its caller."""

    async def answer(call: Call, _arguments: Arguments) -> SchemaListing:
        return listing(browsing, others, call.principal)

    return serve(
        answer,
        name="list_schemas",
        title="List schemas",
        description=_DESCRIPTION,
        scopes=frozenset({scope.SCHEMAS_READ}),
        arguments=Arguments,
        result=SchemaListing,
    )
