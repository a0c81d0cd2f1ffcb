"""What stands before services: one host for both of them, and a balancer before several processes of one."""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn

from shared_kernel.asgi import App, Receive, Scope, Send, read_body
from tests.support.processes import wait_for

_BODY_LIMIT = 1 << 20
_HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"content-encoding"}


class Gateway:
    """Forwards whole exchanges; `auth` and `mcp` are the origins behind it."""

    def __init__(self, auth: str, mcp: str) -> None:
        self._auth, self._mcp = auth, mcp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards one request."""
        path = scope["path"]
        to_mcp = path == "/mcp" or path.startswith("/.well-known/oauth-protected-resource")
        exchange = await _ask(self._mcp if to_mcp else self._auth, scope, receive)
        await exchange.send(send)


class Balancer:
    """Gives each request to the next of `origins`, in turn; `heard` is all that went to and fro."""

    def __init__(self, origins: Iterable[str]) -> None:
        self.origins = [*origins]
        self.heard: list[bytes] = []
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards one request."""
        self._requests += 1
        exchange = await _ask(self.origins[self._requests % len(self.origins)], scope, receive)
        self.heard += exchange.texts
        await exchange.send(send)


class ProbingBalancer(Balancer):
    """Gives each request to the next of the origins that said within PROBE_SECONDS that they are ready.

    One that takes no connection is left out, and the next has its request; what was sent is not sent again: 502. One
    that breaks off is left out as well: a process that was killed may take connections until all of it has ended.
    """

    PROBE_SECONDS = 0.2

    def __init__(self, origins: Iterable[str]) -> None:
        super().__init__(origins)
        self._probed: dict[str, tuple[float, bool]] = {}
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards one request."""
        body = await read_body(receive, _BODY_LIMIT)
        while ready := [origin for origin in self.origins if await self._is_ready(origin)]:
            self._requests += 1
            chosen = ready[self._requests % len(ready)]
            try:
                exchange = await _forward(chosen, scope, body)
            except httpx2.HTTPError as error:
                self._probed[chosen] = (time.monotonic(), False)
                if not isinstance(error, httpx2.ConnectError):
                    break
            else:
                await exchange.send(send)
                return
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def _is_ready(self, origin: str) -> bool:
        async with self._turn:  # whoever comes meanwhile takes what was found
            at, ready = self._probed.get(origin, (-self.PROBE_SECONDS, False))
            now = time.monotonic()
            if now - at >= self.PROBE_SECONDS:
                try:
                    async with httpx2.AsyncClient(timeout=5) as http:
                        ready = (await http.get(f"{origin}/readyz")).status_code == 200
                except httpx2.HTTPError:
                    ready = False
                self._probed[origin] = (now, ready)
        return ready


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A request that was forwarded, and what it was answered."""

    url: str
    request_headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    status: int
    headers: Sequence[tuple[bytes, bytes]]
    content: bytes

    @property
    def texts(self) -> list[bytes]:
        """What was said in it."""
        values = [value for _, value in [*self.request_headers, *self.headers]]
        return [self.url.encode(), *values, self.body, self.content]

    async def send(self, send: Send) -> None:
        """Passes the answer on."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.content})


async def _ask(origin: str, scope: Scope, receive: Receive) -> _Exchange:
    return await _forward(origin, scope, await read_body(receive, _BODY_LIMIT))


async def _forward(origin: str, scope: Scope, body: bytes) -> _Exchange:
    query = scope["query_string"].decode("latin-1")
    url = f"{origin}{scope['path']}" + (f"?{query}" if query else "")
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.request(scope["method"], url, content=body, headers=scope["headers"])
    headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _HOP_BY_HOP]
    return _Exchange(url, scope["headers"], body, answer.status_code, headers, answer.content)


@contextmanager
def routing(port: int, auth: str, mcp: str) -> Iterator[None]:
    """A gateway on that port, in a thread of its own."""
    with listening_on(port, Gateway(auth, mcp)):
        yield


@contextmanager
def balancing(port: int, origins: Iterable[str]) -> Iterator[Balancer]:
    """A balancer on that port, in a thread of its own."""
    balancer = Balancer(origins)
    with listening_on(port, balancer):
        yield balancer


@contextmanager
def balancing_by_probes(port: int, origins: Iterable[str]) -> Iterator[None]:
    """A balancer on that port that leaves out whoever is not ready, in a thread of its own."""
    with listening_on(port, ProbingBalancer(origins)):
        yield


@contextmanager
def listening_on(port: int, app: App, certificate: Path | None = None) -> Iterator[None]:
    """An application on that port of this machine, in a thread of its own; over TLS with a certificate and its key."""
    config = uvicorn.Config(
        app,
        port=port,
        lifespan="off",
        log_level="error",
        ws="none",
        ssl_certfile=certificate,
        date_header=False,  # that of the service behind it goes through
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        wait_for(lambda: server.started, 20, f"a listener on port {port}")
        yield
    finally:
        server.should_exit = True
        thread.join(10)
