"""One host before both services: `/mcp` and its metadata go to mcp-server, everything else to auth-server."""

import asyncio
import threading
from collections.abc import Iterator
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
        query = scope["query_string"].decode("latin-1")
        url = f"{self._mcp if to_mcp else self._auth}{path}" + (f"?{query}" if query else "")
        body = await read_body(receive, _BODY_LIMIT)
        async with httpx2.AsyncClient(timeout=60) as http:
            answer = await http.request(scope["method"], url, content=body, headers=scope["headers"])
        headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _HOP_BY_HOP]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})


@contextmanager
def routing(port: int, auth: str, mcp: str) -> Iterator[None]:
    """A gateway on that port, in a thread of its own."""
    config = uvicorn.Config(Gateway(auth, mcp), port=port, lifespan="off", log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(10)
