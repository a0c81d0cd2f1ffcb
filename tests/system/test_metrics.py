"""Both services count what happens, for whoever holds the operator's token, and tell nothing secret by it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ERAS, Wire
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, mcp_serving

pytestmark = pytest.mark.slow

TOKEN = "scrape-me-with-this-token"
Labels = Mapping[str, str]


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file with the token of the metrics."""
    file = tmp_path_factory.mktemp("metrics") / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    return file


@pytest.fixture(scope="module")
def pair() -> Addresses:
    """Where the two that count are."""
    return Addresses()


@pytest.fixture(scope="module")
def metered_auth(pair: Addresses, token_file: Path) -> Iterator[AuthServer]:
    """An auth-server that counts, and logs errors only."""
    settings = {"AUTH_METRICS_TOKEN_FILE": str(token_file), "AUTH_LOG_LEVEL": "ERROR"}
    with auth_serving(pair, token_file.parent, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def metered_mcp(
    pair: Addresses, metered_auth: AuthServer, token_file: Path, demo_tables: DemoTables
) -> Iterator[McpServer]:
    """An mcp-server that counts, behind that auth-server."""
    del metered_auth
    settings = {"MCP_METRICS_TOKEN_FILE": str(token_file)}
    with mcp_serving(pair, token_file.parent, demo_tables.emulator.endpoint_url, **settings) as server:
        yield server


def scraped(origin: str) -> str:
    """What a scraper reads."""
    answer = httpx2.get(f"{origin}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return answer.text


def value(origin: str, name: str, labels: Labels) -> float:
    """A sample; 0 where there is none yet."""
    found = [
        sample.value
        for family in text_string_to_metric_families(scraped(origin))
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found)


def test_auth_server_counts_what_it_does_not_log(metered_auth: AuthServer) -> None:
    origin = metered_auth.issuer
    watched: list[tuple[str, Labels, float]] = [
        ("auth_tokens_issued_total", {"grant_type": "client_credentials"}, 2),
        ("auth_refusals_total", {"path": "/token", "reason": "client_not_authenticated"}, 1),
        ("auth_http_requests_total", {"method": "POST", "path": "/token", "status": "200"}, 2),
        ("auth_http_requests_total", {"method": "POST", "path": "/token", "status": "401"}, 1),
        ("auth_http_requests_total", {"method": "other", "path": "other", "status": "404"}, 1),
        ("auth_http_request_seconds_count", {"path": "/token"}, 3),
        ("auth_http_request_seconds_bucket", {"path": "/token", "le": "+Inf"}, 3),
    ]
    before = [value(origin, name, labels) for name, labels, _ in watched]
    tokens = [metered_auth.token() for _ in range(2)]
    wrong = httpx2.post(
        f"{origin}/token", data={"grant_type": "client_credentials"}, auth=(metered_auth.automation.id, "cs_wrong")
    )
    assert wrong.status_code == 401
    assert httpx2.request("PROPFIND", f"{origin}/coffee/{tokens[0]}").status_code == 404
    after = [value(origin, name, labels) for name, labels, _ in watched]
    assert [now - then for now, then in zip(after, before, strict=True)] == [growth for _, _, growth in watched]
    text = scraped(origin)
    for secret in (*tokens, metered_auth.automation.secret, metered_auth.automation.id, TOKEN, "cs_wrong", "coffee"):
        assert secret not in text
    assert "tokens_issued" not in metered_auth.log.read_text()
    assert value(origin, "process_resident_memory_bytes", {}) > 0


def test_mcp_server_counts_calls_and_what_they_read(metered_auth: AuthServer, metered_mcp: McpServer) -> None:
    origin, token = metered_mcp.origin, metered_auth.token()
    watched: list[tuple[str, Labels]] = [
        ("mcp_tool_calls_total", {"tool": "run_sql", "outcome": "ok"}),
        ("mcp_tool_calls_total", {"tool": "run_sql", "outcome": "syntax_error"}),
        ("mcp_tool_call_seconds_count", {"tool": "run_sql"}),
        ("mcp_items_read_total", {}),
        ("mcp_requests_denied_total", {"status": "401"}),
    ]
    before = [value(origin, name, labels) for name, labels in watched]
    wire = Wire(metered_mcp.resource, token, ERAS[0])
    wire.send("tools/call", {"name": "run_sql", "arguments": {"sql": "select r_name from region"}})
    wire.send("tools/call", {"name": "run_sql", "arguments": {"sql": "select from where secretword"}})
    assert httpx2.post(metered_mcp.resource, json={}).status_code == 401
    after = [value(origin, name, labels) for name, labels in watched]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 2, 5, 1]
    assert value(origin, "mcp_read_units_total", {}) > 0
    assert value(origin, "mcp_duckdb_children", {}) > 0
    assert (value(origin, "mcp_queries_running", {}), value(origin, "mcp_queries_waiting", {})) == (0, 0)
    text = scraped(origin)
    for secret in (token, "secretword", "r_name", "region", "AFRICA"):
        assert secret not in text


@pytest.mark.parametrize("service", ["auth", "mcp"])
def test_without_the_operators_token_there_is_nothing_to_read(
    service: str, metered_auth: AuthServer, metered_mcp: McpServer, auth_server: AuthServer, mcp_server: McpServer
) -> None:
    metered, bare = (
        (metered_auth.issuer, auth_server.issuer) if service == "auth" else (metered_mcp.origin, mcp_server.origin)
    )
    for headers in ({}, {"Authorization": f"Bearer {metered_auth.token()}"}):
        assert httpx2.get(f"{metered}/metrics", headers=headers).status_code == 401
    assert httpx2.get(f"{bare}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 404
    # Whatever the machine is called, as by a scraper that knows it by its address.
    headers = {"Authorization": f"Bearer {TOKEN}", "Host": "10.1.2.3:9000"}
    assert httpx2.get(f"{metered}/metrics", headers=headers).status_code == 200
