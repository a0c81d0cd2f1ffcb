"""`auth-server serve` as a process: starting, being in the way, and ending."""

import base64
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.processes import SCRIPTS, wait_for
from tests.support.services import Addresses, AuthServer, auth_serving

pytestmark = pytest.mark.slow

CLEAN_SECONDS = 60


@pytest.fixture
def running(tmp_path: Path) -> Iterator[AuthServer]:
    """A server of this test's own, which it ends."""
    with auth_serving(Addresses(), tmp_path) as started:
        yield started


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthServer]:
    """A server that no test ends."""
    with auth_serving(Addresses(), tmp_path_factory.mktemp("asked")) as started:
        yield started


def events(server: AuthServer) -> list[dict[str, Any]]:
    """The log's lines; every one is a JSON object."""
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def connect(server: AuthServer) -> socket.socket:
    host, port = server.issuer.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=CLEAN_SECONDS)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_what_it_serves_and_ends_cleanly(running: AuthServer, number: signal.Signals) -> None:
    running.server.process.send_signal(number)
    assert running.server.process.wait(CLEAN_SECONDS) == 0
    logged = events(running)
    (start,) = [event for event in logged if event["event"] == "starting"]
    assert start["issuer"] == running.issuer
    assert start["resources"] == [running.resource]
    assert (start["store"], start["version"], start["service"]) == ("sqlite", "0.1.0", "auth-server")
    assert logged[-1]["event"] == "stopped"
    assert not [event for event in logged if event["level"] in {"warning", "error"}]


def test_a_busy_port_is_one_clear_line(asked: AuthServer) -> None:
    command = [str(SCRIPTS / "auth-server"), "serve"]
    second = subprocess.run(
        command, env=asked.server.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.count("\n") == 1
    assert "Address already in use" in second.stderr
    assert "AUTH_PORT" in second.stderr
    assert httpx2.get(f"{asked.issuer}/readyz").status_code == 200


def test_i19_a_request_under_way_is_answered_before_the_end(running: AuthServer) -> None:
    body = b"grant_type=client_credentials"
    credentials = base64.b64encode(f"{running.automation.id}:{running.automation.secret}".encode())
    with connect(running) as connection:
        connection.sendall(
            b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Authorization: Basic %b\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (credentials, len(body))
        )
        assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
        running.server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not accepts(running), CLEAN_SECONDS, "the server no longer accepts connections")
        connection.sendall(body)
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"access_token"' in answer
    assert running.server.process.wait(CLEAN_SECONDS) == 0


def accepts(server: AuthServer) -> bool:
    try:
        connect(server).close()
    except OSError:
        return False
    return True


def test_headers_have_the_form_of_this_server_and_no_other(asked: AuthServer) -> None:
    answer = httpx2.get(f"{asked.issuer}/livez")
    assert "server" not in answer.headers
    assert answer.headers["date"]
    with connect(asked) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 431 ")


def test_i04_an_absolute_target_changes_nothing(asked: AuthServer) -> None:
    with connect(asked) as connection:
        connection.sendall(
            b"GET http://evil.example.com/.well-known/oauth-authorization-server HTTP/1.1\r\n"
            b"Host: localhost\r\nConnection: close\r\n\r\n"
        )
        answer = everything(connection)
    assert b"evil" not in answer
    assert asked.issuer.encode() in answer


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: evil.example.com", 421),
        (b"GET /.well-known/jwks%2ejson HTTP/1.1\r\nHost: localhost", 404),
        (b"GET /livez HTTP/1.1\r\nHost: evil.example.com", 200),
        (b"GET /.well-known/jwks.json HTTP/1.1", 400),
    ],
    ids=["foreign host", "encoded path", "probe", "no host"],
)
def test_i04_only_its_own_names_and_spellings_are_served(asked: AuthServer, start: bytes, status: int) -> None:
    with connect(asked) as connection:
        connection.sendall(start + b"\r\nConnection: close\r\n\r\n")
        assert everything(connection).startswith(b"HTTP/1.1 %d " % status)


def everything(connection: socket.socket) -> bytes:
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def test_the_command_line_works_while_the_server_runs(asked: AuthServer) -> None:
    made = asked.create_client("--confidential", "--name", "Late")
    assert asked.token(client=made)
    subprocess.run(
        [str(SCRIPTS / "auth-server"), "client", "delete", made.id],
        env=asked.server.environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
    refused = httpx2.post(
        f"{asked.issuer}/token", data={"grant_type": "client_credentials"}, auth=(made.id, made.secret)
    )
    assert refused.status_code == 401
