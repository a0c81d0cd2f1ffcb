"""No secret, code or token of the whole story, mistakes included, reaches a log or stands readable in the store."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.cli.audit import story_lines
from auth_server.flows.administration.audit import Audit
from shared_kernel.clock import SystemClock
from tests.support import people
from tests.support.callback import parameters
from tests.support.collector import Collector, collecting
from tests.support.emulator import Emulator
from tests.support.grants import REDIRECT_URI, SCOPE, public_client
from tests.support.leaks import leaks
from tests.support.mcp_wire import ERAS, Wire
from tests.support.processes import wait_for
from tests.support.services import (
    EMAIL,
    PASSWORD,
    Addresses,
    AuthServer,
    McpServer,
    auth_serving,
    mcp_serving,
    run_cli,
)

pytestmark = pytest.mark.slow

LAST = "4bf92f3577b34da6a3ce929d0e0e4736"
"""The trace of a request that comes after all others."""
STATE = "state-of-this-very-story-5f2c"
WRONG_PASSWORD = "Tr0ub4dor&3-but-wrong"
WRONG_SECRET = "cs_wrong-wrong-wrong-wrong-wrong-wrong-wrong"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Where the pair's traces go."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def pair(
    emulator: Emulator, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[AuthServer, McpServer]]:
    """A pair of its own that logs and traces as much as it can."""
    directory, addresses = tmp_path_factory.mktemp("talkative"), Addresses()
    auth_settings = {"AUTH_LOG_LEVEL": "DEBUG", "AUTH_TRACES_URL": collector.url}
    mcp_settings = {"MCP_LOG_LEVEL": "DEBUG", "MCP_TRACES_URL": collector.url}
    with (
        auth_serving(addresses, directory, **auth_settings) as auth,
        mcp_serving(addresses, directory, emulator.endpoint_url, **mcp_settings) as mcp,
    ):
        yield auth, mcp


class Story:
    """Everything that people and clients do, right and wrong; `secrets` is every secret of it."""

    def __init__(self, auth: AuthServer, mcp: McpServer) -> None:
        self.auth, self.mcp = auth, mcp
        self.secrets = {PASSWORD, WRONG_PASSWORD, WRONG_SECRET, auth.automation.secret}

    def sign_in(self) -> str:
        """Signs in after a wrong password, allows, and gives the code."""
        client = public_client(self.auth)
        self.client_id = client.id
        self.pkce = people.Pkce()
        self.secrets |= {self.pkce.verifier, STATE}
        url = people.authorize_url(
            *(self.auth.issuer, client.id, REDIRECT_URI, self.pkce),
            resource=self.auth.resource,
            scope=SCOPE,
            state=STATE,
        )
        with httpx2.Client(timeout=30) as browser:
            page = browser.get(url)
            while page.is_redirect:
                page = browser.get(page.url.join(page.headers["location"]))
            self.secrets.add(people.main_form(page).fields["csrf"])
            refused = people.submit(browser, page, email=EMAIL, password=WRONG_PASSWORD)
            assert refused.status_code == 400
            answer = people.submit(browser, page, email=EMAIL, password=PASSWORD)
            page = browser.get(answer.url.join(answer.headers["location"]))
            self.secrets.add(people.main_form(page).fields["csrf"])
            self.secrets |= {cookie.value for cookie in browser.cookies.jar if cookie.value}
            answer = people.submit(browser, page, decision="approve")
            forged = browser.post(answer.url, data={"transaction": "x", "csrf": "forged", "decision": "approve"})
            assert forged.status_code >= 400
        return parameters(answer.headers["location"])["code"]

    def token(self, status: int, **form: str) -> httpx2.Response:
        """One call of the token endpoint by the person's client."""
        answer = httpx2.post(f"{self.auth.issuer}/token", data={"client_id": self.client_id} | form)
        assert answer.status_code == status, answer.text
        if status == 200:
            self.secrets |= {answer.json()["access_token"], answer.json()["refresh_token"]}
        return answer

    def person(self) -> str:
        """Redeems with mistakes, refreshes, replays; gives the last access token."""
        code = self.sign_in()
        self.secrets.add(code)
        self.redeem = redeem = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        wrong_verifier = people.Pkce().verifier
        self.secrets.add(wrong_verifier)
        self.token(400, **redeem, code_verifier=wrong_verifier)
        first = self.token(200, **redeem, code_verifier=self.pkce.verifier).json()
        second = self.token(200, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()
        self.token(200, grant_type="refresh_token", refresh_token=first["refresh_token"])
        self.token(400, grant_type="refresh_token", refresh_token=second["refresh_token"] + "x")
        self.token(400, grant_type="refresh_token", refresh_token=second["access_token"])
        self.token(400, grant_type="password", username=EMAIL, password=PASSWORD)
        self.refresh_token = str(second["refresh_token"])
        return str(second["access_token"])

    def ends(self) -> None:
        """Replays the code, which revokes its grant, and revokes it again. From here on its tokens may be refused."""
        self.token(400, **self.redeem, code_verifier=self.pkce.verifier)
        form = {"token": self.refresh_token, "client_id": self.client_id}
        assert httpx2.post(f"{self.auth.issuer}/revoke", data=form).status_code == 200

    def automation(self) -> str:
        """Authenticates in every way, right and wrong; gives an access token."""
        client, endpoint = self.auth.automation, f"{self.auth.issuer}/token"
        form = {"grant_type": "client_credentials"}
        posted = form | {"client_id": client.id, "client_secret": client.secret}
        answers = [
            httpx2.post(endpoint, data=form, auth=(client.id, client.secret)),
            httpx2.post(endpoint, data=posted),
            httpx2.post(endpoint, json=posted),
        ]
        tokens = [str(answer.json()["access_token"]) for answer in answers]
        self.secrets.update(tokens)
        self.secrets.add(base64.b64encode(f"{client.id}:{client.secret}".encode()).decode())
        for wrong in (
            httpx2.post(endpoint, data=form, auth=(client.id, WRONG_SECRET)),
            httpx2.post(endpoint, data=posted | {"client_secret": WRONG_SECRET}),
            httpx2.post(f"{endpoint}?client_secret={client.secret}", data=form),
            httpx2.get(f"{self.auth.issuer}/{client.secret}"),
            httpx2.post(endpoint, content=f"{client.secret}\x00%zz={client.secret}"),
            httpx2.post(endpoint, content=f'{{"{client.secret}"', headers={"Content-Type": "application/json"}),
        ):
            assert wrong.status_code >= 400
        for token in (tokens[0], f"{tokens[0]}x"):
            asked = httpx2.post(
                f"{self.auth.issuer}/introspect", data={"token": token}, auth=(client.id, client.secret)
            )
            assert asked.json()["active"] is (token == tokens[0])
        return tokens[-1]

    def registrations(self) -> None:
        """Registers with an initial access token, and with a wrong one; changes and ends the registration."""
        made = json.loads(run_cli(self.auth.server.environment, "initial-token", "create", "--json"))
        token, endpoint = str(made["initial_access_token"]), f"{self.auth.issuer}/register"
        metadata: dict[str, Any] = {"client_name": "Server app", "redirect_uris": [REDIRECT_URI]}
        for wrong in (f"{token}x", token.partition(".")[0] + ".wrong-wrong-wrong"):
            assert httpx2.post(endpoint, json=metadata, headers=_bearer(wrong)).status_code == 401
        registered = httpx2.post(endpoint, json=metadata, headers=_bearer(token)).json()
        assert httpx2.post(endpoint, json=metadata | {"x": token}, headers=_bearer(token)).status_code == 401
        place, first = registered["registration_client_uri"], str(registered["registration_access_token"])
        change = metadata | {"client_id": registered["client_id"], "client_secret": registered["client_secret"]}
        changed = httpx2.put(place, json=change, headers=_bearer(first)).json()
        second = str(changed["registration_access_token"])
        assert httpx2.get(f"{place}?token={second}", headers=_bearer(second)).status_code == 400
        assert httpx2.delete(place, headers=_bearer(first)).status_code == 401
        assert httpx2.delete(place, headers=_bearer(second)).status_code == 204
        self.secrets |= {token, str(registered["client_secret"]), first, second}

    def queries(self, token: str) -> None:
        """Uses a token at the MCP endpoint, well and badly."""
        for era in ERAS:
            wire = Wire(self.mcp.resource, token, era)
            wire.call("list_schemas")
            wire.send("tools/call", {"name": "run_sql", "arguments": {"sql": "select error", "surprise": token}})
            wire.send("tools/call", {"name": "run_sql", "arguments": {"sql": f"select '{token}' from nowhere"}})
            wire.send("tools/call", {"name": token, "arguments": {}})
            wire.send(token)
        header, payload, signature = token.split(".")
        bearers = [f"{token}x", f"{header}.{payload}.", f"{payload}.{header}.{signature}", f"{token} {token}"]
        for bearer in bearers:
            refused = httpx2.post(self.mcp.resource, headers={"Authorization": f"Bearer {bearer}"})
            assert refused.status_code in (400, 401)
            assert signature not in refused.text
        for url in (f"{self.mcp.resource}?access_token={token}", f"{self.mcp.origin}/{token}"):
            assert httpx2.get(url).status_code >= 400
        httpx2.post(self.mcp.resource, headers={"X-Request-Id": token[:60], "Authorization": f"Basic {token}"})


def test_i09_no_secret_of_the_story_reaches_a_log_the_trail_or_the_store(
    pair: tuple[AuthServer, McpServer], collector: Collector, tmp_path: Path
) -> None:
    auth, mcp = pair
    story = Story(auth, mcp)
    story.queries(story.person())
    story.ends()
    story.queries(story.automation())
    story.registrations()
    assert len(story.secrets) >= 22
    logs = [auth.log, mcp.log]
    for log in logs:
        assert log.read_bytes().count(b'"event"') > 20
    assert leaks(story.secrets, logs) == []
    wait_for(lambda: "grant_revoked" in happened(auth), 30, "the events in the trail")
    assert {"tokens_issued", "refused", "introspected", "client_registered"} <= happened(auth)
    assert leaks(story.secrets, explained(auth, tmp_path)) == []
    assert leaks(story.secrets, traced(auth, mcp, collector, tmp_path)) == []
    # The store must give the client its state back; everything else it only needs to recognise.
    assert leaks(story.secrets - {STATE}, stored(auth.directory)) == []


def traced(auth: AuthServer, mcp: McpServer, collector: Collector, directory: Path) -> list[Path]:
    """What was sent to the collector, once the last request has been."""
    for origin in (auth.issuer, mcp.origin):
        httpx2.get(f"{origin}/the-last", headers={"traceparent": f"00-{LAST}-00f067aa0ba902b7-01"})
    wait_for(lambda: len(collector.of(LAST)) == 2, 30, "the last spans")
    told = directory / "traces"
    told.write_bytes(b"\n".join(collector.bodies))
    return [told]


def happened(auth: AuthServer) -> set[str]:
    """The names of the events in the trail."""
    listed = json.loads(run_cli(auth.server.environment, "audit", "list", "--since", "1d", "--json"))
    return {event["event"] for event in listed["events"]}


def explained(auth: AuthServer, directory: Path) -> list[Path]:
    """What the operator reads in the trail: the list of events, and the story of every request and flow in it."""
    environment, trail = auth.server.environment, directory / "trail"
    text = run_cli(environment, "audit", "list", "--since", "1d", "--json")
    trail.write_text(text + run_cli(environment, "audit", "list", "--since", "1d"))
    events = json.loads(text)["events"]
    flows = {event["gid"] for event in events if event["gid"]}
    refused = {event["reason"]: event["request_id"] for event in events if event["reason"]}
    stories = directory / "stories"
    stories.write_text(asyncio.run(_stories(auth.directory / "auth.db", [*flows, *refused.values()])))
    return [trail, stories]


async def _stories(database: Path, identifiers: list[str]) -> str:
    """What `auth-server flow explain` prints of each."""
    clock = SystemClock()
    with contextlib.closing(SqliteStore.open(database)) as store:
        audit = Audit(trail=store, clients=store, users=store, clock=clock)
        found = [await audit.explain(each, clock.now() - 86400) for each in identifiers]
    return "\n".join(line for each in found for line in story_lines(each))


def test_i09_a_secret_in_the_trail_would_be_found(pair: tuple[AuthServer, McpServer], tmp_path: Path) -> None:
    """What a client calls itself is in the trail: one that is planted there is found by the same search."""
    auth, planted = pair[0], "planted-where-no-secret-may-be"
    httpx2.post(f"{auth.issuer}/token", data={"grant_type": "client_credentials", "client_id": planted})
    wait_for(
        lambda: planted in run_cli(auth.server.environment, "audit", "list", "--json"), 30, "the event in the trail"
    )
    assert leaks({planted}, [auth.log])
    assert [found.split(":")[0] for found in leaks({planted}, explained(auth, tmp_path))] == ["trail", "stories"]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def stored(directory: Path) -> list[Path]:
    """The store's files."""
    files = [file for file in directory.glob("auth.db*") if file.stat().st_size]
    assert files
    return files
