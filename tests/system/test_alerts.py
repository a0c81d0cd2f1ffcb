"""Alerts and dashboard, evaluated by Prometheus over what both services exported while all was well, and was not.

What was seen between two scrapes goes on for half an hour: the alert of that trouble fires meanwhile, no other does,
and none afterwards. Where trouble would take long to make, a series that was exported gets another value.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2
import pytest

from tests.support import people
from tests.support.demo_data import DemoTables
from tests.support.descendants import descendants, kill, processor_seconds
from tests.support.dynamodb_faults import CUT, THROTTLED, FaultyDynamoDb, faulty
from tests.support.grants import REDIRECT_URI, new_code, public_client
from tests.support.held_calls import send_call
from tests.support.mcp_wire import ToolFailed, Wire
from tests.support.metrics import summed
from tests.support.processes import wait_for
from tests.support.promtool import ALERTS, Observed, Scrape, alerts, evaluated, panels, promtool, scrape
from tests.support.redis_server import RedisServer, redis_serving
from tests.support.services import EMAIL, Addresses, AuthServer, McpServer, auth_serving, mcp_serving

pytestmark = pytest.mark.slow

TOKEN = "scrape-me-with-this-token"
POINT_READ = "select n_name from nation where n_nationkey = 7"
ENDLESS = "select count(*) from customer a, customer b, customer c where a.c_comment || b.c_comment < c.c_comment"
REQUESTS = 4
"""As many may be worked on: two that run, and two that wait for their turn."""
WELL, ALL = "all is well", "everything"
FIRING = 'ALERTS{alertstate="firing"}'


@dataclass(slots=True)
class Site:
    """Both services over a Redis and a DynamoDB that a test may break, and what was seen of them so far."""

    auth: AuthServer
    mcp: McpServer
    redis: RedisServer
    dynamodb: FaultyDynamoDb
    seen: dict[str, Observed] = field(default_factory=dict)

    def exposition(self, origin: str) -> str:
        """What a scraper reads there."""
        answer = httpx2.get(f"{origin}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        return answer.text

    def scrape(self) -> Scrape:
        """What is exported now."""
        return {
            **scrape(self.exposition(self.auth.issuer), "auth-1:9000"),
            **scrape(self.exposition(self.mcp.origin), "mcp-1:8000"),
        }

    @contextmanager
    def observing(self, name: str, per_minute: int = 1, *, once: bool = False) -> Iterator[None]:
        """What happens inside is what the replay is made of."""
        before = self.scrape()
        yield
        self.seen[name] = Observed(before, self.scrape(), per_minute, once)

    def count(self, name: str, labels: Mapping[str, str] | None = None) -> float:
        """A metric of mcp-server."""
        return summed(self.exposition(self.mcp.origin), name, labels)


def all_is_well(site: Site) -> None:
    """Everything that people, clients and assistants do."""
    assert new_code(site.auth).redeem().status_code == 200
    assert httpx2.post(f"{site.auth.issuer}/token", data={"grant_type": "password"}).status_code == 401
    assert httpx2.post(site.mcp.resource, json={}).status_code == 401
    wire = Wire(site.mcp.resource, site.auth.token())
    for _ in range(2):
        assert wire.rows(POINT_READ) == [["GERMANY"]]
    assert len(wire.rows("select n_regionkey, count(*) from nation group by 1 order by 1", max_rows=2)) == 5
    assert len(wire.call("list_tables")["tables"]) > 5


def fails(call: Callable[[], object]) -> str:
    """The code of a tool's failure."""
    with pytest.raises(ToolFailed) as failed:
        call()
    return failed.value.code


def trouble_of_auth_server(site: Site) -> None:
    """A code that comes twice, guessed passwords, and a store that goes away."""
    code = new_code(site.auth)
    assert code.redeem().status_code == 200
    with site.observing("AuthTheftOrReuse", once=True):
        assert code.redeem().status_code == 400
    url = people.authorize_url(
        site.auth.issuer,
        public_client(site.auth).id,
        REDIRECT_URI,
        people.Pkce(),
        resource=site.auth.resource,
        scope="",
    )
    with httpx2.Client(follow_redirects=True) as browser, site.observing("AuthSignInsFail", per_minute=90):
        people.submit(browser, browser.get(url), email=EMAIL, password="guessed")
    site.redis.server.kill()
    with site.observing("AuthStoreAway"):
        # What needs no store goes on; a grant cannot.
        wait_for(lambda: code.redeem().status_code == 503, 60, "an answer without the store")
    site.redis.restart()
    wait_for(lambda: code.redeem().status_code == 400, 60, "the store is back")


def trouble_of_mcp_server(site: Site) -> None:
    """A DynamoDB that throttles and breaks off, more queries than may run, and query processes that die."""
    wire = Wire(site.mcp.resource, site.auth.token())
    site.dynamodb.fail(THROTTLED, "BatchGetItem", times=2)
    with site.observing("McpDynamoDbThrottles"):
        wire.rows(POINT_READ)
    site.dynamodb.fail(CUT)
    with site.observing("McpDynamoDbFails", per_minute=10):
        assert fails(lambda: wire.rows(POINT_READ)) == "source_unavailable"
    site.dynamodb.recover()
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(fails, lambda: wire.rows(ENDLESS)) for _ in range(2)]
        wait_for(lambda: site.count("mcp_duckdb_children_busy") == 2, 120, "two queries at work")
        with site.observing("McpBusy", per_minute=10):
            assert fails(lambda: wire.rows(POINT_READ)) == "busy"
        assert site.count("mcp_http_requests_in_flight") == 2
        with site.observing("McpOverloaded", per_minute=10):
            assert b"HTTP/1.1 503" in statuses(wire, 2 * REQUESTS)
        with site.observing("McpErrors"):
            wait_for(lambda: _ended(site, running), 120, "each query loses two processes")
    assert [each.result() for each in running] == ["internal_error", "internal_error"]


def statuses(wire: Wire, count: int) -> list[bytes]:
    """How the answers to small queries begin that are sent all at once."""
    with ExitStack() as stack:
        sent = [stack.enter_context(send_call(wire.resource, wire.token, POINT_READ)) for _ in range(count)]
        return [connection.recv(len("HTTP/1.1 503")) for connection in sent]


def _ended(site: Site, running: Sequence["Future[str]"]) -> bool:
    for child in descendants(site.mcp.server.pid):
        if processor_seconds([child]) > 3:  # far more than a start takes
            kill(child)
    return all(future.done() for future in running)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, demo_tables: DemoTables) -> Mapping[str, Observed]:
    """What both services exported meanwhile, by what went on."""
    directory = tmp_path_factory.mktemp("alerts")
    token_file = directory / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o600)
    seen = dict[str, Observed]()

    async def observe() -> None:
        async with faulty(demo_tables.emulator.endpoint_url) as dynamodb:
            await anyio.to_thread.run_sync(observe_over, dynamodb)

    def observe_over(dynamodb: FaultyDynamoDb) -> None:
        pair = Addresses()
        with ExitStack() as stack:
            redis = stack.enter_context(redis_serving(directory / "redis"))
            of_auth = {"AUTH_METRICS_TOKEN_FILE": str(token_file), "AUTH_STORE_URL": redis.url}
            auth = stack.enter_context(auth_serving(pair, directory, **of_auth))
            of_mcp = {
                "MCP_METRICS_TOKEN_FILE": str(token_file),
                "MCP_QUEUE_SECONDS": "1",
                "MCP_MAX_CONCURRENT_REQUESTS": str(REQUESTS),
            }
            mcp = stack.enter_context(mcp_serving(pair, directory, dynamodb.endpoint_url, **of_mcp))
            site = Site(auth, mcp, redis, dynamodb, seen)
            first = site.scrape()
            with site.observing(WELL):
                all_is_well(site)
            trouble_of_auth_server(site)
            trouble_of_mcp_server(site)
            seen[ALL] = Observed(first, site.scrape())

    anyio.run(observe)
    return seen


Change = Callable[[str, float, float], float]
"""The value of a series after a minute, of its name and labels, the value before, and what it really was."""


def becomes(name: str, value: float) -> Change:
    """Makes a metric without labels have that value."""
    return lambda series, _before, after: value if series.startswith(name + "{instance=") else after


def takes(seconds: str, name: str, label: str = "") -> Change:
    """Makes nothing end within that time, a bucket's bound."""

    def change(series: str, before: float, after: float) -> float:
        bound = re.search(r'le="([^"]*)"', series)
        is_faster = bound is not None and float(bound[1].replace("+Inf", "inf")) <= float(seconds)
        return before if series.startswith(name + "_bucket{") and label in series and is_faster else after

    return change


CHANGED: dict[str, Change] = {
    "AuthTokenSlow": takes("0.5", "auth_http_request_seconds", 'path="/token"'),
    "AuthStoreSlow": takes("0.5", "auth_store_seconds", 'outcome="answered"'),
    "AuthAuditLost": becomes("auth_audit_lost_total", 3),
    "AuthStoreFaults": becomes("auth_store_faults_total", 1),
    "McpRedisAway": becomes("mcp_redis_away", 1),
    "McpKeysFail": becomes("mcp_jwks_failures_total", 1),
    "McpPlanningChildrenLost": becomes("mcp_planning_children_lost_total", 1),
    "McpRevocationsSilent": becomes("mcp_revocations_silent", 1),
    "McpQueueSlow": takes("1.0", "mcp_queue_wait_seconds"),
    "McpDynamoDbSlow": takes("1.0", "mcp_dynamodb_request_seconds", 'operation="BatchGetItem"'),
}
"""Trouble that was not made: how a minute in which all was well is to be changed."""
FIRE: dict[str, Sequence[tuple[str, Mapping[str, str]]]] = {
    "AuthTheftOrReuse": [("page", {"reason": "code_reused"})],
    "AuthStoreAway": [("page", {"instance": "auth-1:9000"})],
    "AuthStoreFaults": [("page", {})],
    "AuthErrors": [("page", {})],
    "AuthTokenSlow": [("ticket", {})],
    "AuthStoreSlow": [("ticket", {"store": "redis"})],
    "AuthSignInsFail": [("ticket", {})],
    "AuthAuditLost": [("page", {"instance": "auth-1:9000", "job": "dynamosql"})],
    "McpErrors": [("page", {})],
    "McpOverloaded": [("ticket", {})],
    "McpRedisAway": [("page", {"instance": "mcp-1:8000"})],
    "McpKeysFail": [("ticket", {"instance": "mcp-1:8000"})],
    "McpRevocationsSilent": [("page", {"instance": "mcp-1:8000"})],
    "McpBusy": [("ticket", {})],
    "McpQueueSlow": [("ticket", {})],
    "McpChildrenLost": [("ticket", {})],
    "McpPlanningChildrenLost": [("ticket", {})],
    "McpDynamoDbFails": [("ticket", {"outcome": "dynamodb_unavailable"})],
    "McpDynamoDbThrottles": [("ticket", {})],
    "McpDynamoDbSlow": [("ticket", {})],
}
"""How loud each alert is, and the labels that say where the trouble is."""
TOGETHER = {"AuthStoreAway": ["AuthErrors"], "McpErrors": ["McpChildrenLost"], "McpOverloaded": ["McpBusy"]}
"""What else fires in the same trouble."""


def firing(*alerts: str) -> dict[str, float]:
    """What Prometheus holds of these alerts while they fire."""
    return {
        "ALERTS{"
        + ", ".join(
            f'{label}="{value}"'
            for label, value in sorted(
                ({"alertname": alert, "alertstate": "firing", "severity": severity} | dict(labels)).items()
            )
        )
        + "}": 1.0
        for alert in alerts
        for severity, labels in FIRE[alert]
    }


def test_the_rules_are_valid_and_each_is_tested() -> None:
    promtool("check", "rules", str(ALERTS))
    tried = {*CHANGED, "AuthTheftOrReuse", "AuthSignInsFail", "McpDynamoDbThrottles", "McpDynamoDbFails", "McpBusy"}
    tried |= {*TOGETHER, *(alert for others in TOGETHER.values() for alert in others)}
    assert tried == {rule["alert"] for rule in alerts()} == set(FIRE)


def test_nothing_fires_while_all_is_well(seen: Mapping[str, Observed], tmp_path: Path) -> None:
    evaluated(tmp_path, seen[WELL], [(FIRING, time, {}) for time in ("10m", "28m", "65m")])


@pytest.mark.parametrize("alert", [alert for alert in FIRE if alert not in {"AuthErrors", "McpChildrenLost"}])
def test_an_alert_fires_while_there_is_trouble_and_not_afterwards(
    alert: str, seen: Mapping[str, Observed], tmp_path: Path
) -> None:
    observed = changed(seen[WELL], CHANGED[alert]) if alert in CHANGED else seen[alert]
    fires = firing(alert, *TOGETHER.get(alert, ()))
    evaluated(tmp_path, observed, [(FIRING, "28m", fires), (FIRING, "65m", {})])


def changed(observed: Observed, change: Change) -> Observed:
    """The same with other values. Fails the test if no exported series is changed."""
    after = {
        series: (kind, change(series, observed.before.get(series, ("", 0.0))[1], value))
        for series, (kind, value) in observed.after.items()
    }
    assert after != observed.after
    return replace(observed, after=after)


def test_every_panel_shows_something(seen: Mapping[str, Observed], tmp_path: Path) -> None:
    """A number: not nothing, and not the quotient of nothing."""
    shown = [f"count(({query}) == ({query})) > bool 0" for _, query in panels()]
    evaluated(tmp_path, seen[ALL], [(query, "28m", {"{}": 1.0}) for query in shown])
