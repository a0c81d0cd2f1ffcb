"""oauth4webapi (npm), which validates every response against its RFC, completes each flow it has a function for."""

import pytest

from tests.judges.judging import judged
from tests.support.browser import Browser
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

FLOWS = [
    "metadata",
    "openid configuration",
    "protected resource metadata",
    "registration",
    "refusal of a mix-up",
    "code",
    "protected resource",
    "refresh",
    "revocation",
    "refusal of a used code",
    "client credentials, ClientSecretBasic",
    "client credentials, ClientSecretPost",
    "refusal of a wrong secret",
]


def test_a36_oauth4webapi_completes_every_flow_and_notices_a_mix_up(
    auth_server: AuthServer, mcp_server: McpServer, browser: Browser
) -> None:
    program = auth_server.automation
    task = {
        "issuer": auth_server.issuer,
        "resource": mcp_server.resource,
        "client_id": program.id,
        "client_secret": program.secret,
    }
    assert judged("oauth4webapi.mjs", task, browser.allow) == FLOWS
