"""One answer on a connection: what is written, when, and what an application may not send."""

import asyncio
from collections.abc import Sequence

import pytest
import uvicorn
from uvicorn.server import ServerState

from shared_kernel.asgi import ANSWER, Message, Receive, Scope, Send, body_at_once
from shared_kernel.http_connection import BoundedHttpProtocol
from shared_kernel.http_exchange import prepared

pytestmark = pytest.mark.anyio

START = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/plain")]}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n"


class Wire(asyncio.Transport):
    """Keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()

    def pause_reading(self) -> None:
        """Nothing more comes."""

    def resume_reading(self) -> None:
        """Nothing more comes."""


class Scripted:
    """An application that sends these messages; None stands for one turn of the event loop."""

    def __init__(self, messages: Sequence[Message | None]) -> None:
        self._messages = messages
        self.failure: Exception | None = None
        self.ended = asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            for message in self._messages:
                if message is None:
                    await asyncio.sleep(0)
                else:
                    await send(message)
        except RuntimeError as error:
            self.failure = error
        finally:
            self.ended.set()


async def exchange(*messages: Message | None, method: str = "GET") -> tuple[Wire, Scripted]:
    """What goes over the wire when an application answers so, and how that went."""
    app = Scripted(messages)
    config = uvicorn.Config(
        app, http=BoundedHttpProtocol, log_config=None, access_log=False, lifespan="off", date_header=False
    )
    config.load()
    protocol, wire = BoundedHttpProtocol(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    protocol.data_received(f"{method} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    async with asyncio.timeout(60):
        await app.ended.wait()
        for _ in range(3):
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire, app


def body(text: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more}


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


async def test_an_answer_is_one_write() -> None:
    wire, _ = await exchange(start((b"Content-Length", b"2")), body(b"ok"))
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"]


async def test_a_head_does_not_wait_for_a_body_that_is_yet_to_come() -> None:
    """As of an event stream: whoever asked sees that it was heard."""
    wire, _ = await exchange(START, None, None, body(b"data", more=True), body(b""))
    assert wire.writes == [HEAD + b"transfer-encoding: chunked\r\n\r\n", b"4\r\ndata\r\n", b"0\r\n\r\n"]


async def test_a_body_of_unknown_length_comes_in_chunks() -> None:
    wire, _ = await exchange(START, body(b"first", more=True), body(b"", more=True), body(b"last"))
    written = b"5\r\nfirst\r\n" + b"4\r\nlast\r\n0\r\n\r\n"
    assert b"".join(wire.writes) == HEAD + b"transfer-encoding: chunked\r\n\r\n" + written


@pytest.mark.parametrize(
    ("method", "message", "head"),
    [
        ("HEAD", start((b"content-length", b"2")), b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"),
        ("HEAD", START, HEAD + b"\r\n"),
        ("GET", start(status=204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", start(status=304), b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    ],
)
async def test_what_has_no_body_is_a_head_alone(method: str, message: Message, head: bytes) -> None:
    wire, app = await exchange(message, body(b"ok" if method == "HEAD" else b""), method=method)
    assert (wire.writes, app.failure) == ([head], None)


async def test_an_application_can_end_the_connection() -> None:
    wire, _ = await exchange(start((b"content-length", b"0"), (b"connection", b"Close")), body(b""))
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: Close\r\n\r\n"]
    assert wire.closed.is_set()


@pytest.mark.parametrize(
    "header",
    [
        (b"location", b"/\r\nset-cookie: a=b"),
        (b"location", b"/\nset-cookie: a=b"),
        (b"location", b"/\rx"),
        (b"location", b"/\0"),
        (b"location", b"\r\n"),
        (b"a:b", b"c"),
        (b"a b", b"c"),
        (b"a\r\nb", b"c"),
        (b"", b"c"),
    ],
)
async def test_a33_a_header_that_would_end_its_line_is_never_sent(header: tuple[bytes, bytes]) -> None:
    wire, app = await exchange(start((b"content-length", b"0"), header), body(b""))
    assert isinstance(app.failure, RuntimeError)
    assert [written[:34] for written in wire.writes] == [b"HTTP/1.1 500 Internal Server Error"]


@pytest.mark.parametrize(
    "messages",
    [
        [body(b"ok")],
        [START, START],
        [start((b"content-length", b"2")), body(b"more than that")],
        [start((b"content-length", b"2")), body(b"l")],
        [start((b"content-length", b"2")), body(b"ok"), body(b"")],
    ],
    ids=["no head", "two heads", "too long", "too short", "after the end"],
)
async def test_an_application_that_breaks_the_order_fails(messages: Sequence[Message]) -> None:
    _, app = await exchange(*messages)
    assert isinstance(app.failure, RuntimeError)


class InOneCall:
    """An application that takes the whole body in one call, and gives its answer in one."""

    def __init__(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        self._headers, self._body = headers, body
        self.taken: list[bytes | None] = []
        self.given: list[bool] = []
        self.failure: Exception | None = None

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.taken.append(body_at_once(scope))
        try:
            self.given.append(scope["extensions"][ANSWER](200, self._headers, self._body))
            self.given.append(scope["extensions"][ANSWER](200, self._headers, self._body))
        except RuntimeError as error:
            self.failure = error


async def in_one_call(app: InOneCall, *pieces: bytes, slow: bool = False) -> Wire:
    """What goes over the wire when a request arrives in these pieces; a `slow` client has not read what came before."""
    config = uvicorn.Config(
        app, http=BoundedHttpProtocol, log_config=None, access_log=False, lifespan="off", date_header=False
    )
    config.load()
    protocol, wire = BoundedHttpProtocol(config, ServerState(), {}), Wire()
    protocol.connection_made(wire)
    if slow:
        protocol.pause_writing()
    for piece in pieces:
        protocol.data_received(piece)
        for _ in range(3):
            await asyncio.sleep(0)
    protocol.connection_lost(None)
    return wire


POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


async def test_an_answer_in_one_call_is_written_once_and_only_once() -> None:
    app = InOneCall([(b"Content-Type", b"text/plain"), (b"content-length", b"5")], b"there")
    wire = await in_one_call(app, POST + b"hello")
    assert wire.writes == [HEAD + b"content-length: 5\r\n\r\nthere"]
    assert app.taken == [b"hello"]
    assert app.given == [True, False]


async def test_a_body_that_has_not_arrived_is_not_taken_at_once() -> None:
    app = InOneCall([(b"content-length", b"0")], b"")
    wire = await in_one_call(app, POST + b"he", b"llo")
    assert app.taken == [None]
    assert b"connection: close" in wire.writes[0]  # as of every answer that comes before the request is complete


async def test_nothing_is_given_at_once_to_a_client_that_does_not_read() -> None:
    app = InOneCall([(b"content-length", b"0")], b"")
    wire = await in_one_call(app, POST + b"hello", slow=True)
    assert app.given == [False, False]
    assert not any(b"200" in written for written in wire.writes)


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: b", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_header_that_would_end_its_line_is_not_written(value: bytes) -> None:
    """Neither in one call nor in an answer that is prepared."""
    app = InOneCall([(b"x-header", value)], b"")
    wire = await in_one_call(app, POST + b"hello")
    assert isinstance(app.failure, RuntimeError)
    assert not any(b"Set-Cookie" in written for written in wire.writes)
    with pytest.raises(RuntimeError):
        prepared(200, [(b"x-header", value)], b"")
