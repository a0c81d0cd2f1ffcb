"""Both services on hosts of their own, and both behind one host."""

from collections.abc import Iterator

import anyio
import httpx2
import pytest

from tests.support.browser import Browser
from tests.support.callback import listening
from tests.support.emulator import Emulator
from tests.support.gateway import routing
from tests.support.official_client import Storage, connected, sign_in_provider
from tests.support.processes import answers, free_port, wait_for
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, mcp_serving

pytestmark = [pytest.mark.slow, pytest.mark.anyio]


def test_on_two_hosts_the_resource_server_points_to_the_issuers_metadata(
    auth_server: AuthServer, mcp_server: McpServer
) -> None:
    """For clients of the 2025-03-26 revision, which look for the metadata at the MCP server's own origin."""
    answer = httpx2.get(f"{mcp_server.origin}/.well-known/oauth-authorization-server")
    assert answer.status_code == 307
    assert answer.headers["location"] == f"{auth_server.issuer}/.well-known/oauth-authorization-server"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert httpx2.get(answer.headers["location"]).json()["issuer"] == auth_server.issuer


@pytest.fixture(scope="module")
def one_host(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[AuthServer, McpServer, str]]:
    """A pair behind a gateway, and mcp-server's address behind it."""
    directory, addresses = tmp_path_factory.mktemp("one-host"), Addresses(gateway_port=free_port())
    auth_origin, mcp_origin = f"http://localhost:{addresses.auth_port}", f"http://localhost:{addresses.mcp_port}"
    with routing(addresses.gateway_port, auth_origin, mcp_origin):
        wait_for(answers(f"{addresses.issuer}/nothing", 500), 60, "the gateway")
        with (
            auth_serving(addresses, directory) as auth,
            mcp_serving(addresses, directory, emulator.endpoint_url) as mcp,
        ):
            yield auth, mcp, mcp_origin


def test_behind_one_host_a_token_is_had_from_the_resources_own_origin(
    one_host: tuple[AuthServer, McpServer, str],
) -> None:
    auth, mcp, mcp_origin = one_host
    assert mcp.origin == auth.issuer
    assert auth.token("query")
    assert httpx2.get(f"{mcp.origin}/.well-known/oauth-authorization-server").json()["issuer"] == auth.issuer
    # Asked directly, mcp-server does not redirect to itself for ever: the gateway answers for that path.
    assert httpx2.get(f"{mcp_origin}/.well-known/oauth-authorization-server").status_code == 404


async def test_behind_one_host_a_person_signs_in(one_host: tuple[AuthServer, McpServer, str], browser: Browser) -> None:
    _, mcp, _ = one_host
    storage = Storage()
    with listening() as callback, anyio.fail_after(90):
        provider = sign_in_provider(mcp.resource, storage, browser, callback)
        async with connected(mcp.resource, provider, "2026-07-28") as client:
            answer = await client.call_tool("list_schemas", {})
    assert not answer.is_error
    assert len(storage.authorize_urls) == 1
