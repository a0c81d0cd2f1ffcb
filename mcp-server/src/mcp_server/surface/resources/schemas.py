"""`dynamosql://schemas`: the connections that there are, as list_schemas shows them."""

from collections.abc import Sequence

from mcp.types import Resource

from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.call import Call
from mcp_server.surface.resources.json_contents import JSON, json_contents
from mcp_server.surface.resources.served_resource import Contents, ServedResource
from mcp_server.surface.tools.list_schemas import listing
from mcp_server.surface.tools.served_tool import ServedTool
from shared_kernel import scope

URI = "dynamosql://schemas"


def schemas(browsing: BrowsingService, others: Sequence[ServedTool]) -> ServedResource:
    """The resource over a BrowsingService; `others` are the tools that may be hidden from its reader."""

    async def read(call: Call) -> Contents:
        return [json_contents(URI, listing(browsing, others, call.principal))]

    definition = Resource(
        uri=URI, name="schemas", title="Schemas", description="The schemas that you can query.", mime_type=JSON
    )
    return ServedResource(definition, frozenset({scope.SCHEMAS_READ}), read)
