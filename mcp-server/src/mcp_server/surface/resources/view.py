"""The view of results and plans, for hosts of MCP Apps.

https://github.com/modelcontextprotocol/ext-apps/blob/main/specification/2026-01-26/apps.mdx
"""

from mcp.types import ClientCapabilities, Resource, TextResourceContents

from mcp_server.surface import view as document
from mcp_server.surface.call import Call
from mcp_server.surface.resources.served_resource import Contents, ServedResource
from shared_kernel import scope

EXTENSION = "io.modelcontextprotocol/ui"
URI = "ui://dynamosql/view"
OF_TOOL = {"ui": {"resourceUri": URI}}
"""The `_meta` of a tool whose results it shows."""

MIME_TYPE = "text/html;profile=mcp-app"
# It fetches nothing, so its host need let nothing through.
_OF_CONTENTS = {"ui": {"csp": {"connectDomains": [], "resourceDomains": []}, "prefersBorder": True}}


def shows(capabilities: ClientCapabilities) -> bool:
    """Whether a client declares that it is a host of MCP Apps, and shows what is of the view's type."""
    types = (capabilities.extensions or {}).get(EXTENSION, {}).get("mimeTypes")
    return isinstance(types, list) and MIME_TYPE in types


def is_shown(call: Call) -> bool:
    """Whether the client says that it shows the view; those of the handshake revisions say so in another exchange."""
    return call.capabilities is not None and shows(call.capabilities)


def view() -> ServedResource:
    """The view as a resource."""

    async def read(_call: Call) -> Contents:
        return [TextResourceContents(uri=URI, mime_type=MIME_TYPE, text=document.page(), _meta=_OF_CONTENTS)]

    definition = Resource(
        uri=URI,
        name="view",
        title="Results and plans",
        description="Shows a result as a table and a chart, and a plan as a tree.",
        mime_type=MIME_TYPE,
    )
    return ServedResource(definition, frozenset({scope.QUERY}), read)
