"""oauth4webapi (npm), which validates every response against its RFC, completes each flow it has a function for."""

import json
from pathlib import Path

import pytest

from tests.judges.judging import judged
from tests.support.browser import Browser
from tests.support.client_keys import ClientKey
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
PROGRAMS = [
    "device authorization",
    "introspection",
    "signed introspection",
    "token exchange",
    "client credentials, PrivateKeyJwt, ES256",
    "introspection and revocation, PrivateKeyJwt, ES256",
    "client credentials, PrivateKeyJwt, RS256",
    "introspection and revocation, PrivateKeyJwt, RS256",
    "registration with an initial access token",
]
BOUND = [
    "registration with keys",
    "pushed request",
    "bound code, ID token",
    "bound user info",
    "bound protected resource",
    "introspection of a bound token",
    "exchange of a bound token",
    "bound refresh, revocation",
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


def test_oauth4webapi_completes_every_flow_of_a_program(
    auth_server: AuthServer, mcp_server: McpServer, browser: Browser, tmp_path: Path
) -> None:
    """A device, a resource server, a client with keys of two kinds, one with an initial access token."""
    keys = {algorithm: ClientKey(algorithm, key_id=algorithm) for algorithm in ("ES256", "RS256")}
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [key.jwk() for key in keys.values()]}))
    agent = auth_server.create_client("--name", "Agent", "--scope", "schemas:read query", "--jwks", str(file))
    guard = auth_server.create_client("--confidential", "--name", "Guard", "--resource-server", mcp_server.resource)
    task = {
        "issuer": auth_server.issuer,
        "resource": mcp_server.resource,
        "agent_id": agent.id,
        "keys": json.dumps({name: key.private_jwk() for name, key in keys.items()}),
        "guard_id": guard.id,
        "guard_secret": guard.secret,
        "initial_access_token": auth_server.initial_access_token(),
    }
    assert judged("oauth4webapi-program.mjs", task, browser.allow, browser.allow_device) == PROGRAMS


def test_oauth4webapi_completes_every_flow_with_bound_tokens(
    demanding: tuple[AuthServer, McpServer], browser: Browser
) -> None:
    """A client with a key of its own pushes its requests, and each of its tokens is bound (RFC 9449)."""
    auth, mcp = demanding
    task = {"issuer": auth.issuer, "resource": mcp.resource}
    assert judged("oauth4webapi-bound.mjs", task, browser.allow) == BOUND
