"""MCP clients that are known by their metadata document, through real services, a real client and a real browser."""

from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from tests.support.browser import Browser
from tests.support.callback import listening
from tests.support.document_host import DocumentHost
from tests.support.official_client import Storage, connected, sign_in_provider
from tests.support.services import McpServer

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
URL = "https://client.example/oauth/metadata.json"


async def test_the_official_client_prefers_its_document_to_a_registration(
    document_host: DocumentHost, mcp_server: McpServer, browser: Browser
) -> None:
    """It finds the offer in the metadata; its document is fetched once for sign-in, tokens and refresh."""
    storage = Storage()
    with listening() as callback, anyio.fail_after(120):
        document_host.publish(URL, client_name="Document client", redirect_uris=["http://127.0.0.1/callback"])
        provider = sign_in_provider(mcp_server.resource, storage, browser, callback, client_metadata_url=URL)
        async with connected(mcp_server.resource, provider, "2026-07-28") as client:
            assert not (await client.call_tool("list_schemas", {})).is_error
    assert storage.client is not None
    assert storage.client.client_id == URL
    assert parse_qs(urlsplit(storage.authorize_urls[0]).query)["client_id"] == [URL]
    assert document_host.requests.count(URL) == 1
