"""The official TypeScript MCP client (npm, @modelcontextprotocol/client) signs in and calls a tool."""

import json
import time
from pathlib import Path

import pytest

from tests.judges.conftest import identity_assertion
from tests.judges.judging import judged
from tests.support.browser import Browser
from tests.support.client_keys import ClientKey
from tests.support.document_host import DocumentHost
from tests.support.services import AuthServer, McpServer

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
    assert flows == ["registration, code, tool call", "refresh", "metadata document, code, tool call", "step-up"]


def test_the_typescript_client_works_as_a_program_for_an_employee_and_with_bound_tokens(
    demanding: tuple[AuthServer, McpServer], provider_key: ClientKey, browser: Browser, tmp_path: Path
) -> None:
    auth, mcp = demanding
    key, file = ClientKey(), tmp_path / "jwks.json"
    file.write_bytes(key.jwks())
    agent = auth.create_client("--name", "Agent", "--scope", "schemas:read query", "--jwks", str(file))
    employee = auth.create_client("--confidential", "--name", "Assistant", "--grant", "jwt-bearer")
    task = {
        "issuer": auth.issuer,
        "resource": mcp.resource,
        "client_id": auth.automation.id,
        "client_secret": auth.automation.secret,
        "agent_id": agent.id,
        "key": json.dumps(key.private_jwk()),
        "client_assertion": key.assertion(agent.id, auth.issuer, time.time()),
        "employee_id": employee.id,
        "employee_secret": employee.secret,
        "identity_assertion": identity_assertion(provider_key, auth, employee),
    }
    flows = [
        "client credentials",
        "client credentials by a key",
        "client credentials by an assertion",
        "identity assertion",
        "bound tokens",
    ]
    assert judged("mcp-client-bound.mjs", task, browser.allow) == flows
