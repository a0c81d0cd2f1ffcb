"""Whatever bytes arrive, both services answer an error or close the connection, and go on serving others."""

import functools
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.concurrency import at_once
from tests.support.mcp_wire import Wire
from tests.support.services import AuthServer, McpServer

pytestmark = pytest.mark.slow

ANSWER_SECONDS = 60.0
SLOW_SECONDS = 90.0
ENDPOINTS = {"auth-server": "/token", "mcp-server": "/mcp"}


class Target:
    """One of the services."""

    def __init__(self, name: str, origin: str, authorization: str, probe: Wire, auth: AuthServer) -> None:
        self.name, self.origin, self.endpoint = name, origin, ENDPOINTS[name]
        self.authorization, self._probe, self._auth = authorization, probe, auth

    def connect(self, seconds: float = ANSWER_SECONDS) -> socket.socket:
        """A connection whose reads are bounded."""
        return socket.create_connection(("127.0.0.1", urlsplit(self.origin).port or 0), timeout=seconds)

    def head(self, *lines: str) -> bytes:
        """The head of a POST to the endpoint that takes bodies, authorized where that is needed to be read at all."""
        host = urlsplit(self.origin).netloc
        fixed = [f"POST {self.endpoint} HTTP/1.1", f"Host: {host}", f"Authorization: {self.authorization}"]
        return "\r\n".join([*fixed, *lines, "", ""]).encode("latin-1")

    def answer(self, sent: bytes, seconds: float = ANSWER_SECONDS) -> bytes:
        """The first bytes the service sends back; none if it closes. Fails when it stays silent and open."""
        with self.connect(seconds) as connection:
            try:
                connection.sendall(sent)
                return connection.recv(65536)
            except ConnectionError:
                return b""

    def assert_healthy(self) -> None:
        """It does its real work for somebody else."""
        assert httpx2.get(f"{self.origin}/readyz").status_code == 200
        if self.name == "auth-server":
            assert self._auth.token()
        else:
            assert self._probe.rows("select count(*) from region") == [[5]]


@pytest.fixture(scope="module", params=list(ENDPOINTS))
def target(request: pytest.FixtureRequest, auth_server: AuthServer, mcp_server: McpServer) -> Iterator[Target]:
    """Each service in turn; it must be healthy in the end, too."""
    made = target_at(request.param, auth_server, mcp_server)
    yield made
    made.assert_healthy()


def target_at(service: str, auth_server: AuthServer, mcp_server: McpServer) -> Target:
    """That service, and credentials for it."""
    token, client = auth_server.token(), auth_server.automation
    if service == "auth-server":
        credentials = httpx2.BasicAuth(client.id, client.secret)
        probe = next(credentials.auth_flow(httpx2.Request("GET", auth_server.issuer)))
        origin, authorization = auth_server.issuer, probe.headers["authorization"]
    else:
        origin, authorization = mcp_server.origin, f"Bearer {token}"
    return Target(service, origin, authorization, Wire(mcp_server.resource, token), auth_server)


def status(answer: bytes) -> int:
    """The status code of an answer; 0 for a connection closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 64 + b"\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 50_000 + b"\r\n",
    ],
    ids=lambda sent: repr(sent[:40]),
)
def test_garbage_is_answered_with_a_client_error_or_a_closed_connection(sent: bytes, target: Target) -> None:
    assert status(target.answer(sent)) in (0, 400, 401, 403, 404, 405, 413, 414, 421, 431, 505)
    target.assert_healthy()


@pytest.mark.parametrize(
    "path",
    [
        "/%ff%fe",
        "/%00",
        "/..%2f..%2fetc/passwd",
        "//evil.example/",
        "/a\\b",
        "/%",
        "/%zz",
        "/\xff",
        "/;x",
        "/a?%ff=%fe",
    ],
)
def test_odd_paths_are_client_errors(path: str, target: Target) -> None:
    sent = f"GET {path} HTTP/1.1\r\nHost: {urlsplit(target.origin).netloc}\r\nConnection: close\r\n\r\n"
    assert status(target.answer(sent.encode("latin-1"))) in (400, 401, 404, 405)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"\xff\xfe\x00"),
        ("application/json", b"{"),
        ("application/json", b"[" * 100_000),
        ("application/json", b'{"a":' * 50_000),
        ("application/json", b"\xef\xbb\xbf{}"),
        ("application/json", b"NaN"),
        ("application/json", b'"\\ud800"'),
        ("application/json", b'{"jsonrpc":"2.0","id":1,"method":"\\ud800","params":{}}'),
        ("application/json", b'{"jsonrpc":"2.0","id":' + b"9" * 10_000 + b',"method":"tools/list"}'),
        ("application/json", b"[]"),
        ("application/json", b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]'),
        ("application/json; charset=utf-16", '{"a":1}'.encode("utf-16")),
        ("application/x-www-form-urlencoded", b"%ff=%fe&grant_type=%00"),
        ("application/x-www-form-urlencoded", b"&" * 16_000),
        ("application/x-www-form-urlencoded", b"grant_type=client_credentials&scope=" + b"a" * 15_000),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--"),
        ("text/plain", b"hello"),
        ("", b"x"),
        ("application/json", b""),
        ("application/json", b"x" * 2_000_000),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_odd_bodies_are_client_errors(content_type: str, body: bytes, target: Target) -> None:
    head = target.head(
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Accept: application/json, text/event-stream",
        "Connection: close",
    )
    assert status(target.answer(head + body)) in (0, 400, 401, 404, 406, 413, 415)
    target.assert_healthy()


def test_a_body_that_does_not_come_is_given_up(auth_server: AuthServer, mcp_server: McpServer) -> None:
    """Slow loris: the connection is answered or closed within the bound, however slowly it goes on."""
    targets = [target_at(service, auth_server, mcp_server) for service in ENDPOINTS]
    beginnings: list[Callable[[], bytes]] = []
    for target in targets:
        head = target.head("Content-Type: application/json", "Content-Length: 1000")
        # A silent body, one that has begun, and an unfinished head.
        cut_short = (head, head + b"{", head[:-4])
        beginnings += [functools.partial(target.answer, sent, SLOW_SECONDS) for sent in cut_short]
    assert {status(answer) for answer in at_once(beginnings)} <= {0, 408}
    for target in targets:
        target.assert_healthy()


def test_many_idle_connections_do_not_keep_others_out(target: Target) -> None:
    connections = [target.connect() for _ in range(300)]
    try:
        target.assert_healthy()
    finally:
        for connection in connections:
            connection.close()
    target.assert_healthy()
