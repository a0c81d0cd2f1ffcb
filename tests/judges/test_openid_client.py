"""openid-client (npm), which many programs sign in with, completes each flow it has a function for."""

import json
from pathlib import Path

import pytest

from tests.judges.judging import judged
from tests.support.browser import Browser
from tests.support.client_keys import ClientKey
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
PROGRAMS = [
    "device authorization",
    "introspection",
    "signed introspection",
    "token exchange",
    "client credentials, introspection and revocation, PrivateKeyJwt",
    "registration with an initial access token",
]
BOUND = [
    "registration with keys",
    "pushed request",
    "bound code, ID token",
    "bound user info",
    "bound protected resource",
    "exchange of a bound token",
    "bound refresh, introspection, revocation",
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


def test_openid_client_completes_every_flow_of_a_program(
    auth_server: AuthServer, mcp_server: McpServer, browser: Browser, tmp_path: Path
) -> None:
    """A device, a resource server, a client with a key, one with an initial access token."""
    key, file = ClientKey(), tmp_path / "jwks.json"
    file.write_bytes(key.jwks())
    agent = auth_server.create_client("--name", "Agent", "--scope", "schemas:read query", "--jwks", str(file))
    guard = auth_server.create_client("--confidential", "--name", "Guard", "--resource-server", mcp_server.resource)
    task = {
        "issuer": auth_server.issuer,
        "resource": mcp_server.resource,
        "agent_id": agent.id,
        "key": json.dumps(key.private_jwk()),
        "guard_id": guard.id,
        "guard_secret": guard.secret,
        "initial_access_token": auth_server.initial_access_token(),
    }
    assert judged("openid-client-program.mjs", task, browser.allow, browser.allow_device) == PROGRAMS


def test_openid_client_completes_every_flow_with_bound_tokens(
    demanding: tuple[AuthServer, McpServer], browser: Browser
) -> None:
    """A client with a key of its own pushes its requests, and each of its tokens is bound (RFC 9449)."""
    auth, mcp = demanding
    task = {"issuer": auth.issuer, "resource": mcp.resource}
    assert judged("openid-client-bound.mjs", task, browser.allow) == BOUND
