"""uvicorn's HTTP parser with bounds it lacks: on the size of a request head, and on the time one may take to arrive."""

import asyncio
from asyncio import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 16 * 1024
"""Longest request head (request line and headers, or trailers), in bytes."""
HEAD_SECONDS = 15.0
"""Longest time from the first byte of a request head, or from the connection, to its end."""

_BODY = b'{"error":"invalid_request"}'
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class _HeadRefused(Exception):
    pass


class BoundedHttpProtocol(HttpToolsProtocol):
    """Answers 431 to a head longer than HEAD_LIMIT, and closes a connection whose head is not there in HEAD_SECONDS."""

    _overhead = 0  # bytes since anything but a head or trailers was seen
    _progress = False
    _refused = False
    _deadline: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base class has it
        """A client connected; its first request is awaited from now."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, unless it has been fed too much head already."""
        if self._refused:
            return
        self._progress = False
        super().data_received(data)
        self._overhead = 0 if self._progress else self._overhead + len(data)
        if self._overhead > HEAD_LIMIT and not self._refused:
            self._refuse()

    def on_message_begin(self) -> None:
        """The first byte of a request head arrived."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """The head is complete; it may have arrived at one stroke, so its size is judged here too."""
        self._progress = True
        self._stop_waiting()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_LIMIT:
            self._refused = True
            raise _HeadRefused
        if self.parser.get_http_version() not in {"1.0", "1.1"}:
            raise _HeadRefused
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Bytes of a body arrived; how many it may be is the endpoint's affair."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._progress = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Tells a malformed request from one that is merely too large."""
        if self._refused:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        self._refused = True
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
