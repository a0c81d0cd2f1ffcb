"""The bounds of one connection, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
import uvicorn
from uvicorn.server import ServerState

from shared_kernel import http_connection
from shared_kernel.asgi import App, Prepared, Receive, Scope, Send, read_body, send_json
from shared_kernel.http_connection import HEAD_LIMIT, PIPELINE_LIMIT, BoundedHttpProtocol
from shared_kernel.http_exchange import prepared

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The services run on uvloop, whose timers and reads come in another order than asyncio's."""
    return "asyncio", {"use_uvloop": request.param}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(receive, 10_000_000)
    await send_json(send, 200, {"path": scope["path"], "body": len(body)})


@asynccontextmanager
async def listening(app: App) -> AsyncIterator[tuple[asyncio.Server, ServerState]]:
    """A server of that application, and what it knows of its connections."""
    config = uvicorn.Config(
        app, http=BoundedHttpProtocol, log_config=None, access_log=False, lifespan="off", proxy_headers=False
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        try:
            yield server, state
        finally:
            for served in list(state.connections):
                served.transport.abort()


@asynccontextmanager
async def connection(app: App = echo) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client of a server of that application."""
    async with listening(app) as (server, _):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            with anyio.fail_after(60):
                yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):  # the server may have been the first
                await writer.wait_closed()


async def status(reader: asyncio.StreamReader) -> int:
    return int((await reader.readuntil(b"\r\n")).split()[1])


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    code = await status(reader)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    return code, await reader.readexactly(length)


async def test_ordinary_requests_share_a_connection() -> None:
    async with connection() as (reader, writer):
        for _ in range(3):
            writer.write(b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            assert await answer(reader) == (200, b'{"path":"/token","body":5}')


async def test_a_long_body_is_the_endpoints_affair() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000)
        assert await answer(reader) == (200, b'{"path":"/token","body":300000}')


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * HEAD_LIMIT + b"\r\n\r\n",
        b"GET /?state=" + b"x" * HEAD_LIMIT + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X-Many: y\r\n" * 2000 + b"\r\n",
    ],
    ids=["one header", "the URL", "many headers"],
)
async def test_i03_a_complete_head_beyond_the_limit_is_answered_431(head: bytes) -> None:
    async with connection() as (reader, writer):
        writer.write(head)
        assert await status(reader) == 431
        assert b'{"error":"invalid_request"}' in await reader.read()


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ", b"GET / HTTP/1.1\r\n"])
async def test_i03_a_head_that_never_ends_is_cut_off_at_the_limit(start: bytes) -> None:
    async with connection() as (reader, writer):
        writer.write(start)
        piece = b"x" * 1024 if not start.endswith(b"1.1\r\n") else b"X-Many: y\r\n" * 100
        for _ in range(HEAD_LIMIT // 1024 + 1):
            writer.write(piece)
        assert await status(reader) == 431
        assert b'{"error":"invalid_request"}' in await reader.read()


async def test_i03_trailers_that_never_end_are_cut_off() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: ")
        writer.write(b"y" * 1_000_000)
        assert await status(reader) == 431


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"\x16\x03\x01 not http at all\r\n\r\n",
    ],
    ids=["no version", "HTTP/0.9", "length and chunks", "two lengths", "TLS"],
)
async def test_i04_ambiguous_framing_is_answered_400_and_closed(request_bytes: bytes) -> None:
    async with connection() as (reader, writer):
        writer.write(request_bytes)
        assert await status(reader) == 400
        await reader.read()


async def test_a_connection_without_a_request_is_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "HEAD_SECONDS", 0.05)
    async with connection() as (reader, writer):
        assert await reader.read() == b""
    async with connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert await reader.read() == b""


async def test_an_idle_connection_cannot_be_kept_with_line_feeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which are skipped before a request (RFC 9112 §2.2), and are none."""
    monkeypatch.setattr(http_connection, "HEAD_SECONDS", 0.05)
    async with connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert await answer(reader) == (200, b'{"path":"/","body":0}')
        writer.write(b"\r\n")
        assert await reader.read() == b""


@pytest.mark.parametrize(
    ("head", "answered"),
    [(b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200 "), (b"GET /late HT", b"")],
    ids=["whole", "a part"],
)
async def test_a_head_that_has_arrived_is_read_although_its_time_is_up(
    head: bytes, answered: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overloaded loop reads late, and that is no fault of the client's; but one more read is not one more wait.

    The head arrives, and its time runs out, while the loop handles an earlier event: it polls after its timers.
    """
    monkeypatch.setattr(http_connection, "HEAD_SECONDS", 0.1)
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    async with listening(echo) as (server, state):
        with socket.socket() as client, ours, theirs:
            client.setblocking(False)
            await loop.sock_connect(client, server.sockets[0].getsockname())

            def overload() -> None:
                loop.remove_reader(ours)
                client.send(head)
                busy_until = loop.time() + 0.2
                while anyio.current_time() < busy_until:
                    pass

            with anyio.fail_after(60):
                while not state.connections:
                    await anyio.lowlevel.checkpoint()
                loop.add_reader(ours, overload)
                theirs.send(b"x")
                assert (await loop.sock_recv(client, 13)) == answered


class Held:
    """An application that answers nobody before it is told to, and goes on listening for the client's end."""

    def __init__(self) -> None:
        self.begun, self.release = 0, anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        await read_body(receive, 100)
        listening = asyncio.ensure_future(receive())
        await self.release.wait()
        listening.cancel()
        await send_json(send, 200, {"path": scope["path"]})


async def test_i03_pipelined_requests_without_answers_stay_few() -> None:
    """Each costs kilobytes of memory, and its sender a few bytes; half a million are sent at once here."""
    held = Held()
    count = 500_000
    async with listening(held) as (server, state):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        with anyio.fail_after(60):
            requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(count))
            writer.write(requests)
            while not held.begun:
                await anyio.lowlevel.checkpoint()
            (served,) = state.connections
            assert isinstance(served, BoundedHttpProtocol)
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
                assert len(served.pipeline) <= PIPELINE_LIMIT
            assert served.flow.read_paused
            assert writer.transport.get_write_buffer_size() > 0, "the rest waits with its sender"
            held.release.set()
            for number in range(1000):
                assert await answer(reader) == (200, b'{"path":"/%d"}' % number)
                assert len(served.pipeline) <= PIPELINE_LIMIT
        writer.transport.abort()


@pytest.mark.parametrize("bodies", [False, True])
async def test_pipelined_requests_are_answered_in_order_however_they_are_cut(bodies: bool) -> None:
    one = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n\r\n\r\n\r\n\r\n"
    if not bodies:
        one = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
    requests = b"".join(one % number for number in range(50))
    for size in (7, 100, 1000, len(requests)):
        async with connection() as (reader, writer):
            for start in range(0, len(requests), size):
                writer.write(requests[start : start + size])
                await writer.drain()
                await anyio.lowlevel.checkpoint()
            for number in range(50):
                document = b'{"path":"/%d","body":%d}' % (number, 8 if bodies else 0)
                assert await answer(reader) == (200, document)


async def refusing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send_json(send, 401, {"error": "invalid_token"})


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 4294967296", b"Transfer-Encoding: chunked"], ids=["declared", "chunked"]
)
async def test_i03_an_early_answer_ends_the_connection_of_a_body_without_end(
    framing: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says so, reaches its client, and no more than LINGER_BYTES are read after it."""
    monkeypatch.setattr(http_connection, "LINGER_BYTES", 100_000)
    async with connection(refusing) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 401 ")
        assert b"connection: close" in head
        assert await reader.readexactly(25) == b'{"error":"invalid_token"}'
        with suppress(ConnectionError):
            for _ in range(1000):  # far beyond what socket buffers hold
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
            pytest.fail("all of it was read")


async def test_i03_a_sender_that_pauses_after_an_early_answer_is_closed_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_connection, "LINGER_SECONDS", 0.05)
    async with connection(refusing) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome")
        assert (await reader.read()).endswith(b'{"error":"invalid_token"}')


async def test_an_early_answer_reaches_a_client_that_sends_on() -> None:
    """Closing with bytes unread would reset the connection under the answer."""
    async with connection(refusing) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
        for _ in range(30):
            writer.write(b"x" * 100_000)
            await writer.drain()
        assert await answer(reader) == (401, b'{"error":"invalid_token"}')


async def test_a_refusal_of_a_request_that_is_there_whole_leaves_the_connection_open() -> None:
    async with connection(refusing) as (reader, writer):
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nsome")
            assert await answer(reader) == (401, b'{"error":"invalid_token"}')


class Prompt:
    """Answers `/ready` at once, once it may; says of every other request that it was called for it."""

    def __init__(self) -> None:
        self.at_once_for: list[str] = []
        self.let_go = asyncio.Event()

    def at_once(self, scope: Scope) -> Prepared | None:
        if scope["path"] != "/ready":
            return None
        self.at_once_for.append(scope["method"])
        return prepared(200, [(b"content-length", b"5")], b"ready")

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(receive, 100)
        await self.let_go.wait()
        await send_json(send, 200, {})


READY = b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n"
USUAL = b"GET /usual HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_what_is_ready_is_answered_at_once_on_a_connection_that_stays_open() -> None:
    app = Prompt()
    app.let_go.set()
    async with connection(app) as (reader, writer):
        for _ in range(3):
            writer.write(READY)
            assert await answer(reader) == (200, b"ready")
            writer.write(USUAL)
            assert await answer(reader) == (200, b"{}")
        writer.write(READY[:20])
        await writer.drain()
        writer.write(READY[20:])
        assert await answer(reader) == (200, b"ready")
    assert len(app.at_once_for) == 4


@pytest.mark.parametrize(
    "request_bytes",
    [
        READY.replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\nx"),
        READY.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        READY.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
        READY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        READY.replace(b"1.1", b"1.0"),
        READY + READY,
    ],
    ids=["body", "chunks", "expects", "last", "old", "pipelined"],
)
async def test_what_is_more_than_a_head_is_answered_in_the_usual_way(request_bytes: bytes) -> None:
    app = Prompt()
    app.let_go.set()
    async with connection(app) as (reader, writer):
        writer.write(request_bytes)
        if b"100-continue" in request_bytes:
            assert await status(reader) == 100
            await reader.readuntil(b"\r\n")
        assert await answer(reader) == (200, b"{}")
    assert app.at_once_for == []


async def test_what_is_ready_waits_for_the_answer_before_it() -> None:
    app = Prompt()
    async with connection(app) as (reader, writer):
        writer.write(USUAL)
        await writer.drain()
        writer.write(READY)
        await writer.drain()
        app.let_go.set()
        assert await answer(reader) == (200, b"{}")
        code, _body = await answer(reader)
        assert code == 200


async def test_an_idle_connection_is_closed_in_time_and_each_request_begins_the_time_anew() -> None:
    """However it is answered. The clock is the event loop's, and nobody waits for it here."""
    app = Prompt()
    app.let_go.set()
    async with listening(app) as (server, state):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(READY)
        await answer(reader)
        [served] = state.connections
        assert isinstance(served, BoundedHttpProtocol)
        timer = served.timeout_keep_alive_task
        assert timer is not None
        for request_bytes in (USUAL, READY):
            writer.write(request_bytes)
            await answer(reader)
        assert served.timeout_keep_alive_task is timer
        served._look_at_idleness()  # as if the time of the first request were up
        assert not served.transport.is_closing()
        served.timeout_keep_alive = 0
        served._look_at_idleness()
        assert await reader.read() == b""
        writer.close()
