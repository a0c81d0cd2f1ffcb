"""Both services count what happens, for whoever holds the operator's token, and tell nothing secret by it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import anyio.to_thread
import httpx2
import pytest

from tests.support.demo_data import DemoTables
from tests.support.dynamodb_faults import THROTTLED, faulty
from tests.support.mcp_wire import ERAS, Wire
from tests.support.metrics import Labels, growth, summed
from tests.support.processes import wait_for
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, mcp_replica, mcp_serving

pytestmark = pytest.mark.slow

TOKEN = "scrape-me-with-this-token"


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
    return summed(scraped(origin), name, labels)


Watched = Sequence[tuple[str, Labels]]


def values(origin: str, watched: Watched) -> list[float]:
    """Several samples, of one scrape."""
    text = scraped(origin)
    return [summed(text, name, labels) for name, labels in watched]


def requests(operation: str) -> tuple[str, Labels]:
    """The counter of requests of an operation."""
    return "mcp_dynamodb_requests_total", {"operation": operation}


def lookups(cache: str, result: str) -> tuple[str, Labels]:
    """The counter of a cache's hits or misses."""
    return "mcp_cache_lookups_total", {"cache": cache, "result": result}


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
        ("auth_store_seconds_count", {"store": "sqlite", "operation": "count_attempt", "outcome": "answered"}, 2),
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
    assert (value(origin, "auth_http_requests_in_flight", {}), value(origin, "auth_passwords_in_flight", {})) == (0, 0)


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

    def rows() -> list[int | None]:
        lines = [json.loads(line) for line in metered_mcp.log.read_text().splitlines() if '"tool_call"' in line]
        return [line.get("rows") for line in lines]

    wait_for(lambda: rows()[-2:] == [5, None], 10, "the lines of both calls are written")
    assert value(origin, "mcp_duckdb_children", {}) > 0
    assert (value(origin, "mcp_queries_running", {}), value(origin, "mcp_queries_waiting", {})) == (0, 0)
    text = scraped(origin)
    for secret in (token, "secretword", "r_name", "region", "AFRICA"):
        assert secret not in text


def test_mcp_server_counts_each_step_of_a_query(metered_auth: AuthServer, metered_mcp: McpServer) -> None:
    """To the last request: of the first query of a table, the same again, and one that a query process evaluates."""
    origin = metered_mcp.origin
    wire = Wire(metered_mcp.resource, metered_auth.token(), ERAS[0])
    watched: Watched = (
        requests("DescribeTable"),
        requests("Scan"),
        requests("BatchGetItem"),
        requests("Query"),
        ("mcp_dynamodb_requests_total", {}),
        ("mcp_dynamodb_request_seconds_count", {}),
        ("mcp_queue_wait_seconds_bucket", {"le": "0.001"}),
        ("mcp_queue_wait_seconds_count", {}),
        ("mcp_duckdb_child_wait_seconds_count", {}),
        *(lookups(cache, result) for cache in ("tokens", "tables", "plans") for result in ("hit", "miss")),
    )
    point_read = "select n_name from nation where n_nationkey = 7"
    expected = (
        (point_read, [1, 8, 1, 0, 10, 10, 1, 1, 0, 0, 1, 0, 1, 0, 1]),
        (point_read, [0, 0, 1, 0, 1, 1, 1, 1, 0, 1, 0, 1, 0, 1, 0]),
        ("select n_regionkey, count(*) from nation group by 1", [0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1]),
    )
    for sql, counted in expected:
        before = values(origin, watched)
        wire.call("run_sql", sql=sql)
        assert growth(before, values(origin, watched)) == counted, sql
    text = scraped(origin)
    for never in ("mcp_dynamodb_throttles_total", "mcp_dynamodb_batches_cut_total", "mcp_queries_refused_total"):
        assert f"\n{never}" in text
        assert summed(text, never) == 0
    assert summed(text, "mcp_dynamodb_request_seconds_sum") > 0
    assert summed(text, "mcp_duckdb_children_busy") == 0
    wait_for(
        lambda: summed(scraped(origin), "mcp_duckdb_children_started_total") == summed(text, "mcp_duckdb_children"),
        60,
        "every query process is ready",
    )


def test_results_that_wait_for_their_next_page_are_counted(metered_auth: AuthServer, metered_mcp: McpServer) -> None:
    wire = Wire(metered_mcp.resource, metered_auth.token(), ERAS[0])
    watched: Watched = (lookups("results", "hit"), lookups("results", "miss"))
    before = values(metered_mcp.origin, watched)
    assert len(wire.rows("select r_name from region order by r_name", max_rows=2)) == 5
    assert growth(before, values(metered_mcp.origin, watched)) == [2, 0]


@pytest.mark.anyio
async def test_a_table_that_throttles_is_counted(
    pair: Addresses, metered_auth: AuthServer, token_file: Path, demo_tables: DemoTables, tmp_path: Path
) -> None:
    """Both what the server repeats at the table's pace, and what botocore repeats of the catalogue's requests."""
    settings = {"MCP_METRICS_TOKEN_FILE": str(token_file)}
    watched: Watched = (
        ("mcp_dynamodb_throttles_total", {}),
        requests("DescribeTable"),
        requests("Scan"),
        requests("BatchGetItem"),
        ("mcp_tool_calls_total", {"outcome": "ok"}),
    )
    statement = "select r_name from region where r_regionkey = 2"
    async with faulty(demo_tables.emulator.endpoint_url) as dynamodb, AsyncExitStack() as stack:

        def calls() -> None:
            server = stack.enter_context(mcp_replica(pair, tmp_path, dynamodb.endpoint_url, **settings))
            wire = Wire(server.resource, metered_auth.token(), ERAS[0])
            for operation, counted in (("DescribeTable", [2, 3, 8, 1, 1]), ("BatchGetItem", [2, 0, 0, 3, 1])):
                before = values(server.origin, watched)
                dynamodb.fail(THROTTLED, operation, times=2)
                assert wire.rows(statement) == [["ASIA"]]
                assert growth(before, values(server.origin, watched)) == counted, operation

        await anyio.to_thread.run_sync(calls)


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
