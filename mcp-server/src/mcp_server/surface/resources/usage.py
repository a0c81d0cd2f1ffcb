"""`dynamosql://usage`: what one's own queries have read in the last days, as the tool usage shows it."""

from mcp.types import Resource

from mcp_server.engine.usage import UsageService
from mcp_server.surface.call import Call
from mcp_server.surface.resources.json_contents import JSON, json_contents
from mcp_server.surface.resources.served_resource import Contents, ServedResource
from mcp_server.surface.tools.usage import listing
from shared_kernel import scope

URI = "dynamosql://usage"


def usage(service: UsageService) -> ServedResource:
    """The resource over a UsageService."""

    async def read(call: Call) -> Contents:
        return [json_contents(URI, dict(listing(await service.report(call.principal))))]

    definition = Resource(
        uri=URI,
        name="usage",
        title="Usage",
        description="What your queries have read in the last seven days, and what it cost.",
        mime_type=JSON,
    )
    return ServedResource(definition, frozenset({scope.QUERY}), read)
