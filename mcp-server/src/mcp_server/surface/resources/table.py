"""`dynamosql://schemas/{schema}/tables/{table}`: columns and indexes of a table, as describe_table shows them."""

from collections.abc import Mapping

from mcp.shared.uri_template import UriTemplate
from mcp.types import ResourceTemplate, TextResourceContents

from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.call import Call
from mcp_server.surface.completion import schema_names, table_names
from mcp_server.surface.resources.json_contents import JSON, json_contents
from mcp_server.surface.resources.served_resource import Contents, ServedTemplate
from mcp_server.surface.tools.describe_table import description
from shared_kernel import scope

_TEMPLATE = UriTemplate.parse("dynamosql://schemas/{schema}/tables/{table}")


async def table_contents(
    browsing: BrowsingService, call: Call, *, schema: str | None, table: str
) -> TextResourceContents:
    """The description of a table; `schema` is None for the default one. Raises Failure."""
    described = await browsing.describe_table(call.principal, table_name=table, schema_name=schema)
    uri = _TEMPLATE.expand({"schema": described.table.schema, "table": described.table.name})
    return json_contents(uri, description(described, browsing.stale_after_seconds, call))


def table(browsing: BrowsingService) -> ServedTemplate:
    """The template over a BrowsingService."""

    async def read(call: Call, variables: Mapping[str, str]) -> Contents:
        return [await table_contents(browsing, call, schema=variables["schema"], table=variables["table"])]

    definition = ResourceTemplate(
        uri_template=str(_TEMPLATE),
        name="table",
        title="Table",
        description="The columns and indexes of a table.",
        mime_type=JSON,
    )
    completions = {"schema": schema_names(browsing), "table": table_names(browsing)}
    return ServedTemplate(definition, frozenset({scope.SCHEMAS_READ}), read, completions)
