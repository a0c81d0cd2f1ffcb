"""Attacks on the operator's verbs over HTTP, on a running server of theirs: case I12."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.support.processes import SCRIPTS, answers, free_port, running, wait_for
from tests.support.services import EMAIL, AuthServer, run_cli

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class Operators:
    """A running server of the operator's verbs over the session's store, and keys of both roles."""

    url: str
    log: Path
    viewer: str = field(repr=False)
    operator: str = field(repr=False)

    def ask(self, method: str, path: str, key: str | None = None, **headers: str) -> httpx2.Response:
        """A request with a key."""
        sent = headers | ({} if key is None else {"Authorization": f"Bearer {key}"})
        return httpx2.request(method, f"{self.url}{path}", headers=sent)


@pytest.fixture(scope="module")
def operators(auth_server: AuthServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operators]:
    directory, port = tmp_path_factory.mktemp("admin"), free_port()
    settings = auth_server.server.environment
    made = [
        json.loads(run_cli(settings, "admin", "new-key", name, "--role", role, "--json"))
        for name, role in (("vera", "viewer"), ("otto", "operator"))
    ]
    keys = directory / "admin.keys"
    keys.write_text("".join(f"{each['line']}\n" for each in made))
    keys.chmod(0o600)
    environment = settings | {"AUTH_ADMIN_KEYS_FILE": str(keys), "AUTH_ADMIN_PORT": str(port)}
    command, url = [str(SCRIPTS / "auth-server"), "admin", "serve"], f"http://127.0.0.1:{port}"
    log = directory / "log"
    with running("admin", command, environment, log, answers(f"{url}/users", 401)):
        yield Operators(url, log, *(each["key"] for each in made))


def test_i12_nobody_gets_in_without_a_key(operators: Operators, auth_server: AuthServer) -> None:
    """No cookie, no secret and no token of anybody's is one; what is there and what is not looks the same."""
    client = auth_server.automation
    credentials = [None, "x", f"{operators.operator}x", operators.operator[:-1], client.secret, auth_server.token()]
    for path in ("/users", f"/users/{EMAIL}", "/users/nobody@example.com", f"/clients/{client.id}", "/grants"):
        for key in credentials:
            answer = operators.ask("GET", path, key)
            assert (answer.status_code, answer.json()["error"]) == (401, "unauthorized")
            assert answer.headers["cache-control"] == "no-store"
    for headers in (
        {"Cookie": f"key={operators.operator}; auth_session={operators.operator}; Authorization={operators.operator}"},
        {"X-Api-Key": operators.operator},
        {"Authorization": f"Basic {operators.operator}"},
    ):
        assert operators.ask("GET", "/users", None, **headers).status_code == 401
    assert operators.ask("GET", f"/users?key={operators.operator}&access_token={operators.operator}").status_code == 401
    two = [("Authorization", f"Bearer {key}") for key in (operators.operator, operators.viewer)]
    assert httpx2.get(f"{operators.url}/users", headers=two).status_code == 401


def test_i12_a_viewer_ends_nothing(operators: Operators, auth_server: AuthServer) -> None:
    victim = auth_server.create_client("--confidential", "--name", "Administered", "--scope", "query")
    for method, path in (
        ("POST", f"/users/{EMAIL}/disable"),
        ("POST", f"/users/{EMAIL}/enable"),
        ("DELETE", f"/clients/{victim.id}"),
        ("DELETE", "/grants/x"),
        ("DELETE", "/sessions/x"),
    ):
        answer = operators.ask(method, path, operators.viewer)
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert operators.ask("GET", f"/clients/{victim.id}", operators.viewer).json()["name"] == "Administered"
    override = {"X-HTTP-Method-Override": "DELETE"}
    assert operators.ask("GET", f"/clients/{victim.id}", operators.operator, **override).status_code == 200
    assert operators.ask("DELETE", f"/clients/{victim.id}", operators.operator).status_code == 200
    assert operators.ask("GET", f"/clients/{victim.id}", operators.operator).status_code == 404


def test_i12_no_page_and_no_other_machine_reaches_it(operators: Operators, auth_server: AuthServer) -> None:
    """Neither by a name that is led to loopback, nor across origins; and the public listener does not serve it."""
    port = httpx2.URL(operators.url).port or 0
    assert operators.ask("GET", "/users", operators.operator, Host="rebound.example").status_code == 421
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    answer = operators.ask("OPTIONS", "/users", None, **preflight)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]
    for address in {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}:
        if not str(address).startswith("127."):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((str(address), port), timeout=5)
    public = httpx2.get(f"{auth_server.issuer}/users", headers={"Authorization": f"Bearer {operators.operator}"})
    assert public.status_code == 404


def test_i12_everything_that_was_asked_for_is_in_the_trail(operators: Operators, auth_server: AuthServer) -> None:
    """Who asked for what, and what came of it; never a key."""
    operators.ask("DELETE", "/grants/of-the-trail", operators.operator)
    operators.ask("DELETE", "/grants/of-the-trail", operators.viewer)
    operators.ask("DELETE", "/grants/of-the-trail", "adm_nobody-has-this-key")

    def trail() -> str:
        return run_cli(auth_server.server.environment, "audit", "list", "--json")

    wait_for(lambda: trail().count("of-the-trail") == 3, 30, "the events in the trail")
    told = trail() + operators.log.read_text("utf-8")
    for text in ('"otto"', '"vera"', '"nobody"', "no_such_grant"):
        assert text in told
    for key in (operators.operator, operators.viewer, "nobody-has-this-key"):
        assert key not in told


def test_i12_keys_that_others_can_read_are_not_taken(auth_server: AuthServer, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(json.loads(run_cli(auth_server.server.environment, "admin", "new-key", "x", "--json"))["line"])
    keys.chmod(0o644)
    environment = auth_server.server.environment | {"AUTH_ADMIN_KEYS_FILE": str(keys)}
    with pytest.raises(AssertionError, match="chmod 600"):
        run_cli(environment, "admin", "serve")
