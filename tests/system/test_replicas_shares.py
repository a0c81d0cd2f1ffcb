"""Several mcp-servers give a principal one share: what runs on one counts on the others, for as long as it lives."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.demo_data import DemoTables
from tests.support.held_calls import ENDLESS, send_call
from tests.support.mcp_wire import ToolFailed, Wire
from tests.support.processes import wait_for
from tests.support.services import Addresses, AuthServer
from tests.system.test_replicas import Replicas, sharing

pytestmark = pytest.mark.slow

SMALL = "select r_name from region where r_regionkey = 1"
SHARE = 2


@pytest.fixture
def replicas(
    auth_server: AuthServer, addresses: Addresses, demo_tables: DemoTables, tmp_path: Path
) -> Iterator[Replicas]:
    """Two, of which each computes for minutes where it is asked to."""
    with sharing(auth_server, addresses, demo_tables.emulator.endpoint_url, tmp_path) as pair:
        yield pair


def used_up(replicas: Replicas) -> ExitStack:
    """What holds a principal's whole share on the first replica, once the second refuses them for it."""
    first, second = replicas.wires
    for wire in replicas.wires:
        wire.rows(SMALL)
    held = ExitStack()
    for _ in range(SHARE):
        held.enter_context(send_call(first.resource, first.token, ENDLESS))

    wait_for(lambda: is_refused(second), 60, "the second replica to refuse what is beyond the share")
    return held


def is_refused(wire: Wire) -> bool:
    """Whether the principal's share is used up, so that a query of theirs has waited for nothing."""
    try:
        wire.rows(SMALL)
    except ToolFailed as refused:
        told = refused.failure
        return (told["code"], told["retry_after_seconds"]) == ("busy", 5) and told["message"].startswith("2 of your")
    return False


def test_a_share_that_is_used_on_one_replica_is_used_up_on_the_other(
    replicas: Replicas, auth_server: AuthServer
) -> None:
    second = replicas.wires[1]
    with used_up(replicas) as held, ThreadPoolExecutor(1) as pool:
        colleague = auth_server.create_client("--confidential", "--name", "Colleague", "--scope", "query")
        assert Wire(second.resource, auth_server.token(client=colleague)).rows(SMALL) == [["AMERICA"]]
        waiting = pool.submit(second.rows, SMALL)
        held.close()
        assert waiting.result(60) == [["AMERICA"]]


def test_the_share_that_a_killed_replica_used_is_free_seconds_later(replicas: Replicas) -> None:
    """The first query that comes to another one waits for that, no longer than a query may wait."""
    with used_up(replicas):
        replicas.servers[0].server.kill()
        assert replicas.wires[1].rows(SMALL) == [["AMERICA"]]


def test_without_redis_each_replica_goes_on_alone(replicas: Replicas) -> None:
    second = replicas.wires[1]
    with used_up(replicas):
        replicas.redis.server.kill()
        assert second.rows(SMALL) == [["AMERICA"]]
        assert second.rows(SMALL) == [["AMERICA"]]
        replicas.redis.restart()
        wait_for(lambda: is_refused(second), 60, "the replicas to hear of one another again")
