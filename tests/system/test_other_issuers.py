"""A pool of another company's people stands beside auth-server: its access tokens work, and nothing else it signs."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ERAS, Wire
from tests.support.processes import SCRIPTS, wait_for
from tests.support.services import Addresses, AuthServer, McpServer, mcp_environment, mcp_replica
from tests.support.token_pool import CLIENT, SUBJECT, TokenPool, serving_pool

pytestmark = pytest.mark.slow

ISSUERS = """\
[[issuer]]
name = "pool"
issuer = "{issuer}"
form = "cognito"
client_ids = ["{client}"]
scope_prefix = "https://mcp.example.com/mcp/"
tenant_claim = "custom:company"
tenants = {{ ours = "default", theirs = "another" }}
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[TokenPool]:
    """The other company's pool."""
    with serving_pool() as serving:
        yield serving


@pytest.fixture(scope="module")
def open_minded(
    pool: TokenPool,
    auth_server: AuthServer,
    addresses: Addresses,
    demo_tables: DemoTables,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[McpServer]:
    """An mcp-server that takes tokens of auth-server and of the pool."""
    del auth_server
    directory = tmp_path_factory.mktemp("issuers")
    file = directory / "issuers.toml"
    file.write_text(ISSUERS.format(issuer=pool.issuer, client=CLIENT))
    more = {"MCP_ISSUERS_FILE": str(file), "MCP_REVOCATION_STRICT": "true"}
    with mcp_replica(addresses, directory, demo_tables.emulator.endpoint_url, **more) as server:
        yield server


def calls(server: McpServer) -> list[dict[str, object]]:
    """The lines that a server has logged of calls."""
    return [json.loads(line) for line in server.log.read_text().splitlines() if '"tool_call"' in line]


def schemas(server: McpServer, token: str) -> list[str]:
    """The schemas that a token shows."""
    result = Wire(server.resource, token, ERAS[0]).result("tools/call", {"name": "list_schemas", "arguments": {}})
    return [schema["name"] for schema in result["structuredContent"]["schemas"]]


@pytest.mark.parametrize(("company", "seen"), [("ours", ["demo"]), ("theirs", ["elsewhere"])])
def test_each_company_sees_its_own_schemas(
    company: str, seen: list[str], pool: TokenPool, open_minded: McpServer
) -> None:
    token = pool.token(time.time(), {"custom:company": company})
    known = len(calls(open_minded))
    assert schemas(open_minded, token) == seen
    wait_for(lambda: len(calls(open_minded)) > known, 30, "the line of the call")
    line = calls(open_minded)[-1]
    assert (line["user_id"], line["client_id"]) == (f"pool:{SUBJECT}", CLIENT)
    assert token not in open_minded.log.read_text()


def test_tokens_of_auth_server_go_on_working(auth_server: AuthServer, open_minded: McpServer) -> None:
    assert schemas(open_minded, auth_server.token()) == ["demo"]


@pytest.mark.parametrize(
    "claims",
    [
        {"token_use": "id", "aud": CLIENT},
        {"client_id": "the-web-site"},
        {"custom:company": "nobodys"},
        {"exp": 1},
        {"iss": "http://localhost:1/eu-west-1_Pool"},
    ],
    ids=["an ID token", "the web site's token", "another company", "expired", "another issuer"],
)
def test_nothing_else_that_the_pool_signs_gets_in(
    claims: dict[str, object], pool: TokenPool, open_minded: McpServer
) -> None:
    token = pool.token(time.time(), {"custom:company": "ours", **claims})
    answer = Wire(open_minded.resource, token, ERAS[0]).send("tools/list")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_person_of_the_pool_lacks_the_scopes_that_they_lack(pool: TokenPool, open_minded: McpServer) -> None:
    token = pool.token(time.time(), {"custom:company": "ours", "scope": "https://mcp.example.com/mcp/schemas:read"})
    call = {"name": "run_sql", "arguments": {"sql": "select 1"}}
    answer = Wire(open_minded.resource, token, ERAS[0]).send("tools/call", call)
    assert (answer.status_code, 'error="insufficient_scope"' in answer.headers["www-authenticate"]) == (403, True)


def test_an_mcp_server_that_does_not_know_the_pool_takes_none_of_its_tokens(
    pool: TokenPool, mcp_server: McpServer
) -> None:
    token = pool.token(time.time(), {"custom:company": "ours"})
    assert Wire(mcp_server.resource, token, ERAS[0]).send("tools/list").status_code == 401


def test_a_file_with_a_mistake_ends_the_start_with_one_line(tmp_path: Path) -> None:
    file = tmp_path / "issuers.toml"
    file.write_text("[[issuer]]\n")
    environment = mcp_environment(Addresses(), tmp_path, "http://127.0.0.1:9", MCP_ISSUERS_FILE=str(file))
    run = subprocess.run(
        [str(SCRIPTS / "mcp-server"), "serve"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == f"mcp-server: MCP_ISSUERS_FILE: {file}: issuer 1.name: must be set"
