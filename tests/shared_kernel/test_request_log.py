"""The line, the id and the crash answer of every request."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from shared_kernel.asgi import ANSWER, App, Message, Prepared, Receive, Scope, Send, send_answer, send_json
from shared_kernel.entropy import SystemEntropy
from shared_kernel.request_id import new_request_id, request_time
from shared_kernel.request_log import RequestLog

pytestmark = pytest.mark.anyio


class Ticks:
    """A clock that moves on by 250 ms at each look for a duration."""

    def __init__(self) -> None:
        self._moment = 1000.0

    def now(self) -> float:
        """See Clock; another number than the durations are taken from."""
        return 1_700_000_000.5

    def monotonic(self) -> float:
        """See Clock."""
        self._moment += 0.25
        return self._moment


class Counted:
    """Predictable randomness."""

    def bytes(self, count: int) -> bytes:
        """Zeros."""
        return bytes(count)

    def token(self, bits: int = 256) -> str:
        """A text that says how many bits were asked for."""
        return f"generated-{bits}"


async def receive() -> Message:
    """The end of a request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


class Exchange:
    """One request through an app, and what came back."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    async def __call__(self, app: App, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Sends GET /path?secret=fish."""
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/path",
            "query_string": b"secret=fish",
            "headers": list(headers),
            "client": ("::ffff:203.0.113.7", 4711),
        }

        async def send(message: Message) -> None:
            self.sent.append(message)

        await app(scope, receive, send)

    @property
    def headers(self) -> dict[str, str]:
        """The response's headers."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def document(self) -> Any:
        """The response's JSON."""
        return json.loads(b"".join(message["body"] for message in self.sent[1:]))


def logged(app: App) -> RequestLog:
    """The app behind the request log."""
    return RequestLog(app, clock=Ticks(), entropy=Counted())


async def greeting(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers with its own request id."""
    await send_json(send, 201, {"id": scope["state"]["request_id"]}, [("X-Other", "yes")])


ID = f"{1_700_000_000:08x}-generated-72"


async def test_a_request_gets_an_id_that_the_answer_repeats() -> None:
    exchange = Exchange()
    await exchange(logged(greeting))
    assert exchange.document == {"id": ID}
    assert exchange.headers["x-request-id"] == ID


async def test_the_callers_own_id_stands_beside_ours_in_the_line() -> None:
    """Taken as ours, it would let a caller give one request the id of another."""
    exchange = Exchange()
    with structlog.testing.capture_logs() as lines:
        await exchange(logged(greeting), [(b"x-request-id", b"abc-123_DEF.4")])
    assert exchange.headers["x-request-id"] == ID
    assert [line["caller_id"] for line in lines] == ["abc-123_DEF.4"]


def test_an_id_tells_when_its_request_came() -> None:
    made = new_request_id(1_700_000_000.9, SystemEntropy())
    assert request_time(made) == 1_700_000_000
    assert request_time(made) != request_time(new_request_id(1_700_000_001, SystemEntropy()))
    for other in ("", "abc-123_DEF.4", made + "x", made.upper(), SystemEntropy().token(128)):
        assert request_time(other) is None, other


@pytest.mark.parametrize(
    "given", [b"", b"short", b"x" * 65, b'"},{"forged":"line', b"abcdefgh\r\nset-cookie: x", b"\xff" * 9]
)
async def test_an_id_that_could_forge_a_log_line_is_not_written(given: bytes) -> None:
    exchange = Exchange()
    with structlog.testing.capture_logs() as lines:
        await exchange(logged(greeting), [(b"x-request-id", given)])
    assert ["caller_id" in line for line in lines] == [False]


async def crashing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """A bug."""
    raise ZeroDivisionError("fish")


async def test_a_crash_becomes_a_plain_500_that_shows_nothing_of_it() -> None:
    exchange = Exchange()
    with structlog.testing.capture_logs():
        await exchange(logged(crashing))
    assert exchange.sent[0]["status"] == 500
    assert exchange.document == {"error": "server_error", "request_id": ID}


async def crashing_late(_scope: Scope, _receive: Receive, send: Send) -> None:
    """A bug after the answer has begun."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ZeroDivisionError("fish")


async def test_a_crash_in_the_middle_of_an_answer_is_left_to_the_server_to_cut_off() -> None:
    """A second answer on the same connection would be taken for the rest of the first."""
    exchange = Exchange()
    with structlog.testing.capture_logs(), pytest.raises(ZeroDivisionError):
        await exchange(logged(crashing_late))
    assert [message["type"] for message in exchange.sent] == ["http.response.start"]


async def crashing_after(_scope: Scope, _receive: Receive, send: Send) -> None:
    """A bug that the application has answered itself."""
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"sorry"})
    raise ZeroDivisionError("fish")


async def test_a_crash_that_the_application_has_answered_is_only_logged() -> None:
    exchange = Exchange()
    with structlog.testing.capture_logs() as lines:
        await exchange(logged(crashing_after))
    assert [line["event"] for line in lines] == ["request_crashed", "request"]
    assert [message["type"] for message in exchange.sent] == ["http.response.start", "http.response.body"]


async def test_a_request_is_one_line_without_query_or_headers() -> None:
    with structlog.testing.capture_logs() as lines:
        await Exchange()(logged(greeting), [(b"authorization", b"Bearer fish")])
    fields = {"method": "GET", "path": "/path", "status": 201, "ms": 250.0, "address": "203.0.113.7"}
    assert lines == [{"event": "request", "log_level": "info", **fields}]


async def test_other_scopes_than_requests_pass_through() -> None:
    seen = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    async def send(_message: Message) -> None:
        raise AssertionError

    await logged(app)({"type": "lifespan"}, receive, send)
    assert seen == [{"type": "lifespan"}]


class Prompt:
    """An application that answers at once, or crashes over it."""

    def __init__(self, answer: Prepared | None, crash: Exception | None = None) -> None:
        self._answer, self._crash = answer, crash

    def at_once(self, _scope: Scope) -> Prepared | None:
        if self._crash:
            raise self._crash
        return self._answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError


SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/path",
    "headers": [(b"x-request-id", b"abc-123_DEF.4")],
    "client": ("203.0.113.7", 1),
}


def test_what_is_answered_at_once_has_an_id_and_a_line_like_any_other() -> None:
    with structlog.testing.capture_logs() as lines:
        answer = logged(Prompt(Prepared(304, b"HTTP/1.1 304 Not Modified\r\n", b""))).at_once(dict(SCOPE))
    assert answer == (304, f"HTTP/1.1 304 Not Modified\r\nx-request-id: {ID}\r\n".encode(), b"")
    [line] = lines
    assert line == {
        "event": "request", "log_level": "info", "method": "GET", "path": "/path", "status": 304, "ms": 250.0,
        "address": "203.0.113.7", "caller_id": "abc-123_DEF.4",
    }  # fmt: skip


@pytest.mark.parametrize("crash", [None, ValueError("broken")])
def test_what_is_not_answered_at_once_leaves_no_line_yet(crash: Exception | None) -> None:
    """It goes the usual way next, which tells of it."""
    with structlog.testing.capture_logs() as lines:
        assert logged(Prompt(None, crash)).at_once(dict(SCOPE)) is None
    assert lines == []


async def test_an_answer_given_in_one_call_has_the_id_and_its_status_in_the_line() -> None:
    given: list[Any] = []

    def answer(*whole: Any) -> bool:
        given.append(whole)
        return True

    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        await send_answer(scope, send, 202, [(b"x-other", b"yes")], b"body")

    async def unused(*_: Any) -> Any:
        raise AssertionError

    with structlog.testing.capture_logs() as lines:
        await logged(application)({**SCOPE, "extensions": {ANSWER: answer}}, unused, unused)
    assert given == [(202, [(b"x-other", b"yes"), (b"x-request-id", ID.encode())], b"body")]
    assert [line["status"] for line in lines] == [202]
