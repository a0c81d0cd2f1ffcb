"""MCP clients that are known by their metadata document, through real services, a real client and a real browser."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from tests.support.browser import Browser
from tests.support.callback import listening
from tests.support.document_host import DocumentHost, publishing
from tests.support.emulator import Emulator
from tests.support.official_client import Storage, connected, sign_in_provider
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, mcp_serving

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
URL = "https://client.example/oauth/metadata.json"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentHost]:
    """A host that publishes documents."""
    with publishing(tmp_path_factory.mktemp("host"), "client.example") as host:
        yield host


@pytest.fixture(scope="module")
def pair(
    host: DocumentHost, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[AuthServer, McpServer]]:
    """Both services, and an operator who has named that host."""
    addresses, directory = Addresses(), tmp_path_factory.mktemp("pair")
    with (
        auth_serving(addresses, directory, **host.settings) as auth_server,
        mcp_serving(addresses, directory, emulator.endpoint_url) as mcp_server,
    ):
        yield auth_server, mcp_server


async def test_the_official_client_prefers_its_document_to_a_registration(
    host: DocumentHost, pair: tuple[AuthServer, McpServer], browser: Browser
) -> None:
    """It finds the offer in the metadata; its document is fetched once for sign-in, tokens and refresh."""
    _, mcp_server = pair
    storage = Storage()
    with listening() as callback, anyio.fail_after(120):
        host.publish(URL, client_name="Document client", redirect_uris=["http://127.0.0.1/callback"])
        provider = sign_in_provider(mcp_server.resource, storage, browser, callback, client_metadata_url=URL)
        async with connected(mcp_server.resource, provider, "2026-07-28") as client:
            assert not (await client.call_tool("list_schemas", {})).is_error
    assert storage.client is not None
    assert storage.client.client_id == URL
    assert parse_qs(urlsplit(storage.authorize_urls[0]).query)["client_id"] == [URL]
    assert host.requests.count(URL) == 1
