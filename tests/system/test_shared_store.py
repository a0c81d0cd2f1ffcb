"""Two auth-server processes on one store: what people and clients see is one server, whichever of them ends."""

import functools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx2
import pytest

from auth_server.domain.client import GrantType
from tests.support import people
from tests.support.auth_cluster import AuthCluster, clustering
from tests.support.concurrency import at_once
from tests.support.grants import REDIRECT_URI, SCOPE, Code, Grant, new_code, new_grant, public_client
from tests.support.leaks import telling
from tests.support.processes import Server, answers, wait_for
from tests.support.services import PASSWORD, Client
from tests.support.store_servers import STORE_SERVERS

pytestmark = pytest.mark.slow

CALLERS = 40
SECONDS = 120


@pytest.fixture(scope="module", params=sorted(STORE_SERVERS))
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthCluster]:
    """Two processes on a store of that kind. A test that stops something starts it again."""
    directory = tmp_path_factory.mktemp("cluster")
    with STORE_SERVERS[request.param](directory / "store") as store, clustering(store, directory) as started:
        yield started


@pytest.fixture(scope="module")
def client(cluster: AuthCluster) -> Client:
    """A public client."""
    return public_client(cluster.auth)


def test_a_sign_in_is_spread_over_both(cluster: AuthCluster) -> None:
    """From registration to revocation, every step is another process's than the one before."""
    grant = new_grant(cluster.auth)
    successor = grant.refresh().json()["refresh_token"]
    assert grant.refresh().json()["refresh_token"] == successor
    form = {"token": successor, "client_id": grant.client.id}
    assert httpx2.post(f"{cluster.auth.issuer}/revoke", data=form).status_code == 200
    for endpoint in cluster.token_endpoints:
        assert grant.refresh(endpoint, successor).json()["error"] == "invalid_grant"
    for server in cluster.servers:  # whose log comes a moment late
        wait_for(functools.partial(_has_served, server, 4), SECONDS, f"requests to {server.name}")


def _has_served(server: Server, requests: int) -> bool:
    return server.log.read_text("utf-8").count('"event":"request"') >= requests


def test_d12_both_count_together(cluster: AuthCluster) -> None:
    """No more guesses at a secret than one process allows, whichever is asked."""
    victim = cluster.auth.create_client("--confidential", "--name", "Victim", "--scope", "query")
    form = {"grant_type": "client_credentials"}
    statuses = [
        httpx2.post(endpoint, data=form, auth=(victim.id, "guess")).status_code
        for _ in range(7)
        for endpoint in cluster.token_endpoints
    ]
    assert statuses == [401] * 10 + [429] * 4
    assert cluster.auth.token(client=victim)


def test_e02_forty_refreshes_at_both_get_one_successor(cluster: AuthCluster, client: Client) -> None:
    grant, endpoints = new_grant(cluster.auth, client), cluster.token_endpoints
    answered = at_once([functools.partial(grant.refresh, endpoints[n % 2]) for n in range(CALLERS)])
    assert [answer.status_code for answer in answered] == [200] * CALLERS
    successors = {answer.json()["refresh_token"] for answer in answered}
    assert len(successors) == 1
    assert grant.refresh(endpoints[1], successors.pop()).status_code == 200


def test_a_code_is_redeemed_once_by_forty_callers_at_both(cluster: AuthCluster, client: Client) -> None:
    """RFC 6749 §4.1.2: "The client MUST NOT use the authorization code more than once"."""
    code, endpoints = new_code(cluster.auth, client), cluster.token_endpoints
    answered = at_once([functools.partial(code.redeem, endpoints[n % 2]) for n in range(CALLERS)])
    assert sorted(answer.status_code for answer in answered) == [200] + [400] * (CALLERS - 1)
    assert {answer.json()["error"] for answer in answered if answer.status_code == 400} == {"invalid_grant"}


@pytest.mark.parametrize("victim", ["process", "store"])
def test_a_kill_amid_redemptions_has_no_code_redeemed_twice(cluster: AuthCluster, client: Client, victim: str) -> None:
    """A code whose answer was lost is redeemed afterwards, or is used; what was answered works."""
    codes = [new_code(cluster.auth, client) for _ in range(12)]
    first, second = cluster.token_endpoints
    redeemed: dict[Code, httpx2.Response] = {}
    answered = threading.Semaphore(0)
    begin = threading.Barrier(5)

    def redeem(some: list[Code]) -> None:
        with httpx2.Client() as http, suppress(httpx2.TransportError):
            http.get(f"{cluster.origins[0]}/livez")
            begin.wait(SECONDS)
            for code in some:
                answer = code.redeem(first, http)
                if answer.status_code == 200:
                    redeemed[code] = answer
                    answered.release()
                else:
                    assert (victim, answer.status_code) == ("store", 503)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(redeem, codes[n::4]) for n in range(4)]
        begin.wait(SECONDS)
        for _ in range(4):
            assert answered.acquire(timeout=SECONDS)
        with _killed(cluster, victim):
            for future in running:
                future.result(SECONDS)
    for code in codes:
        answer = redeemed.get(code) or code.redeem(second)
        if answer.status_code == 200:
            assert Grant(code.issuer, client, answer.json()).refresh(second).status_code == 200
        else:
            assert answer.json()["error"] == "invalid_grant"
        assert code.redeem(second).json()["error"] == "invalid_grant"


@contextmanager
def _killed(cluster: AuthCluster, victim: str) -> Iterator[None]:
    """The first process, or the store, is killed, and is there again after the block."""
    if victim == "store":
        cluster.store.stop()
    else:
        cluster.servers[0].kill()
    try:
        yield
    finally:
        if victim == "store":
            cluster.store.start()
        else:
            cluster.restart(0)
        for origin in cluster.origins:
            wait_for(answers(f"{origin}/readyz"), SECONDS, f"{origin} at work again")


class Refreshing:
    """A client that refreshes over and over at one endpoint, or at several in turn, until it is told to end."""

    def __init__(self, grant: Grant, *endpoints: str) -> None:
        self._grant, self._endpoints = grant, endpoints
        self.newest = grant.refresh_token
        self.successes = self.unavailable = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Ends early when the connection does."""
        turn = 0
        while not self.ended.is_set():
            turn += 1
            try:
                answer = self._grant.refresh(self._endpoints[turn % len(self._endpoints)], self.newest)
            except httpx2.TransportError:
                return
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) > 0
                self.unavailable += 1
                self.ended.wait(0.05)
            else:
                assert answer.status_code == 200, answer.text
                self.newest = answer.json()["refresh_token"]
                self.successes += 1

    def go_on(self, endpoint: str) -> None:
        """Whatever it was last given works."""
        answer = self._grant.refresh(endpoint, self.newest)
        assert answer.status_code == 200, answer.text


class Automation:
    """A confidential client that asks both processes in turn for tokens, and is never refused."""

    def __init__(self, cluster: AuthCluster) -> None:
        self._client, self._endpoints = cluster.auth.automation, cluster.token_endpoints
        self.successes = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Until it is told to end."""
        form = {"grant_type": "client_credentials"}
        while not self.ended.wait(0.05):
            for endpoint in self._endpoints:
                answer = httpx2.post(endpoint, data=form, auth=(self._client.id, self._client.secret))
                assert answer.status_code == 200, answer.text
                self.successes += 1


def test_a_process_killed_amid_rotations_loses_no_token(cluster: AuthCluster, client: Client) -> None:
    """Of an answer that was lost, the retry at the other process gets the like."""
    first, second = cluster.token_endpoints
    clients = [Refreshing(new_grant(cluster.auth, client), first) for _ in range(4)]
    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(each.run) for each in clients]
        wait_for(lambda: all(each.successes >= 3 for each in clients), SECONDS, "refreshes under way")
        with _killed(cluster, "process"):
            for future in running:
                future.result(SECONDS)
            for each in clients:
                each.go_on(second)


@pytest.mark.parametrize(("away", "back"), [("stop", "start"), ("stall", "resume")])
def test_e14_an_outage_of_the_store_under_load_loses_nothing(
    cluster: AuthCluster, client: Client, away: str, back: str
) -> None:
    """People's clients are told to wait, automation goes on; both processes recover without a restart."""
    store, endpoints = cluster.store, cluster.token_endpoints
    clients = [Refreshing(new_grant(cluster.auth, client), endpoint) for endpoint in endpoints for _ in range(2)]
    with ThreadPoolExecutor(len(clients) + 1) as pool:
        running = [pool.submit(each.run) for each in clients]
        automation = Automation(cluster)
        running.append(pool.submit(automation.run))
        try:
            wait_for(lambda: all(each.successes >= 3 for each in clients), SECONDS, "refreshes under way")
            wait_for(lambda: automation.successes >= 4, SECONDS, "automation under way")
            getattr(store, away)()
            try:
                wait_for(lambda: all(each.unavailable >= 2 for each in clients), SECONDS, "refusals")
                enough = automation.successes + 4
                wait_for(lambda: automation.successes >= enough, SECONDS, "automation going on")
                for origin in cluster.origins:
                    assert httpx2.get(f"{origin}/readyz", timeout=60).status_code == 503
                    assert httpx2.get(f"{origin}/livez").status_code == 200
                    assert httpx2.get(f"{origin}/.well-known/jwks.json").status_code == 200
            finally:
                getattr(store, back)()
            goals = [each.successes + 3 for each in clients]
            wait_for(
                lambda: all(e.successes >= goal for e, goal in zip(clients, goals, strict=True)), SECONDS, "success"
            )
        finally:
            for ended in [automation.ended, *(each.ended for each in clients)]:
                ended.set()
        for future in running:
            future.result(SECONDS)
    for each in clients:
        each.go_on(endpoints[0])
    for origin in cluster.origins:
        assert httpx2.get(f"{origin}/readyz").status_code == 200
    assert all(server.process.poll() is None for server in cluster.servers)


def test_c13_e15_a_dump_of_the_store_holds_nothing_that_was_on_the_wire(cluster: AuthCluster, client: Client) -> None:
    """Whoever has the store has no password, cookie, secret, code or token: it only recognises them.

    Looked for is all that went through the balancer, but for what the store must give back or compare with.
    """
    del cluster.balancer.heard[:]
    used, unused = new_code(cluster.auth, client), new_code(cluster.auth, client)
    grant = Grant(used.issuer, client, used.redeem().json())
    grant.refresh()
    automation = cluster.auth.automation
    form = {"grant_type": "client_credentials", "client_id": automation.id, "client_secret": automation.secret}
    assert httpx2.post(f"{used.issuer}/token", data=form).status_code == 200

    heard, dump = telling(cluster.balancer.heard), cluster.store.dump()
    codes = [code.code.partition(".")[2] for code in (used, unused)]
    for secret in (*codes, grant.refresh_token.rpartition(".")[2], automation.secret, used.verifier, PASSWORD):
        assert secret.encode() in heard
    challenges = [people.Pkce(code.verifier).challenge for code in (used, unused)]
    public = [client.id, automation.id, REDIRECT_URI, SCOPE, cluster.auth.resource, *challenges, *GrantType]
    found = {text for text in heard if text in dump}
    assert client.id.encode() in found
    assert {text for text in found if not any(text in known.encode() for known in public)} == set()
    assert (cluster.auth.directory / "master.key").read_bytes().strip() not in dump
