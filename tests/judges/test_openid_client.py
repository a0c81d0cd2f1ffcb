"""openid-client (npm), which many programs sign in with, completes each flow it has a function for."""

import pytest

from tests.judges.judging import judged
from tests.support.browser import Browser
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

FLOWS = [
    "registration",
    "code",
    "protected resource",
    "refresh",
    "revocation",
    "ID token",
    "user info",
    "ID token of a refresh",
    "client credentials, ClientSecretBasic",
    "client credentials, ClientSecretPost",
]


def test_openid_client_completes_every_flow(auth_server: AuthServer, mcp_server: McpServer, browser: Browser) -> None:
    program = auth_server.automation
    task = {
        "issuer": auth_server.issuer,
        "resource": mcp_server.resource,
        "client_id": program.id,
        "client_secret": program.secret,
    }
    assert judged("openid-client.mjs", task, browser.allow) == FLOWS
