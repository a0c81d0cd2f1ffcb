"""The HTTP response to one JSON-RPC request: one JSON document, or an event stream once anything went ahead of it."""

import asyncio
from typing import Any

import msgspec

from shared_kernel.asgi import Scope, Send, ends_itself, send_answer

_JSON = [(b"content-type", b"application/json")]
_EVENT_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_PING = b": ping\r\n\r\n"


class Response:
    """The response; `streams` says whether its client reads event streams."""

    def __init__(self, scope: Scope, send: Send, *, streams: bool) -> None:
        self._scope, self._send, self.streams, self._begun = scope, send, streams, False
        self._turn = asyncio.Lock()

    async def ping(self) -> None:
        """Breaks the silence, if the client reads event streams."""
        if self.streams:
            await self._stream(_PING)

    async def message(self, document: dict[str, Any]) -> None:
        """Sends a JSON-RPC message ahead of the reply; dropped if the client reads no event streams."""
        if self.streams:
            await self._stream(_event(document))

    async def end(self, status: int, document: dict[str, Any]) -> None:
        """Sends the reply."""
        async with self._turn:
            if self._begun:
                await self._send({"type": "http.response.body", "body": _event(document)})
            else:
                body = msgspec.json.encode(document)
                headers = [*_JSON, (b"content-length", b"%d" % len(body))]
                await send_answer(self._scope, self._send, status, headers, body)

    async def _stream(self, body: bytes) -> None:
        async with self._turn:
            if not self._begun:
                ends_itself(self._scope)  # Exchange sends an error as its last event when the service cuts the call
                await self._send({"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM})
                self._begun = True
            await self._send({"type": "http.response.body", "body": body, "more_body": True})


def _event(document: dict[str, Any]) -> bytes:
    return b"event: message\r\ndata: " + msgspec.json.encode(document) + b"\r\n\r\n"
