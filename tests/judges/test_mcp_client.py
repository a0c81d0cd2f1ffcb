"""The official TypeScript MCP client (npm, @modelcontextprotocol/client) signs in and calls a tool."""

import pytest

from tests.judges.judging import judged
from tests.support.browser import Browser
from tests.support.document_host import DocumentHost
from tests.support.services import McpServer

pytestmark = pytest.mark.slow


def test_a36_the_typescript_client_signs_in_by_registration_and_by_document(
    mcp_server: McpServer, document_host: DocumentHost, browser: Browser
) -> None:
    """From nothing but the resource's URL, a person at the browser, under the newest protocol and a handshake one.

    An answer that names another issuer, as in a mix-up, it refuses.
    """
    document = document_host.publish(
        "https://client.example/typescript.json",
        client_name="Official TypeScript client",
        redirect_uris=["http://127.0.0.1/callback"],
    )
    flows = judged("mcp-client.mjs", {"resource": mcp_server.resource, "document": document}, browser.allow)
    assert flows == ["registration, code, tool call", "refresh", "metadata document, code, tool call"]
