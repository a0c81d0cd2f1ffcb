"""What a token may do is decided by its scopes, and a client is told which ones it lacks."""

import re

import httpx2
import pytest

from shared_kernel.scope import OFFLINE_ACCESS
from tests.support.mcp_wire import ERAS, Era, Wire
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

TOOLS = {
    "list_schemas": ("schemas:read", {}),
    "list_tables": ("schemas:read", {}),
    "describe_table": ("schemas:read", {"table_name": "region"}),
    "run_sql": ("query", {"sql": "select 1"}),
    "explain_sql": ("query", {"sql": "select 1"}),
    "usage": ("query", {}),
}


@pytest.fixture(scope="module")
def unscoped(auth_server: AuthServer) -> str:
    """A good token that holds no scope of the MCP endpoint."""
    client = auth_server.create_client("--confidential", "--name", "Unscoped", "--scope", OFFLINE_ACCESS)
    return auth_server.token(client=client)


def tool_names(wire: Wire) -> list[str]:
    """What tools/list shows."""
    return [tool["name"] for tool in wire.result("tools/list")["tools"]]


@pytest.mark.parametrize("era", ERAS)
def test_a_token_without_scopes_lists_no_tool(era: Era, unscoped: str, mcp_server: McpServer) -> None:
    assert tool_names(Wire(mcp_server.resource, unscoped, era)) == []


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("scope", ["schemas:read", "query"])
def test_a_token_lists_the_tools_of_its_scopes(
    scope: str, era: Era, auth_server: AuthServer, mcp_server: McpServer
) -> None:
    wire = Wire(mcp_server.resource, auth_server.token(scope), era)
    assert tool_names(wire) == [name for name, (needed, _) in TOOLS.items() if needed == scope]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("tool", TOOLS)
def test_calling_a_tool_without_its_scope_is_a_403_that_names_every_scope_needed(
    tool: str, era: Era, unscoped: str, mcp_server: McpServer
) -> None:
    """F17; RFC 6750 §3.1 insufficient_scope, RFC 9728 §5.1 resource_metadata."""
    needed, arguments = TOOLS[tool]
    answer = Wire(mcp_server.resource, unscoped, era).send("tools/call", {"name": tool, "arguments": arguments})
    assert answer.status_code == 403
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', answer.headers["www-authenticate"]))
    assert challenge["error"] == "insufficient_scope"
    assert needed in challenge["scope"].split()
    assert challenge["resource_metadata"] == f"{mcp_server.origin}/.well-known/oauth-protected-resource/mcp"


def test_a_public_client_that_registers_itself_gets_no_registration_token_and_no_secret(
    auth_server: AuthServer,
) -> None:
    """Its registration is immutable (RFC 7592 is not offered to it), and a public client cannot keep a secret."""
    document = {
        "client_name": "Somebody",
        "redirect_uris": ["http://127.0.0.1:1234/callback"],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
    }
    registered = httpx2.post(f"{auth_server.issuer}/register", json=document)
    assert registered.status_code == 201
    client = registered.json()
    assert client["token_endpoint_auth_method"] == "none"
    assert "client_credentials" not in client["grant_types"]
    assert client.keys().isdisjoint({"registration_access_token", "registration_client_uri", "client_secret"})


def test_a_client_that_registered_itself_cannot_use_client_credentials(auth_server: AuthServer) -> None:
    document = {"client_name": "Somebody else", "redirect_uris": ["http://127.0.0.1:1234/callback"]}
    client_id = httpx2.post(f"{auth_server.issuer}/register", json=document).json()["client_id"]
    form = {"grant_type": "client_credentials", "client_id": client_id}
    refused = httpx2.post(f"{auth_server.issuer}/token", data=form)
    assert refused.status_code in (400, 401)
    assert refused.json()["error"] in ("unauthorized_client", "invalid_client")
