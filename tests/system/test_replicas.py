"""Several mcp-servers are one: whichever is asked has the next page, also after another has died."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest

from tests.support.demo_data import DemoTables
from tests.support.descendants import children, processor_seconds
from tests.support.emulator import Emulator
from tests.support.gateway import balancing_by_probes
from tests.support.held_calls import ENDLESS, send_call
from tests.support.mcp_wire import CALL_SECONDS, ERAS, ToolFailed, Wire, message, rpc_reply
from tests.support.processes import free_port, wait_for
from tests.support.redis_server import RedisServer, redis_serving
from tests.support.services import Addresses, AuthServer, McpServer, mcp_replica

pytestmark = pytest.mark.slow

STATEMENT = "select n_nationkey, n_name from nation order by n_nationkey"
GROUPED = "select n_nationkey, count(*) from nation group by 1 order by 1"
LARGE = "large"
LARGE_ITEMS = 200
SCAN = f"select count(*) from {LARGE}"
DEAR = f"select max(length(text)) from {LARGE} where pk in (1, 2, 3)"
"""It takes 143 read units."""
NATIONS = 25
CALLERS = 6
LASTING_SECONDS = 12
"""Longer than anything else that a server which stops waits for."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """Two mcp-servers or more, each with its wire, over one Redis."""

    servers: tuple[McpServer, ...]
    wires: tuple[Wire, ...]
    redis: RedisServer


@pytest.fixture
def replicas(
    auth_server: AuthServer, addresses: Addresses, demo_tables: DemoTables, tmp_path: Path
) -> Iterator[Replicas]:
    """Two over the demo data."""
    with sharing(auth_server, addresses, demo_tables.emulator.endpoint_url, tmp_path) as pair:
        yield pair


@pytest.fixture
def asking(auth_server: AuthServer, addresses: Addresses, emulator: Emulator, tmp_path: Path) -> Iterator[Replicas]:
    """Two over a table that nobody scans unasked, since it has more than 64 MB, nor spends 100 read units on."""
    client = boto3.client("dynamodb", endpoint_url=emulator.endpoint_url, region_name=emulator.region)
    with suppress(client.exceptions.ResourceInUseException):  # another test has made it
        client.create_table(
            TableName=LARGE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "N"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        )
        for first in range(0, LARGE_ITEMS, 25):
            items = [{"pk": {"N": str(number)}, "text": {"S": "x" * 390_000}} for number in range(first, first + 25)]
            client.batch_write_item(RequestItems={LARGE: [{"PutRequest": {"Item": item}} for item in items]})
    with sharing(auth_server, addresses, emulator.endpoint_url, tmp_path, MCP_CONFIRM_READ_UNITS="100") as pair:
        yield pair


@contextmanager
def sharing(
    auth_server: AuthServer, addresses: Addresses, endpoint: str, tmp_path: Path, *, count: int = 2, **settings: str
) -> Iterator[Replicas]:
    """So many that share the key of cursors and the Redis."""
    directories = [tmp_path / f"replica-{number}" for number in range(count)]
    with redis_serving(tmp_path / "redis") as redis, ExitStack() as stack:
        key_file = str(directories[0] / "cursor.key")
        more = {"MCP_STORE_URL": f"{redis.url}/1", "MCP_CURSOR_KEY_FILE": key_file, **settings}
        for directory in directories:
            directory.mkdir()
        servers = [stack.enter_context(mcp_replica(addresses, each, endpoint, **more)) for each in directories]
        token = auth_server.token()
        wires = [Wire(each.resource, token, ERAS[number % 2]) for number, each in enumerate(servers)]
        yield Replicas(tuple(servers), tuple(wires), redis)


def test_every_replica_has_every_page(replicas: Replicas) -> None:
    page = replicas.wires[0].call("run_sql", sql=STATEMENT, max_rows=4)
    rows, turn = page["rows"], 1
    while page["next_cursor"]:
        wire = replicas.wires[turn % 2]
        page = wire.call("run_sql", sql=STATEMENT, max_rows=4, cursor=page["next_cursor"])
        rows, turn = rows + page["rows"], turn + 1
    assert [row[0] for row in rows] == list(range(NATIONS))
    assert turn == 7


def test_pages_outlive_the_replica_that_made_them(replicas: Replicas) -> None:
    page = replicas.wires[0].call("run_sql", sql=STATEMENT, max_rows=10)
    replicas.servers[0].server.kill()
    later = replicas.wires[1].call("run_sql", sql=STATEMENT, max_rows=20, cursor=page["next_cursor"])
    assert [row[0] for row in page["rows"] + later["rows"]] == list(range(NATIONS))
    assert (later["next_cursor"], later["stop_reason"]) == (None, "complete")


def test_a_call_is_cancelled_through_any_replica(replicas: Replicas) -> None:
    """As by a handshake client behind a balancer, which cancels in a request of its own."""
    first, second = replicas.wires
    assert first.rows(STATEMENT)
    idle = worked(replicas.servers[0])
    with send_call(first.resource, first.token, ENDLESS, "2025-11-25") as connection:
        wait_for(lambda: worked(replicas.servers[0]) > idle + 0.5, 60, "the first replica to compute")
        began = time.monotonic()
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
        _, headers = message("2025-11-25", 1, "ping", {})
        headers["Authorization"] = f"Bearer {second.token}"
        assert httpx2.post(second.resource, json=cancelled, headers=headers).status_code == 202
        connection.settimeout(20)
        assert b'"Request cancelled"' in connection.recv(65536)
        assert time.monotonic() - began < 20


def worked(server: McpServer) -> float:
    """How many seconds the busiest child process of a server has computed."""
    return max(processor_seconds([child]) for child in children(server.server.pid))


def test_without_redis_there_are_first_pages_and_afterwards_all_of_them(replicas: Replicas) -> None:
    cursor = replicas.wires[0].call("run_sql", sql=STATEMENT, max_rows=10)["next_cursor"]
    replicas.redis.server.kill()
    page = replicas.wires[0].call("run_sql", sql=STATEMENT, max_rows=10)
    assert [row[0] for row in page["rows"]] == list(range(10))
    assert (page["next_cursor"], page["stop_reason"]) == (None, "result_limit")
    assert any("what keeps results between pages does not answer" in warning for warning in page["warnings"])
    with pytest.raises(ToolFailed) as failed:
        replicas.wires[1].call("run_sql", sql=STATEMENT, max_rows=10, cursor=cursor)
    assert failed.value.code == "source_unavailable"
    assert failed.value.failure["retry_after_seconds"] > 0
    # A statement that needs no second page does not notice.
    assert len(replicas.wires[0].rows("select n_name from nation")) == NATIONS
    replicas.redis.restart()
    later = replicas.wires[1].call("run_sql", sql=STATEMENT, max_rows=20, cursor=cursor)
    assert [row[0] for row in later["rows"]] == list(range(10, NATIONS))


def test_the_hours_budget_is_one_for_all_replicas(
    auth_server: AuthServer, addresses: Addresses, demo_tables: DemoTables, tmp_path: Path
) -> None:
    """It outlives the replica on which it was spent."""
    endpoint = demo_tables.emulator.endpoint_url
    with sharing(auth_server, addresses, endpoint, tmp_path, MCP_READ_UNITS_PER_HOUR="20") as replicas:
        first, second = replicas.wires
        second.call("run_sql", sql=STATEMENT)

        def is_refused(wire: Wire) -> bool:
            try:
                wire.call("run_sql", sql=STATEMENT)
            except ToolFailed as refused:
                return refused.code == "budget_exceeded" and refused.failure["retry_after_seconds"] > 3000
            return False

        assert any(is_refused(first) for _ in range(100))
        wait_for(lambda: is_refused(second), 30, "the second replica to hear of it")
        replicas.servers[0].server.kill()
        assert is_refused(second)


def test_what_was_read_is_told_by_every_replica(replicas: Replicas) -> None:
    """Each hands on what it read a second later; one that is asked hands on its own at once."""
    first, second = replicas.wires
    for number in range(4):
        replicas.wires[number % 2].call("run_sql", sql=STATEMENT)
    told: list[dict[str, Any]] = []

    def all_told() -> bool:
        told[:] = second.call("usage")["entries"]
        return bool(told) and told[0]["statements"] == 4

    wait_for(all_told, 30, "both replicas' usage")
    (entry,) = told
    assert (entry["table"], entry["items"]) == ("demo.nation", (4 + 2) * NATIONS), "each has sampled it too"
    assert entry["usd"] > 0
    assert first.call("usage")["entries"] == told
    replicas.redis.server.kill()
    with pytest.raises(ToolFailed) as failed:
        first.call("usage")
    assert failed.value.code == "source_unavailable"
    assert len(first.rows("select n_name from nation")) == NATIONS


def counted(wire: Wire, sql: str = SCAN, **answer: Any) -> dict[str, Any]:
    """The result of a query that has one row and is asked about, by a client that shows forms."""
    params = {"name": "run_sql", "arguments": {"sql": sql}, **answer}
    request = wire.request("tools/call", params)
    document = json.loads(request.content)
    document["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"elicitation": {}}
    kept = {name: value for name, value in request.headers.items() if name != "content-length"}
    with httpx2.Client(timeout=CALL_SECONDS) as http:
        result: dict[str, Any] = rpc_reply(http.post(wire.resource, json=document, headers=kept))["result"]
    return result


def said_yes(question: dict[str, Any]) -> dict[str, Any]:
    """What a client sends whose person agreed."""
    accepted = {"action": "accept", "content": {"read_it_all": True}}
    return {"inputResponses": {"go_on": accepted}, "requestState": question["requestState"]}


def test_a_yes_counts_on_any_replica_and_on_all_of_them_once(asking: Replicas) -> None:
    """A replayed yes would read again what nobody agreed to; it asks anew, also after the replica has died."""
    wires = [Wire(wire.resource, wire.token) for wire in asking.wires]
    for sql in (SCAN, DEAR):
        question = counted(wires[0], sql)
        assert question["resultType"] == "input_required"
        yes = said_yes(question)
        assert counted(wires[1], sql, **yes)["structuredContent"]["row_count"] == 1
        assert [counted(wire, sql, **yes)["resultType"] for wire in wires] == ["input_required"] * 2
    later = said_yes(counted(wires[1]))
    assert counted(wires[1], **later)["structuredContent"]["row_count"] == 1
    asking.servers[1].server.kill()
    assert counted(wires[0], **later)["resultType"] == "input_required"


def test_without_redis_a_yes_counts_on_each_replica_once(asking: Replicas) -> None:
    """Availability goes first: what is at stake is one more scan per replica, of the same person's same statement."""
    wires = [Wire(wire.resource, wire.token) for wire in asking.wires]
    yes = said_yes(counted(wires[0]))
    asking.redis.server.kill()
    for wire in wires:
        assert counted(wire, **yes)["structuredContent"]["row_count"] == 1
        assert counted(wire, **yes)["resultType"] == "input_required"


@dataclass(slots=True)
class Load:
    """Callers of both eras who read all pages of a statement again and again: how often each had them, and had not."""

    wires: list[Wire]
    served: list[int] = field(default_factory=lambda: [0] * CALLERS)
    lost: list[int] = field(default_factory=lambda: [0] * CALLERS)
    over: threading.Event = field(default_factory=threading.Event)

    def call(self, caller: int) -> None:
        """Calls until it is over. A call is lost if its server breaks off; any other failure ends the test."""
        while not self.over.is_set():
            try:
                # Grouped, so that its pages are kept: later ones come from whichever replica is there then.
                rows = self.wires[caller].rows(GROUPED, max_rows=10)
            except AssertionError as failure:
                if not str(failure).startswith("502"):
                    raise
                self.lost[caller] += 1
            else:
                assert [row[0] for row in rows] == list(range(NATIONS))
                self.served[caller] += 1

    def go_on(self) -> None:
        """Returns once each caller has had all pages again."""
        before = list(self.served)
        wait_for(lambda: all(map(int.__lt__, before, self.served)), 60, "more calls")


@contextmanager
def loaded(
    auth_server: AuthServer,
    addresses: Addresses,
    demo_tables: DemoTables,
    tmp_path: Path,
    *,
    count: int = 2,
    **settings: str,
) -> Iterator[tuple[Replicas, Load]]:
    """Replicas under load, behind one address."""
    port, endpoint = free_port(), demo_tables.emulator.endpoint_url
    with (
        sharing(
            auth_server, addresses, endpoint, tmp_path, count=count, MCP_SHUTDOWN_DELAY_SECONDS="1", **settings
        ) as replicas,
        balancing_by_probes(port, [server.origin for server in replicas.servers]),
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        token = auth_server.token()
        load = Load([Wire(f"http://localhost:{port}/mcp", token, ERAS[number % 2]) for number in range(CALLERS)])
        calling = [pool.submit(load.call, caller) for caller in range(CALLERS)]
        try:
            load.go_on()
            yield replicas, load
        finally:
            load.over.set()
        for caller in calling:
            caller.result()


def test_a_rolling_restart_costs_no_call(
    auth_server: AuthServer, addresses: Addresses, demo_tables: DemoTables, tmp_path: Path
) -> None:
    """Each of three says that it is no longer ready, serves on for a second, finishes its calls, and comes back.

    The first also has a call that computes until its deadline, and is told so.
    """
    patient = auth_server.token(client=auth_server.create_client("--confidential", "--name", "Patient"))
    settings = {"MCP_DEADLINE_SECONDS": str(LASTING_SECONDS)}
    with (
        loaded(auth_server, addresses, demo_tables, tmp_path, count=3, **settings) as (replicas, load),
        ThreadPoolExecutor(1) as pool,
    ):
        first = replicas.servers[0]
        idle = worked(first)
        lasting = pool.submit(outcome, Wire(first.resource, patient), ENDLESS)
        wait_for(lambda: worked(first) > idle + 1, 60, "the first replica to compute")
        for replica in (*replicas.servers, first):
            assert replica.server.stop() == 0
            replica.restart()
            load.go_on()
        assert lasting.result() == "deadline_exceeded"
    assert sum(load.lost) == 0


def outcome(wire: Wire, sql: str) -> str:
    """The code with which a query fails."""
    with pytest.raises(ToolFailed) as failed:
        wire.call("run_sql", sql=sql)
    return failed.value.code


def test_a_replica_that_is_killed_costs_the_calls_that_it_held(
    auth_server: AuthServer, addresses: Addresses, demo_tables: DemoTables, tmp_path: Path
) -> None:
    """Each caller has one call at a time. Pages that the killed one made come from the other."""
    with loaded(auth_server, addresses, demo_tables, tmp_path) as (replicas, load):
        for replica in replicas.servers:
            before = list(load.lost)
            replica.server.kill()
            load.go_on()
            assert max(now - then for now, then in zip(load.lost, before, strict=True)) <= 1
            replica.restart()
            load.go_on()
