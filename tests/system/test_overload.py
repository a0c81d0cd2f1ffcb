"""More is asked for than can be served: probes answer, others are served, and refusals say when to come back."""

import asyncio
import http.client
import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

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
SMALLEST = "select min(range + 1) from range(7)"
"""It needs nothing of the emulator, of which a scan takes the time of all others; DynamoDB has time for both."""
HEAVY = 64
IMPATIENT_SECONDS = 0.5
QUERIES = 20
SMALL_SECONDS, PROBE_SECONDS = 0.2, 0.1
"""What half of the small queries, and of the probes, may take in a crowd on a machine on which nobody else works."""
TIMES_ALONE = 20
"""How many times what they took before may be taken instead: what others do on this machine slows both down."""
WAIT_SECONDS = 180
"""For how long a test waits for what takes seconds on such a machine."""
GROWTH_BYTES = 100 << 20
PROCESSES = 6
MANY = 20
"""Queries of one caller of which nearly all wait: so few are refused that none is turned away before it may wait."""


def sixteen_tables(number: int) -> str:
    """A statement that takes long to plan, and was not planned before."""
    return f"select count(*) as n{number} from nation t0 " + " ".join(
        f"join nation t{table} on t{table}.n_nationkey = t{table - 1}.n_nationkey" for table in range(1, 16)
    )


HOGS: dict[str, tuple[str, Callable[[int], str]]] = {
    "computing": ("run_sql", lambda _number: ENDLESS),
    "planning": ("explain_sql", sixteen_tables),
    "reading": ("run_sql", lambda number: f"select max(length(o_comment)) as n{number} from orders"),
}
"""What keeps a server busy: the tool, and the statement of each call."""


@dataclass(slots=True)
class Flood:
    """Callers that send such statements: half a second after a refusal the next one, after an answer at once."""

    hogs: str = "computing"
    answered: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    unkind: list[str] = field(default_factory=list)
    """Refusals that do not say when to come back."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def call(self, http: httpx2.AsyncClient, wire: Wire, over: asyncio.Event) -> None:
        """One caller."""
        tool, statement = HOGS[self.hogs]
        while not over.is_set():
            arguments = {"sql": statement(next(self._numbers))}
            if not self._is_answer(await http.send(wire.request("tools/call", {"name": tool, "arguments": arguments}))):
                await asyncio.sleep(IMPATIENT_SECONDS)

    def _is_answer(self, answer: httpx2.Response) -> bool:
        if answer.status_code in (429, 503):
            self._refused(str(answer.status_code), int(answer.headers.get("retry-after", "0")), answer)
            return False
        result = rpc_reply(answer)["result"]
        if result.get("isError"):
            failure = result["structuredContent"]
            self._refused(failure["code"], failure.get("retry_after_seconds", 0), answer)
            return False
        self.answered += 1
        return True

    def _refused(self, kind: str, after: int, answer: httpx2.Response) -> None:
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
        each_its_own = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(timeout=WAIT_SECONDS, limits=each_its_own) as http:
            calls = [asyncio.create_task(flood.call(http, wire, over)) for wire in wires]
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
        assert ready.wait(WAIT_SECONDS)
        try:
            yield
            assert not running.done(), running.exception()
        finally:
            loop, task = started[0]
            loop.call_soon_threadsafe(task.cancel)
            running.result(WAIT_SECONDS)


@dataclass(slots=True)
class Probes:
    """What a load balancer hears that asks all the time, each time on a new connection."""

    answers: list[tuple[str, int, float]] = field(default_factory=list)

    def ask(self, origin: str, over: threading.Event) -> None:
        """Asks until it is over."""
        while not over.wait(0.02):
            for path in ("/livez", "/readyz"):
                began = time.monotonic()
                connection = http.client.HTTPConnection(urlsplit(origin).netloc, timeout=WAIT_SECONDS)
                connection.request("GET", path)
                status = connection.getresponse().status
                connection.close()
                self.answers.append((path, status, time.monotonic() - began))

    def typical(self, first: int = 0) -> float:
        """What half of those from there on took at most."""
        return statistics.median(seconds for _, _, seconds in self.answers[first:])


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
        asking.result(WAIT_SECONDS)


@pytest.fixture
def mcp(auth_server: AuthServer, demo_tables: DemoTables, tmp_path: Path) -> Iterator[McpServer]:
    """A server that works on 48 requests at a time."""
    addresses = Addresses(auth_port=int(auth_server.issuer.rsplit(":", 1)[1]))
    settings = {"MCP_RESOURCE": auth_server.resource, "MCP_MAX_CONCURRENT_REQUESTS": "48"}
    with mcp_serving(addresses, tmp_path, demo_tables.emulator.endpoint_url, **settings) as started:
        yield McpServer(f"http://localhost:{addresses.mcp_port}/mcp", started.server)


@dataclass(frozen=True, slots=True)
class Alone:
    """What a small query and a probe take while nobody else asks for anything."""

    query: float
    probe: float

    @property
    def most_for_a_query(self) -> float:
        """What half of the queries may take in a crowd."""
        return max(SMALL_SECONDS, TIMES_ALONE * self.query)

    @property
    def most_for_a_probe(self) -> float:
        """What half of the probes may take in a crowd."""
        return max(PROBE_SECONDS, TIMES_ALONE * self.probe)


def alone(wire: Wire, probes: Probes, sql: str = SMALL) -> Alone:
    """Both as this machine is now. The first queries start what is kept for the later ones."""
    typical_query(wire, sql)
    first = len(probes.answers)
    query = typical_query(wire, sql)
    wait_for(lambda: len(probes.answers) > first + QUERIES, WAIT_SECONDS, "probes")
    return Alone(query, probes.typical(first))


def typical_query(wire: Wire, sql: str = SMALL) -> float:
    """What half of some small queries take at most, one after another."""
    took = list[float]()
    for _ in range(QUERIES):
        began = time.monotonic()
        assert wire.rows(sql) == ([["AMERICA"]] if sql == SMALL else [[1]])
        took.append(time.monotonic() - began)
    return statistics.median(took)


def test_i22_probes_answer_and_small_queries_are_served_while_heavy_ones_are_shed(
    mcp: McpServer, auth_server: AuthServer
) -> None:
    """First one caller has 64 heavy queries, then four more come with 20 each, which is more than may be worked on."""
    hog, colleague, *others = callers(mcp, auth_server, 6)
    flood, crowd = Flood(), Flood()
    with probing(mcp.origin) as probes:
        usual = alone(colleague, probes)
        before, first = resident(mcp.server.pid), len(probes.answers)
        with flooding(flood, [hog] * HEAVY):
            wait_for(lambda: flood.refusals["busy"] > 40, WAIT_SECONDS, "queries that are refused for the share")
            query = typical_query(colleague)
            wait_for(lambda: flood.refusals["429"] > 10, WAIT_SECONDS, "a caller to be turned away early")
            with flooding(crowd, [wire for wire in others for _ in range(MANY)]):
                wait_for(lambda: crowd.refusals["503"] > 20, WAIT_SECONDS, "requests beyond what may be worked on")
                asked = len(probes.answers)
                wait_for(lambda: len(probes.answers) > asked + 20, WAIT_SECONDS, "probes meanwhile")
        probe = probes.typical(first)
        wait_for(lambda: answers_soon(colleague) and answers_soon(hog), WAIT_SECONDS, "its usual work afterwards")
    assert {status for _, status, _ in probes.answers} == {200}
    assert probe < usual.most_for_a_probe
    assert flood.unkind + crowd.unkind == []
    assert set(flood.refusals) | set(crowd.refusals) <= {"busy", "429", "503"}
    assert query < usual.most_for_a_query
    assert resident(mcp.server.pid) - before < GROWTH_BYTES
    assert len(descendants(mcp.server.pid)) <= PROCESSES + 2


@pytest.mark.parametrize(("hogs", "sql"), [("planning", SMALL), ("reading", SMALLEST)])
def test_i22_small_queries_are_served_beside_one_that_keeps_the_server_itself_busy(
    hogs: str, sql: str, mcp: McpServer, auth_server: AuthServer
) -> None:
    """What query processes compute is another's; plans and reads take the time of the process that serves all."""
    hog, colleague = callers(mcp, auth_server, 2)
    flood = Flood(hogs)
    with probing(mcp.origin) as probes:
        usual = alone(colleague, probes, sql)
        first = len(probes.answers)
        with flooding(flood, [hog] * HEAVY):
            wait_for(lambda: flood.answered + flood.refusals.total() > HEAVY, WAIT_SECONDS, "the hog to be at work")
            served = flood.answered
            query = typical_query(colleague, sql)
            wait_for(lambda: flood.answered > served, WAIT_SECONDS, "the hog to be served, too")
        probe = probes.typical(first)
    assert query < usual.most_for_a_query
    assert probe < usual.most_for_a_probe
    assert {status for _, status, _ in probes.answers} == {200}
    assert (flood.unkind, set(flood.refusals) <= {"busy", "429", "503"}) == ([], True)


def callers(mcp: McpServer, auth_server: AuthServer, count: int) -> list[Wire]:
    """Clients that are principals of their own."""
    clients = [auth_server.create_client("--confidential", "--name", f"Caller {n}") for n in range(count)]
    return [Wire(mcp.resource, auth_server.token(client=client)) for client in clients]


def answers_soon(wire: Wire) -> bool:
    """Whether a small query is answered at the first attempt."""
    answer = wire.send("tools/call", {"name": "run_sql", "arguments": {"sql": SMALL}})
    return answer.status_code == 200 and not rpc_reply(answer)["result"].get("isError")


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024
