"""What stands before services: one host for both of them, and a balancer before several processes of one."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import httpx2
import uvicorn

from shared_kernel.asgi import Receive, Scope, Send, read_body

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
        await _forward(self._mcp if to_mcp else self._auth, scope, receive, send)


class Balancer:
    """Gives each request to the next of `origins`, in turn."""

    def __init__(self, origins: Iterable[str]) -> None:
        self.origins = [*origins]
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forwards one request."""
        self._requests += 1
        await _forward(self.origins[self._requests % len(self.origins)], scope, receive, send)


async def _forward(origin: str, scope: Scope, receive: Receive, send: Send) -> None:
    query = scope["query_string"].decode("latin-1")
    url = f"{origin}{scope['path']}" + (f"?{query}" if query else "")
    body = await read_body(receive, _BODY_LIMIT)
    async with httpx2.AsyncClient(timeout=60) as http:
        answer = await http.request(scope["method"], url, content=body, headers=scope["headers"])
    headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _HOP_BY_HOP]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


@contextmanager
def routing(port: int, auth: str, mcp: str) -> Iterator[None]:
    """A gateway on that port, in a thread of its own."""
    with _listening(port, Gateway(auth, mcp)):
        yield


@contextmanager
def balancing(port: int, origins: Iterable[str]) -> Iterator[Balancer]:
    """A balancer on that port, in a thread of its own."""
    balancer = Balancer(origins)
    with _listening(port, balancer):
        yield balancer


@contextmanager
def _listening(port: int, app: Gateway | Balancer) -> Iterator[None]:
    config = uvicorn.Config(app, port=port, lifespan="off", log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
