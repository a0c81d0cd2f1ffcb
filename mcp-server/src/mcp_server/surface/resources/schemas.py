"""`dynamosql://schemas`: the connections that there are, as list_schemas shows them."""

from mcp.types import Resource

from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.call import Call
from mcp_server.surface.resources.json_contents import JSON, json_contents
from mcp_server.surface.resources.served_resource import Contents, ServedResource
from mcp_server.surface.tools.list_schemas import listing
from shared_kernel import scope

URI = "dynamosql://schemas"


def schemas(browsing: BrowsingService) -> ServedResource:
    """The resource over a BrowsingService."""

    async def read(call: Call) -> Contents:
        return [json_contents(URI, listing(browsing, call.principal))]

    definition = Resource(
        uri=URI, name="schemas", title="Schemas", description="The schemas that you can query.", mime_type=JSON
    )
    return ServedResource(definition, frozenset({scope.SCHEMAS_READ}), read)
