"""A call that is cancelled, or whose client leaves, stops within 0.3 s whatever it is doing, in both protocol eras.

The machine may be busy with other tests: the best of a few calls counts. One that does not stop takes seconds.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.counting_proxy import CountingProxy, counting
from tests.support.demo_data import DemoTables
from tests.support.descendants import children, processor_seconds
from tests.support.held_calls import ENDLESS_NUMBERS, send_call
from tests.support.mcp_wire import ERAS, Era, Wire, message
from tests.support.processes import wait_for
from tests.support.redis_server import RedisServer, redis_serving
from tests.support.services import Addresses, AuthServer, McpServer, mcp_serving

pytestmark = pytest.mark.slow

STOPPED_SECONDS = 0.3
CALLS = 5
HOSTILE = f"select {', '.join('*' * 5000)} from nation a, nation b, nation c, nation d"
"""Its stars stand for 80,000 columns."""
PAGES = "select n_regionkey, count(*) from nation group by 1 order by 1"
UNKNOWN = "part"
"""A table that is never described, since each call that names it stops before that."""


Doing = tuple[str, Callable[[], bool], Callable[[], bool]]
"""A statement, whether its call has come so far, and whether it has stopped."""

Phase = AbstractContextManager[Doing]


class Service:
    """An mcp-server with one query process, over a DynamoDB and a Redis that stop answering when they are told to."""

    def __init__(self, mcp: McpServer, proxy: CountingProxy, redis: RedisServer, token: str) -> None:
        self.mcp, self.proxy, self.redis, self.token = mcp, proxy, redis, token

    def wire(self, era: Era) -> Wire:
        return Wire(self.mcp.resource, self.token, era)

    def logged(self, *words: str) -> int:
        """How many lines of the log have all of these words."""
        lines = self.mcp.log.read_text().splitlines()
        return sum(all(f'"{word}"' in line for word in words) for line in lines)

    @property
    def cancelled(self) -> int:
        return self.logged("tool_call", "cancelled")

    def processes(self, kind: str) -> list[int]:
        """The ids of its child processes of a kind."""
        found = []
        for pid in children(self.mcp.server.pid):
            command = Path(f"/proc/{pid}/cmdline")
            if command.exists() and f"adapters.{kind}.worker" in command.read_text():
                found.append(pid)
        return found


@pytest.fixture(scope="module")
def service(
    demo_tables: DemoTables, auth_server: AuthServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    addresses = Addresses(auth_port=int(auth_server.issuer.rsplit(":", 1)[1]))
    directory = tmp_path_factory.mktemp("stopping")
    with counting(demo_tables.emulator.endpoint_url) as proxy, redis_serving(directory / "redis") as redis:
        settings = {
            "MCP_RESOURCE": auth_server.resource,
            "MCP_QUERY_PROCESSES": "1",
            "MCP_DEADLINE_SECONDS": "300",
            "MCP_STORE_URL": redis.url,
        }
        with mcp_serving(addresses, directory, proxy.endpoint_url, **settings) as started:
            mcp = McpServer(f"http://localhost:{addresses.mcp_port}/mcp", started.server)
            yield Service(mcp, proxy, redis, auth_server.token())


@contextmanager
def planning(service: Service) -> Iterator[Doing]:
    """In a process of its own."""
    service.wire("2026-07-28").rows("select 1 from nation limit 1")
    yield (
        HOSTILE,
        lambda: processor_seconds(service.processes("planning")) > 0.2,
        lambda: not service.processes("planning"),
    )


@contextmanager
def sampling(service: Service) -> Iterator[Doing]:
    service.proxy.holding = True
    yield f"select count(*) from {UNKNOWN}", lambda: service.proxy.held > 0, lambda: service.proxy.held == 0
    service.proxy.holding = False


@contextmanager
def reading(service: Service) -> Iterator[Doing]:
    service.wire("2026-07-28").rows("select n_name from nation where n_nationkey = 1")
    service.proxy.holding = True
    yield "select n_name from nation", lambda: service.proxy.held > 0, lambda: service.proxy.held == 0
    service.proxy.holding = False


@contextmanager
def computing(service: Service) -> Iterator[Doing]:
    """There is one process: it has stopped when it answers the next statement."""
    before = processor_seconds(service.processes("duckdb"))
    yield (
        ENDLESS_NUMBERS,
        lambda: processor_seconds(service.processes("duckdb")) > before + 0.2,
        lambda: service.wire("2026-07-28").rows("select count(*) from range(3) r") == [[3]],
    )


@contextmanager
def spooling(service: Service) -> Iterator[Doing]:
    """The statement has run, and what is left of its rows is on its way to a Redis that hangs."""
    assert len(service.wire("2026-07-28").rows(PAGES, max_rows=1)) == 5
    before, ran = service.cancelled, service.logged("tables_read")
    os.kill(service.redis.server.pid, signal.SIGSTOP)
    try:
        yield PAGES, lambda: service.logged("tables_read") > ran, lambda: service.cancelled > before
    finally:
        os.kill(service.redis.server.pid, signal.SIGCONT)


@contextmanager
def queueing(service: Service) -> Iterator[Doing]:
    with send_call(service.mcp.resource, service.token, ENDLESS_NUMBERS):
        busy = processor_seconds(service.processes("duckdb")) + 0.2
        wait_for(lambda: processor_seconds(service.processes("duckdb")) > busy, 60, "the first statement")
        before, calls = service.cancelled, service.logged("request", "POST")
        yield "select 2", lambda: service.logged("request", "POST") == calls, lambda: service.cancelled > before
    wait_for(lambda: service.cancelled > before + 1, 60, "the end of the first statement")


PHASES = (planning, sampling, reading, computing, spooling, queueing)
WAYS: tuple[tuple[Era, bool], ...] = (*((era, True) for era in ERAS), ("2025-11-25", False))


@pytest.mark.parametrize(("era", "leaves"), WAYS)
@pytest.mark.parametrize("phase", PHASES, ids=[phase.__name__ for phase in PHASES])
def test_a_call_stops_at_once_whatever_it_is_doing(
    phase: Callable[[Service], Phase], era: Era, leaves: bool, service: Service
) -> None:
    took = []
    for _ in range(CALLS):
        took.append(stopped(phase, era, leaves, service))
        if took[-1] < STOPPED_SECONDS:
            return
    pytest.fail(f"it took {took} seconds to stop")


def stopped(phase: Callable[[Service], Phase], era: Era, leaves: bool, service: Service) -> float:
    """How many seconds a call goes on once its client does not want it any more."""
    with phase(service) as (statement, reached, over):
        connection = send_call(service.mcp.resource, service.token, statement, era, max_rows=1)
        wait_for(reached, 60, phase.__name__)
        began = time.monotonic()
        if leaves:
            connection.close()
        else:
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
            _, headers = message(era, 1, "ping", {})
            headers["Authorization"] = f"Bearer {service.token}"
            assert httpx2.post(service.mcp.resource, json=cancelled, headers=headers).status_code == 202
        wait_for(over, 60, "the end of the call")
        ended = time.monotonic()
    connection.close()
    return ended - began
