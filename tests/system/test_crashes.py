"""kill -9 in the middle of work: the next call or start is healthy, and nothing that was acknowledged is lost."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.demo_data import dynamodb_client
from tests.support.descendants import alive, children, descendants, kill
from tests.support.emulator import Emulator, emulating
from tests.support.grants import new_code, new_grant
from tests.support.mcp_wire import ToolFailed, Wire
from tests.support.processes import answers, wait_for
from tests.support.services import Addresses, AuthServer, McpServer, auth_serving, claims, mcp_serving

pytestmark = pytest.mark.slow

ITEMS = 4000
COUNT = "select count(*) as n, sum(value) as total from readings"
# Takes the engine's children far longer than the test, once their input, one small table, has been read.
ENDLESS = "select count(*) from readings a, readings b, readings c where a.note || b.note < c.note"


class Crashing:
    """An emulator, auth-server and mcp-server of this module's own, each of which may be killed."""

    def __init__(self, emulator: Emulator, auth: AuthServer, mcp: McpServer) -> None:
        self.emulator, self.auth, self.mcp = emulator, auth, mcp

    @property
    def wire(self) -> Wire:
        """The MCP endpoint with a fresh token."""
        return Wire(self.mcp.resource, self.auth.token())

    def assert_healthy(self) -> None:
        """Every part does its work."""
        assert self.wire.rows(COUNT) == [[ITEMS, sum(range(ITEMS))]]


def load(endpoint_url: str) -> None:
    """Fills the table that the queries read."""
    client = dynamodb_client(endpoint_url)
    client.create_table(
        TableName="readings",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    for start in range(0, ITEMS, 25):
        numbers = range(start, start + 25)
        items = [{"id": {"N": str(n)}, "value": {"N": str(n)}, "note": {"S": f"note {n} " * 100}} for n in numbers]
        client.batch_write_item(RequestItems={"readings": [{"PutRequest": {"Item": item}} for item in items]})


@pytest.fixture(scope="module")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crashing]:
    """The three processes, and a small table."""
    directory, addresses = tmp_path_factory.mktemp("crashes"), Addresses()
    with (
        emulating(directory) as emulator,
        auth_serving(addresses, directory) as auth,
        mcp_serving(addresses, directory, emulator.endpoint_url) as mcp,
    ):
        load(emulator.endpoint_url)
        started = Crashing(emulator, auth, mcp)
        started.assert_healthy()
        yield started


def outcome(call: Callable[[], Any]) -> str:
    """`ok`, the code of a tool's failure, or `disconnected`."""
    try:
        call()
    except ToolFailed as failed:
        return failed.code
    except httpx2.TransportError:
        return "disconnected"
    return "ok"


def busy_child(crashing: Crashing) -> int:
    """The engine's child process that is working on a query, once there is one."""
    found: list[int] = []

    def look() -> bool:
        now = descendants(crashing.mcp.server.pid)
        found.extend(child for child in now if cpu_seconds(child) > idle.get(child, 0.0) + 0.5)
        return bool(found)

    idle = {child: cpu_seconds(child) for child in descendants(crashing.mcp.server.pid)}
    wait_for(look, 60, "a child at work")
    return found[0]


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has taken."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_engine_children_that_are_killed_fail_one_call_only(crashing: Crashing) -> None:
    """A call is run once more when its child ends; a second loss is told."""
    with ThreadPoolExecutor(1) as pool:
        running: Future[str] = pool.submit(outcome, lambda: crashing.wire.call("run_sql", sql=ENDLESS))
        killed = []
        for _ in range(2):
            killed.append(busy_child(crashing))
            kill(killed[-1])
        assert running.result(60) == "internal_error"
    assert not any(map(alive, killed))
    crashing.assert_healthy()
    lines = [json.loads(line) for line in crashing.mcp.log.read_text().splitlines() if line.startswith("{")]
    ended = [line for line in lines if line["event"] == "duckdb_child_ended" and line["pid"] in killed]
    assert [(line["reason"], line["signal"]) for line in ended] == [("lost", "SIGKILL")] * 2
    (call,) = [line for line in lines if line["event"] == "tool_call" and line["outcome"] == "internal_error"]
    assert {line["request_id"] for line in ended} == {call["request_id"]}
    assert (call["child"], call["child_signal"], call["tables"]) == ("lost", "SIGKILL", ["demo.readings"])


def test_idle_engine_children_that_are_killed_are_replaced(crashing: Crashing) -> None:
    killed = descendants(crashing.mcp.server.pid)
    assert killed
    for child in killed:
        kill(child)
    crashing.assert_healthy()
    crashing.assert_healthy()


def test_a_killed_mcp_server_leaves_no_process_and_starts_again(crashing: Crashing) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(outcome, lambda: crashing.wire.call("run_sql", sql=ENDLESS))
        busy_child(crashing)
        left = children(crashing.mcp.server.pid)
        crashing.mcp.server.kill()
        assert running.result(60) == "disconnected"
    wait_for(lambda: not any(map(alive, left)), 60, "the end of the killed server's children")
    token = crashing.auth.token()
    crashing.mcp.restart()
    assert Wire(crashing.mcp.resource, token).rows(COUNT) == [[ITEMS, sum(range(ITEMS))]]


def test_a_killed_auth_server_has_kept_what_it_acknowledged(crashing: Crashing) -> None:
    auth = crashing.auth
    grant = new_grant(auth)
    redeemed, unredeemed = new_code(auth), new_code(auth)
    refresh_token = redeemed.redeem().json()["refresh_token"]
    successor = grant.refresh().json()["refresh_token"]
    revoked = new_grant(auth)
    form = {"token": revoked.refresh_token, "client_id": revoked.client.id}
    assert httpx2.post(f"{auth.issuer}/revoke", data=form).status_code == 200
    created = auth.create_client("--confidential", "--name", "Just created", "--scope", "query")

    auth.server.kill()
    auth.restart()

    assert auth.token(client=created)
    assert grant.refresh(refresh_token=successor).status_code == 200
    assert unredeemed.redeem().status_code == 200
    assert revoked.refresh().json()["error"] == "invalid_grant"
    # Redeemed stays redeemed, and a replay takes back what the code gave.
    assert redeemed.redeem().json()["error"] == "invalid_grant"
    assert grant.refresh(refresh_token=refresh_token).json()["error"] == "invalid_grant"
    # Its keys are the same, so tokens of before are still good.
    assert Wire(crashing.mcp.resource, grant.access_token).rows(COUNT) == [[ITEMS, sum(range(ITEMS))]]
    crashing.assert_healthy()


def test_an_auth_server_killed_under_load_loses_no_answered_refresh(crashing: Crashing) -> None:
    """Each client refreshes over and over; whatever answer it last got must work after the restart."""
    auth = crashing.auth
    grants = [new_grant(auth) for _ in range(4)]
    newest = [grant.refresh_token for grant in grants]
    rounds = [0] * len(grants)

    def refresh_until_killed(index: int) -> None:
        while True:
            try:
                answer = grants[index].refresh(refresh_token=newest[index])
            except httpx2.TransportError:
                return
            assert answer.status_code == 200, answer.text
            newest[index] = answer.json()["refresh_token"]
            rounds[index] += 1

    with ThreadPoolExecutor(len(grants)) as pool:
        running = [pool.submit(refresh_until_killed, index) for index in range(len(grants))]
        wait_for(lambda: min(rounds) >= 5, 60, "refreshes under way")
        auth.server.kill()
        for future in running:
            future.result(60)
    auth.restart()
    for grant, refresh_token in zip(grants, newest, strict=True):
        answer = grant.refresh(refresh_token=refresh_token)
        assert answer.status_code == 200, answer.text
        assert claims(answer.json()["access_token"])["client_id"] == grant.client.id


def test_a_killed_emulator_is_a_clear_error_until_it_is_back(crashing: Crashing) -> None:
    emulator = crashing.emulator
    wire = crashing.wire
    outcomes: list[str] = []

    def query_until_refused() -> None:
        while not outcomes or outcomes[-1] == "ok":
            outcomes.append(outcome(lambda: wire.rows(COUNT)))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(query_until_refused)
        wait_for(lambda: len(outcomes) >= 2, 60, "queries under way")
        emulator.server.kill()
        running.result(30)
    assert outcomes[-1] == "source_unavailable"
    assert outcome(lambda: wire.rows(COUNT)) == "source_unavailable"
    assert httpx2.get(f"{crashing.mcp.origin}/readyz").status_code == 200  # its own state only

    emulator.server.start_again(answers(f"{emulator.endpoint_url}/_ministack/health"))
    load(emulator.endpoint_url)
    crashing.assert_healthy()
