"""Several mcp-servers are one to a handshake client, each of whose messages reaches whichever the balancer chooses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.demo_data import DemoTables
from tests.support.mcp_wire import ERAS, Wire
from tests.support.processes import wait_for
from tests.support.services import Addresses, AuthServer
from tests.system.test_replicas import Replicas, sharing

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
