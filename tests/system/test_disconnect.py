"""A client that goes away, or cancels, stops the reads and the computation it caused, in both protocol eras."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.counting_proxy import CountingProxy, counting
from tests.support.demo_data import DemoTables
from tests.support.held_calls import ENDLESS, send_call
from tests.support.mcp_wire import ERAS, Era, Wire, message
from tests.support.processes import wait_for
from tests.support.services import Addresses, AuthServer, McpServer, mcp_serving

pytestmark = pytest.mark.slow

# Every attribute of every item, so that no page can be large in items: about 16 pages of a megabyte.
LONG = "select l_shipmode, sum(length(l_comment)) from lineitem group by l_shipmode"
QUIET_SECONDS = 4.0


@pytest.fixture(scope="module")
def proxy(demo_tables: DemoTables) -> Iterator[CountingProxy]:
    """Counts what is asked of the emulator."""
    with counting(demo_tables.emulator.endpoint_url) as started:
        yield started


@pytest.fixture(scope="module")
def mcp(proxy: CountingProxy, auth_server: AuthServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpServer]:
    """An mcp-server whose reads pass through the proxy."""
    addresses = Addresses(auth_port=int(auth_server.issuer.rsplit(":", 1)[1]))
    directory = tmp_path_factory.mktemp("disconnect")
    settings = {"MCP_RESOURCE": auth_server.resource, "MCP_QUERY_PROCESSES": "1", "MCP_DEADLINE_SECONDS": "300"}
    with mcp_serving(addresses, directory, proxy.endpoint_url, **settings) as started:
        yield McpServer(f"http://localhost:{addresses.mcp_port}/mcp", started.server)


@pytest.mark.parametrize("era", ERAS)
def test_a_disconnected_client_stops_the_reads(
    era: Era, auth_server: AuthServer, mcp: McpServer, proxy: CountingProxy
) -> None:
    token = auth_server.token()
    wire = Wire(mcp.resource, token, era)
    wire.call("describe_table", table_name="lineitem")
    before = proxy.requests
    wire.rows(LONG)
    whole = proxy.requests - before
    assert whole >= 10, "too few reads to tell whether they stop"

    before = proxy.requests
    connection = send_call(mcp.resource, token, LONG, era)
    assert proxy.wait_for_request(before + 1, 60), "the query never began to read"
    connection.close()
    wait_for(lambda: '"cancelled"' in last_tool_call(mcp), 60, "the call's end")
    at_the_end = proxy.requests
    assert at_the_end - before < whole - 3, "the query had all but ended before its client left"
    assert not proxy.wait_for_request(at_the_end, QUIET_SECONDS), "it went on reading"
    assert wire.rows("select count(*) from region") == [[5]]


@pytest.mark.parametrize(("era", "leaves"), [("2026-07-28", True), ("2025-11-25", True), ("2025-11-25", False)])
def test_a_call_that_is_cancelled_frees_the_process_that_computed_it(
    era: Era, leaves: bool, auth_server: AuthServer, mcp: McpServer, proxy: CountingProxy
) -> None:
    """There is one process, so the next statement is answered only once it has stopped."""
    token = auth_server.token()
    wire = Wire(mcp.resource, token, era)
    wire.call("describe_table", table_name="nation")
    before = proxy.requests
    connection = send_call(mcp.resource, token, ENDLESS, era)
    assert proxy.wait_for_request(before, 30), "the query never began to read"
    if leaves:
        connection.close()
    else:
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        _, headers = message(era, 1, "ping", {})
        answer = httpx2.post(mcp.resource, json=cancelled, headers={**headers, "Authorization": f"Bearer {token}"})
        assert answer.status_code == 202
        connection.settimeout(60)
        assert b'"Request cancelled"' in received(connection)
        connection.close()
    wait_for(lambda: '"cancelled"' in last_tool_call(mcp), 60, "the call's end")
    assert wire.rows("select 1") == [[1]]


def received(connection: socket.socket) -> bytes:
    """What has come over a connection up to the end of a JSON document."""
    content = b""
    while not content.endswith(b"}"):
        piece = connection.recv(65536)
        assert piece, "the connection ended before the reply did"
        content += piece
    return content


def last_tool_call(mcp: McpServer) -> str:
    """The newest line of the log that tells of a call's end."""
    lines = [line for line in mcp.log.read_text().splitlines() if '"tool_call"' in line]
    return lines[-1]
