"""Several mcp-servers are one to a handshake client, each of whose messages reaches whichever the balancer chooses."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitRequestParams, ElicitResult

from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ERAS, Wire
from tests.support.processes import wait_for
from tests.support.services import Addresses, AuthServer
from tests.system.test_replicas import LARGE, LARGE_ITEMS, Replicas, asking, sharing

__all__ = ["asking"]

pytestmark = pytest.mark.slow

HANDSHAKE = ERAS[1]
SMALL = "select r_name from region where r_regionkey = 1"


@pytest.fixture
def replicas(
    auth_server: AuthServer, addresses: Addresses, demo_tables: DemoTables, tmp_path: Path
) -> Iterator[Replicas]:
    """Two over the demo data."""
    with sharing(auth_server, addresses, demo_tables.emulator.endpoint_url, tmp_path) as pair:
        yield pair


def handshaking(replicas: Replicas) -> tuple[Wire, Wire]:
    """A client of a handshake revision at each replica, with the same sign-in."""
    first, second = replicas.wires
    return Wire(first.resource, first.token, HANDSHAKE), Wire(second.resource, first.token, HANDSHAKE)


def logs(wire: Wire) -> bool:
    """Whether a query comes with the log message that it has for clients which take those of level `debug`."""
    params: dict[str, Any] = {"name": "run_sql", "arguments": {"sql": SMALL}}
    return '"level":"debug"' in wire.send("tools/call", params).text


def test_a_log_level_counts_on_every_replica_also_on_one_that_starts_later(replicas: Replicas) -> None:
    first, second = handshaking(replicas)
    first.result("logging/setLevel", {"level": "debug"})
    assert logs(first)
    wait_for(lambda: logs(second), 10, "the second replica to hear of the level")
    replicas.servers[1].server.kill()
    replicas.servers[1].restart()
    wait_for(lambda: logs(second), 10, "the second replica to read the level")
    second.result("logging/setLevel", {"level": "error"})
    wait_for(lambda: not logs(first), 10, "the first replica to hear of the next level")
    replicas.redis.server.kill()
    assert (logs(first), logs(second)) == (False, False)
    replicas.redis.restart()
    second.result("logging/setLevel", {"level": "debug"})
    wait_for(lambda: logs(first), 30, "the first replica to hear again")


class Apart(httpx2.AsyncBaseTransport):
    """Sends answers and the handshake to the second replica, and all else to the first.

    `went` has the port and the method of each message, none of a message that is an answer.
    """

    def __init__(self, replicas: Replicas) -> None:
        self._ports = [urlsplit(wire.resource).port for wire in replicas.wires]
        self._inner = httpx2.AsyncHTTPTransport()
        self.went: list[tuple[int | None, str | None]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request."""
        method = json.loads(await request.aread()).get("method") if request.method == "POST" else request.method
        port = self._ports[1 if method in {None, "initialize"} else 0]
        self.went.append((port, method))
        request.url = request.url.copy_with(port=port)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._inner.aclose()


async def counted(replicas: Replicas, apart: Apart, action: str) -> dict[str, Any]:
    """What the official client of a handshake revision gets for a query that scans a large table."""

    async def elicit(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert LARGE in params.message
        return ElicitResult(action=action, content={"read_it_all": True} if action == "accept" else None)  # type: ignore[arg-type]

    headers = {"Authorization": f"Bearer {replicas.wires[0].token}"}
    async with (
        asyncio.timeout(120),
        httpx2.AsyncClient(transport=apart, headers=headers, timeout=120) as http,
        Client(
            streamable_http_client(replicas.wires[0].resource, http_client=http),
            mode="legacy",
            elicitation_callback=elicit,
        ) as client,
    ):
        result = await client.call_tool("run_sql", {"sql": f"select count(*) from {LARGE}"})
        return result.structured_content or {}


def test_a_person_is_asked_by_the_replica_that_has_the_call_and_answers_another(asking: Replicas) -> None:
    apart = Apart(asking)
    first, second = (urlsplit(wire.resource).port for wire in asking.wires)
    assert asyncio.run(counted(asking, apart, "accept"))["rows"] == [[LARGE_ITEMS]]
    assert (second, "initialize") in apart.went
    assert apart.went.index((first, "tools/call")) < apart.went.index((second, None))
    assert asyncio.run(counted(asking, Apart(asking), "decline"))["code"] == "full_scan_refused"
