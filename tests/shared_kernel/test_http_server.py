"""The server's end: nobody is cut off who came in time, and nothing waits for nobody."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import anyio
import pytest
import uvicorn

from shared_kernel.asgi import Receive, Scope, Send, ends_itself, read_body, send_json
from shared_kernel.front_door import FrontDoor
from shared_kernel.http_connection import BoundedHttpProtocol
from shared_kernel.http_server import Server, Stage

pytestmark = pytest.mark.anyio

GET = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The services run on uvloop."""
    return "asyncio", {"use_uvloop": request.param}


class QuietServer(Server):
    """Leaves the test's signals alone."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Application:
    """Answers at once, but for four paths.

    `/work` answers once it may; so do `/stream`, which has begun its answer by then, `/own-end`, which answers that it
    is cancelled too, and `/own-stream`, which says that it ends its begun answer itself. `/own-stream-unended` says so
    and does not.
    """

    begun: anyio.Event = field(default_factory=anyio.Event)
    finish: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        await read_body(receive, 1000)
        if scope["path"] == "/work":
            self.begun.set()
            await self.finish.wait()
        if scope["path"] == "/own-end":
            self.begun.set()
            try:
                await self.finish.wait()
            except asyncio.CancelledError:
                await send_json(send, 503, "ended")
                raise
        if scope["path"].startswith("/own-stream"):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            ends_itself(scope)
            self.begun.set()
            try:
                await self.finish.wait()
            except asyncio.CancelledError:
                if scope["path"] == "/own-stream":
                    await send({"type": "http.response.body", "body": b"ended"})
                raise
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            self.begun.set()
            try:
                await self.finish.wait()
            finally:  # as an event stream does that ends in good order, whatever ended it
                with anyio.CancelScope(shield=True):
                    await send({"type": "http.response.body", "body": b""})
            return
        await send_json(send, 200, {"path": scope["path"]})


@dataclass
class Running:
    """A server, and whether it has ended."""

    server: QuietServer
    address: tuple[str, int]
    ended: anyio.Event = field(default_factory=anyio.Event)
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that the server has accepted."""
        before = len(self.server.server_state.connections)
        streams = await asyncio.open_connection(*self.address)
        self.clients.append(streams[1])
        while len(self.server.server_state.connections) == before:
            await anyio.lowlevel.checkpoint()
        return streams


@asynccontextmanager
async def running(app: Application, *, delay: float = 0.0, grace: int = 20) -> AsyncIterator[Running]:
    """The application behind the door, on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            FrontDoor(app, hosts=frozenset(), limit=10),
            http=BoundedHttpProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=grace,
        )
        result = Running(QuietServer(config, delay_seconds=delay), listener.getsockname())

        async def serve() -> None:
            await result.server.serve(sockets=[listener])
            result.ended.set()

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(serve)
                while not result.server.started:
                    await anyio.lowlevel.checkpoint()
                yield result
                result.server.stop(Stage.CUTTING)
                for client in result.clients:
                    client.transport.abort()


async def head(reader: asyncio.StreamReader) -> bytes:
    """The head of an answer; its body is read too."""
    result = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in result.split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(length)
    return result


async def test_a_stopping_server_serves_on_unready_and_asks_its_clients_to_leave() -> None:
    async with running(Application(), delay=60) as served:
        (old_reader, old), (busy_reader, busy) = await served.connect(), await served.connect()
        old.write(GET % b"first")
        assert b"connection: close" not in await head(old_reader)
        served.server.stop()
        old.write(GET % b"second")
        assert b"connection: close" in await head(old_reader)
        assert await old_reader.read() == b""
        busy.write(GET % b"readyz")
        assert (await head(busy_reader)).startswith(b"HTTP/1.1 503 ")
        reader, writer = await served.connect()
        writer.write(GET % b"late")
        answer = await head(reader)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer
        served.server.stop()  # a second signal does not wait for the rest of the minute
        await served.ended.wait()


async def test_the_end_waits_for_what_is_under_way() -> None:
    app = Application()
    async with running(app) as served:
        reader, writer = await served.connect()
        writer.write(GET % b"work")
        await app.begun.wait()
        served.server.stop()
        while served.server.servers[0].is_serving():
            await anyio.lowlevel.checkpoint()
        app.finish.set()
        assert b"connection: close" in await head(reader)
        await served.ended.wait()


async def test_a_connection_that_was_accepted_but_not_read_is_served() -> None:
    """It waits in the kernel when the listener closes, which would reset it."""
    async with running(Application()) as served:
        loop = asyncio.get_running_loop()
        served.server.should_exit = True
        clients = []
        stop = served.server.shutdown

        async def connect_then_stop(sockets: list[socket.socket] | None = None) -> None:
            for _ in range(5):
                client = socket.create_connection(served.address)
                client.sendall(GET % b"late")
                client.setblocking(False)
                clients.append(client)
            await stop(sockets)

        served.server.shutdown = connect_then_stop  # type: ignore[method-assign]
        await served.ended.wait()
        for client in clients:
            with client:
                assert (await loop.sock_recv(client, 65536)).startswith(b"HTTP/1.1 200 ")


async def test_an_idle_connection_and_one_never_used_do_not_hold_up_the_end() -> None:
    async with running(Application()) as served:
        await served.connect()
        reader, writer = await served.connect()
        writer.write(GET % b"first")
        await head(reader)
        served.server.stop()
        await served.ended.wait()
        assert await reader.read() == b""


async def test_a_request_without_an_answer_is_cut_with_503() -> None:
    app = Application()
    async with running(app) as served:
        reader, writer = await served.connect()
        writer.write(GET % b"work")
        await app.begun.wait()
        served.server.stop(Stage.CUTTING)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer
        await served.ended.wait()


async def test_a_request_may_answer_its_own_end() -> None:
    app = Application()
    async with running(app, grace=0) as served:
        reader, writer = await served.connect()
        writer.write(GET % b"own-end")
        await app.begun.wait()
        served.server.stop()
        assert (await reader.read()).endswith(b'"ended"')
        await served.ended.wait()


async def test_a_begun_answer_that_ends_itself_is_sent_to_its_end() -> None:
    app = Application()
    async with running(app, grace=0) as served:
        reader, writer = await served.connect()
        writer.write(GET % b"own-stream")
        await app.begun.wait()
        await reader.readuntil(b"\r\n\r\n")
        served.server.stop()
        assert await reader.read() == b"5\r\nended\r\n0\r\n\r\n"
        await served.ended.wait()


@pytest.mark.parametrize("path", [b"stream", b"own-stream-unended"])
async def test_a_begun_answer_that_is_cut_does_not_look_complete(path: bytes) -> None:
    """Even if the application ends it in good order when it is cancelled, or has said it would and does not."""
    app = Application()
    async with running(app, grace=0) as served:
        reader, writer = await served.connect()
        writer.write(GET % path)
        await app.begun.wait()
        await reader.readuntil(b"\r\n\r\n")
        served.server.stop()
        assert b"0\r\n\r\n" not in await reader.read()  # the end of a chunked body
        await served.ended.wait()
