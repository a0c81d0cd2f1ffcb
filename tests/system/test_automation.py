"""Automation with nothing but curl: `curl -u id:secret`, discovery included."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp.client.auth.extensions.client_credentials import PrivateKeyJWTOAuthProvider, SignedJWTParameters

from tests.support import demo_data
from tests.support.client_keys import ClientKey
from tests.support.mcp_wire import ERAS, Era, message
from tests.support.official_client import MODES, Storage, connected
from tests.support.services import AuthServer, McpServer, claims

pytestmark = pytest.mark.slow

SQL = """
    select r_name, count(*) as suppliers, min(s_acctbal) as lowest
    from supplier join nation on s_nationkey = n_nationkey join region on n_regionkey = r_regionkey
    group by r_name order by r_name
"""


def curl(*arguments: str, body: str | None = None) -> tuple[int, dict[str, str], str]:
    """Status, headers (names in lower case) and body of one request by curl."""
    program = shutil.which("curl")
    assert program, "no curl found; on Debian or Ubuntu, as root: apt-get install -y curl"
    command = [program, "--silent", "--show-error", "--max-time", "60", "--include", "--http1.1", *arguments]
    run = subprocess.run(command, input=body, capture_output=True, text=True, timeout=90, check=True)
    head, _, content = run.stdout.replace("\r\n", "\n").partition("\n\n")
    status, *lines = head.split("\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, content


def curl_json(*arguments: str) -> dict[str, Any]:
    """The JSON object that curl gets, with status 200."""
    status, _, content = curl(*arguments)
    assert status == 200, content
    document: dict[str, Any] = json.loads(content)
    return document


@pytest.mark.parametrize("era", ERAS)
def test_curl_goes_from_discovery_to_rows(
    era: Era, auth_server: AuthServer, mcp_server: McpServer, tpch_files: Path
) -> None:
    status, headers, _ = curl(mcp_server.resource)
    assert status == 401
    challenge = headers["www-authenticate"]
    metadata_url = challenge.split('resource_metadata="')[1].split('"')[0]
    protected = curl_json(metadata_url)
    assert protected["resource"] == mcp_server.resource
    issuer = protected["authorization_servers"][0]
    metadata = curl_json(f"{issuer}/.well-known/oauth-authorization-server")
    assert metadata["issuer"] == issuer == auth_server.issuer

    client = auth_server.automation
    granted = curl_json(
        "-u", f"{client.id}:{client.secret}", "-d", "grant_type=client_credentials", metadata["token_endpoint"]
    )
    assert granted["token_type"] == "Bearer"
    assert granted["expires_in"] == 600
    assert "refresh_token" not in granted
    assert claims(granted["access_token"])["sub"] == client.id

    body, more = message(era, 1, "tools/call", {"name": "run_sql", "arguments": {"sql": SQL}})
    more["Authorization"] = f"Bearer {granted['access_token']}"
    named = [argument for name, value in more.items() for argument in ("-H", f"{name}: {value}")]
    status, headers, content = curl(*named, "--data-binary", "@-", mcp_server.resource, body=json.dumps(body))
    assert status == 200, content
    if headers["content-type"].startswith("text/event-stream"):
        content = [line[6:] for line in content.split("\n") if line.startswith("data: ")][-1]
    result = json.loads(content)["result"]["structuredContent"]
    with demo_data.oracle(tpch_files) as oracle:
        expected = [[name, count, str(low)] for name, count, low in oracle.execute(SQL).fetchall()]
    assert result["rows"] == expected
    assert len(expected) == 5


def test_curl_is_refused_with_a_wrong_secret_and_told_how_to_authenticate(auth_server: AuthServer) -> None:
    """RFC 6749 §5.2: 401, and a challenge that matches the scheme the client used."""
    client = auth_server.automation
    status, headers, content = curl(
        "-u", f"{client.id}:wrong", "-d", "grant_type=client_credentials", f"{auth_server.issuer}/token"
    )
    assert (status, json.loads(content)["error"]) == (401, "invalid_client")
    assert headers["www-authenticate"].startswith("Basic ")


def test_curl_can_send_json_and_the_secret_in_the_body(auth_server: AuthServer) -> None:
    client = auth_server.automation
    document = {"grant_type": "client_credentials", "client_id": client.id, "client_secret": client.secret}
    status, _, content = curl(
        *("-H", "Content-Type: application/json", "--data-binary", "@-", f"{auth_server.issuer}/token"),
        body=json.dumps(document),
    )
    assert status == 200, content


def test_a_confidential_clients_token_is_revoked_by_curl(auth_server: AuthServer) -> None:
    """RFC 7009 §2.2: 200 for a token it knows and for one it does not."""
    client = auth_server.automation
    for token in (auth_server.token(), "unknown"):
        status, _, _ = curl(
            "-u", f"{client.id}:{client.secret}", "-d", f"token={token}", f"{auth_server.issuer}/revoke"
        )
        assert status == 200


@pytest.mark.anyio
@pytest.mark.parametrize(("algorithm", "version"), [*zip(("ES256", "RS256"), MODES, strict=True)])
async def test_the_official_python_client_proves_who_it_is_by_a_key(
    algorithm: str, version: str, auth_server: AuthServer, mcp_server: McpServer, tmp_path: Path
) -> None:
    """MCP's oauth-client-credentials extension: no secret leaves the client's machine."""
    key = ClientKey(algorithm, key_id=None)
    file = tmp_path / "jwks.json"
    file.write_bytes(key.jwks())
    agent = auth_server.create_client("--name", "Agent", "--scope", "schemas:read query", "--jwks", str(file))
    assert agent.secret == ""
    signing = SignedJWTParameters(
        issuer=agent.id,
        subject=agent.id,
        signing_key=key.key.as_pem(private=True).decode(),
        signing_algorithm=algorithm,
    )
    storage = Storage()
    provider = PrivateKeyJWTOAuthProvider(
        mcp_server.resource, storage, agent.id, signing.create_assertion_provider(), issuer=auth_server.issuer
    )
    async with connected(mcp_server.resource, provider, version) as client:
        listed = await client.call_tool("list_tables", {})
        assert not listed.is_error
    assert storage.tokens is not None
    assert claims(storage.tokens.access_token)["sub"] == agent.id
