"""One person, two workspaces: a token for one of them shows nothing of the other, and ends with the membership."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support import people
from tests.support.callback import listening
from tests.support.mcp_wire import ERAS, Wire
from tests.support.processes import wait_for
from tests.support.services import EMAIL, Addresses, AuthServer, McpServer, auth_serving, claims, mcp_serving, run_cli

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:1"
SECONDS = 60
"""In truth some three."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[AuthServer, McpServer]]:
    addresses = Addresses()
    with auth_serving(addresses, tmp_path) as auth, mcp_serving(addresses, tmp_path, NOWHERE) as mcp:
        yield auth, mcp


def schemas(mcp: McpServer, token: str) -> list[str]:
    """The schemas that a token's bearer sees."""
    return [schema["name"] for schema in Wire(mcp.resource, token, ERAS[0]).call("list_schemas")["schemas"]]


def test_a41_a_token_of_one_workspace_never_lists_the_schemas_of_another(pair: tuple[AuthServer, McpServer]) -> None:
    auth, mcp = pair
    environment = auth.server.environment
    run_cli(environment, "workspace", "create", "another", "--title", "Another company")
    run_cli(environment, "workspace", "member", "add", "another", EMAIL, "--role", "admin")
    tokens = {}
    with listening() as callback:
        metadata = {"client_name": "App", "redirect_uris": [callback.redirect_uri]}
        client_id = httpx2.post(f"{auth.issuer}/register", json=metadata).json()["client_id"]
        for workspace in ("default", "another"):
            pkce = people.Pkce()
            url = people.authorize_url(
                auth.issuer, client_id, callback.redirect_uri, pkce, resource=mcp.resource, scope="schemas:read"
            )
            code = people.allow(url, workspace=workspace)["code"]
            form = {"grant_type": "authorization_code", "client_id": client_id, "code": code}
            form |= {"redirect_uri": callback.redirect_uri, "code_verifier": pkce.verifier}
            tokens[workspace] = httpx2.post(f"{auth.issuer}/token", data=form).json()["access_token"]
    assert {name: claims(token)["roles"] for name, token in tokens.items()} == {
        "default": ["member"],
        "another": ["admin"],
    }
    assert {name: schemas(mcp, token) for name, token in tokens.items()} == {
        "default": ["demo"],
        "another": ["elsewhere"],
    }
    run_cli(environment, "workspace", "member", "remove", "another", EMAIL)

    def status(workspace: str) -> int:
        return Wire(mcp.resource, tokens[workspace], ERAS[0]).send("tools/list", {}).status_code

    wait_for(lambda: status("another") == 401, SECONDS, "the end of the membership at mcp-server")
    assert status("default") == 200
