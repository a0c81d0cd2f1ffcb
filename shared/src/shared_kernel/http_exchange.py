"""One request and its answer on a connection: uvicorn's cycle, with an answer that goes out in one piece.

uvicorn writes the head of an answer and then its body, and matches every header with two patterns. Here the head waits
for the first bytes of the body, though for no longer than the event loop takes to come round, and is searched once.

An application that has the whole answer may give it in one call, and take the whole body of a request in one, instead
of in ASGI's messages: see shared_kernel.asgi.
"""

import asyncio
from asyncio import Handle
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from uvicorn.protocols.http.httptools_impl import HEADER_RE, STATUS_LINE, RequestResponseCycle

from shared_kernel.asgi import Prepared

_LINE_END = b"\r\n"
_NO_BODY = frozenset({204, 304})


def prepared(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Prepared:
    """An answer with these headers, the length of its body among them. Raises RuntimeError as Exchange.send does."""
    lines, _length, _closes = _lines(status, headers)
    return Prepared(status, _joined(lines), body)


class Exchange(RequestResponseCycle):
    """A request that is being answered.

    `send` raises RuntimeError, as uvicorn's does, where the application breaks ASGI's order, sends more or less than it
    has announced, or gives a header that would end its line.
    """

    ended_by_application = False  # also when it is cancelled: see shared_kernel.asgi.EndsItself
    _head: bytes | None = None  # of an answer that has begun, until it is written
    _flush: Handle | None = None

    async def send(self, message: Any) -> None:
        """Takes one message of the application's."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if self.response_complete or kind != f"http.response.{'body' if self.response_started else 'start'}":
            text = f"{kind} was sent out of order"
            raise RuntimeError(text)
        if self.response_started:
            self._go_on(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))
            self._flush = asyncio.get_running_loop().call_soon(self._write, b"")

    def answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """See shared_kernel.asgi.Answer."""
        if self.flow.write_paused or self.disconnected or self.response_started:
            return False
        self._begin(status, headers)
        self._go_on(body, more=False)
        return True

    def whole_body(self) -> bytes | None:
        """See shared_kernel.asgi.WholeBody."""
        if self.more_body or self.disconnected or self.response_complete:
            return None
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return body

    def ends_itself(self) -> None:
        """See shared_kernel.asgi.EndsItself."""
        self.ended_by_application = True

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        lines, length, closes = _lines(status, [*self.default_headers, *headers])
        if not closes and not self.keep_alive:
            lines.append(b"connection: close")
        chunked = length is None and self.scope["method"] != "HEAD" and status not in _NO_BODY
        if chunked:
            lines.append(b"transfer-encoding: chunked")
        head = _joined(lines)
        self.response_started = True
        self.waiting_for_100_continue = False
        self.keep_alive = self.keep_alive and not closes
        self.chunked_encoding = chunked
        self.expected_content_length = int(length or 0)
        self._head = head + _LINE_END

    def _go_on(self, body: bytes, *, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body, self.expected_content_length = b"", 0
        elif self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            body = chunk if more else chunk + b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
        if self.expected_content_length < 0 or (self.expected_content_length and not more):
            raise RuntimeError("the body is not as long as its content-length")
        self._write(body)
        if more:
            return
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _write(self, data: bytes) -> None:
        if self._head is not None:
            data, self._head = self._head + data, None
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if data and not self.transport.is_closing():
            self.transport.write(data)


def _lines(status: int, headers: Iterable[tuple[bytes, bytes]]) -> tuple[list[bytes], bytes | None, bool]:
    """The lines of a head, the length that it announces, and whether it ends the connection."""
    lines = [STATUS_LINE[status].removesuffix(_LINE_END)]
    length: bytes | None = None
    closes = False
    for given, value in headers:
        name = _name(given)
        if name == b"content-length":
            length = value
        elif name == b"connection":
            closes = closes or b"close" in value.lower()
        lines.append(name + b": " + value)
    return lines, length, closes


def _joined(lines: list[bytes]) -> bytes:
    """The lines with their ends. Raises RuntimeError where one of them holds another."""
    lines.append(b"")
    head = _LINE_END.join(lines)
    ends = len(lines) - 1
    # RFC 9110 §5.5: "Field values containing CR, LF, or NUL characters are invalid and dangerous"
    if head.count(_LINE_END) != ends or head.count(b"\r") != ends or head.count(b"\n") != ends or b"\0" in head:
        raise RuntimeError("a header would end its line")
    return head


@lru_cache(maxsize=256)
def _name(name: bytes) -> bytes:
    """A header's name in lower case. Raises RuntimeError for what is none."""
    if not name or HEADER_RE.search(name):
        raise RuntimeError("a header has a name that is none")
    return name.lower()
