"""More is asked for than can be served: probes answer, others are served, and refusals say when to come back."""

import asyncio
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.support.demo_data import DemoTables
from tests.support.descendants import descendants
from tests.support.held_calls import ENDLESS
from tests.support.mcp_wire import Wire, rpc_reply
from tests.support.processes import wait_for
from tests.support.services import Addresses, AuthServer, McpServer, mcp_serving

pytestmark = pytest.mark.slow

SMALL = "select r_name from region where r_regionkey = 1"
HEAVY = 64
IMPATIENT_SECONDS = 0.5
PROBE_SECONDS = 10.0
"""For how long a probe may wait on a machine on which others work, too; usually it takes milliseconds."""
SMALL_SECONDS = 0.2
"""Within which a small query is answered, at least where nothing else keeps this machine from it."""
GROWTH_BYTES = 100 << 20
PROCESSES = 6
MANY = 20
"""Queries of one caller of which nearly all wait: so few are refused that none is turned away before it may wait."""


@dataclass(slots=True)
class Flood:
    """Callers that send an endless query, and send it anew half a second after each refusal."""

    refusals: Counter[str] = field(default_factory=Counter)
    unkind: list[str] = field(default_factory=list)
    """Answers that do not say when to come back."""

    async def call(self, wire: Wire, over: asyncio.Event) -> None:
        """One caller, on a connection of its own."""
        async with httpx2.AsyncClient(timeout=180) as http:
            while not over.is_set():
                request = wire.request("tools/call", {"name": "run_sql", "arguments": {"sql": ENDLESS}})
                self._take(await http.send(request))
                await asyncio.sleep(IMPATIENT_SECONDS)

    def _take(self, answer: httpx2.Response) -> None:
        if answer.status_code in (429, 503):
            kind, after = str(answer.status_code), int(answer.headers.get("retry-after", "0"))
        else:
            failure = rpc_reply(answer)["result"]["structuredContent"]
            kind, after = failure["code"], failure.get("retry_after_seconds", 0)
        self.refusals[kind] += 1
        if not 1 <= after <= 60:
            self.unkind.append(f"{answer.status_code} {answer.headers} {answer.text[:300]}")


@contextmanager
def flooding(flood: Flood, wires: list[Wire]) -> Iterator[None]:
    """One caller for each wire, for as long as the block runs; then all of them hang up."""
    started: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []
    ready = threading.Event()

    async def run() -> None:
        over = asyncio.Event()
        calls = [asyncio.create_task(flood.call(wire, over)) for wire in wires]
        task = asyncio.current_task()
        assert task is not None
        started.append((asyncio.get_running_loop(), task))
        ready.set()
        try:
            await asyncio.gather(*calls)
        except asyncio.CancelledError:
            await asyncio.gather(*calls, return_exceptions=True)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(asyncio.run, run())
        assert ready.wait(60)
        try:
            yield
            assert not running.done(), running.exception()
        finally:
            loop, task = started[0]
            loop.call_soon_threadsafe(task.cancel)
            running.result(60)


@dataclass(slots=True)
class Probes:
    """What a load balancer hears that asks all the time, each time on a new connection."""

    answers: list[tuple[str, int, float]] = field(default_factory=list)

    def ask(self, origin: str, over: threading.Event) -> None:
        """Asks until it is over."""
        while not over.wait(0.02):
            for path in ("/livez", "/readyz"):
                began = time.monotonic()
                with httpx2.Client(timeout=60) as http:
                    status = http.get(f"{origin}{path}").status_code
                self.answers.append((path, status, time.monotonic() - began))


@contextmanager
def probing(origin: str) -> Iterator[Probes]:
    """Probes for as long as the block runs."""
    probes, over = Probes(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(probes.ask, origin, over)
        try:
            yield probes
        finally:
            over.set()
        asking.result(120)


@pytest.fixture
def mcp(auth_server: AuthServer, demo_tables: DemoTables, tmp_path: Path) -> Iterator[McpServer]:
    """A server that works on 48 requests at a time."""
    addresses = Addresses(auth_port=int(auth_server.issuer.rsplit(":", 1)[1]))
    settings = {"MCP_RESOURCE": auth_server.resource, "MCP_MAX_CONCURRENT_REQUESTS": "48"}
    with mcp_serving(addresses, tmp_path, demo_tables.emulator.endpoint_url, **settings) as started:
        yield McpServer(f"http://localhost:{addresses.mcp_port}/mcp", started.server)


def test_i22_probes_answer_and_small_queries_are_served_while_heavy_ones_are_shed(
    mcp: McpServer, auth_server: AuthServer
) -> None:
    """First one caller has 64 heavy queries, then four more come with 20 each, which is more than may be worked on."""
    clients = [auth_server.create_client("--confidential", "--name", f"Caller {n}") for n in range(6)]
    hog, colleague, *others = (Wire(mcp.resource, auth_server.token(client=client)) for client in clients)
    for _ in range(5):
        assert colleague.rows(SMALL) == [["AMERICA"]]
    before = resident(mcp.server.pid)
    flood, crowd, took = Flood(), Flood(), list[float]()
    with probing(mcp.origin) as probes:
        with flooding(flood, [hog] * HEAVY):
            wait_for(lambda: flood.refusals["busy"] > 40, 60, "queries that are refused for the share")
            for _ in range(20):
                began = time.monotonic()
                assert colleague.rows(SMALL) == [["AMERICA"]]
                took.append(time.monotonic() - began)
            wait_for(lambda: flood.refusals["429"] > 10, 60, "a caller that does not wait to be turned away early")
            with flooding(crowd, [wire for wire in others for _ in range(MANY)]):
                wait_for(lambda: crowd.refusals["503"] > 20, 60, "requests beyond what may be worked on")
                asked = len(probes.answers)
                wait_for(lambda: len(probes.answers) > asked + 20, 60, "probes meanwhile")
        wait_for(lambda: answers_soon(colleague) and answers_soon(hog), 60, "its usual work afterwards")
    assert {status for _, status, _ in probes.answers} == {200}
    seconds = sorted(took_of for _, _, took_of in probes.answers)
    assert seconds[-1] < PROBE_SECONDS, f"{len(seconds)} probes; the median took {statistics.median(seconds):.3f} s"
    assert flood.unkind + crowd.unkind == []
    assert set(flood.refusals) | set(crowd.refusals) <= {"busy", "429", "503"}
    assert min(took) < SMALL_SECONDS, took
    assert resident(mcp.server.pid) - before < GROWTH_BYTES
    assert len(descendants(mcp.server.pid)) <= PROCESSES + 2


def answers_soon(wire: Wire) -> bool:
    """Whether a small query is answered at the first attempt."""
    answer = wire.send("tools/call", {"name": "run_sql", "arguments": {"sql": SMALL}})
    return answer.status_code == 200 and not rpc_reply(answer)["result"].get("isError")


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024
