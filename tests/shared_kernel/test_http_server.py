"""The HTTP parser's bounds, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
import uvicorn
from uvicorn.server import ServerState

from shared_kernel import http_server
from shared_kernel.asgi import Receive, Scope, Send, read_body, send_json
from shared_kernel.http_server import HEAD_LIMIT, BoundedHttpProtocol

pytestmark = pytest.mark.anyio


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await read_body(receive, 10_000_000)
    await send_json(send, 200, {"path": scope["path"], "body": len(body)})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(echo, http=BoundedHttpProtocol, log_config=None, access_log=False, lifespan="off")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: BoundedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            with anyio.fail_after(10):
                yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):  # the server may have been the first
                await writer.wait_closed()
            for served in list(state.connections):
                served.transport.abort()


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
    monkeypatch.setattr(http_server, "HEAD_SECONDS", 0.05)
    async with connection() as (reader, writer):
        assert await reader.read() == b""
    async with connection() as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert await reader.read() == b""
