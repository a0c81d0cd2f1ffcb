"""The HTTP server both services run in: uvicorn, with bounds it lacks and an end that is quiet.

uvicorn's httptools parser takes request heads of any size, for as long as a client likes. BoundedHttpProtocol does not.
"""

import asyncio
import signal
import socket
from asyncio import TimerHandle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared_kernel.asgi import App

HEAD_LIMIT = 16 * 1024
"""Longest request head (request line and headers, or trailers), in bytes."""
HEAD_SECONDS = 15.0
"""Longest time from the first byte of a request head, or from the connection, to its end."""
KEEP_ALIVE_SECONDS = 75
"""Longer than common load balancers keep an idle connection, so that they end it and not we, in mid-request."""

_BODY = b'{"error":"invalid_request"}'
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class CannotListen(Exception):
    """The address cannot be had; the text is one line for the operator."""


def listen(host: str, port: int, prefix: str) -> socket.socket:
    """A socket bound to the address; `prefix` is that of the settings to name. Raises CannotListen."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        message = f"cannot listen on {host}:{port}: {error.strerror}; free it, or set {prefix}HOST and {prefix}PORT"
        raise CannotListen(message) from error
    return listener


async def serve(
    app: App,
    listener: socket.socket,
    *,
    lifespan: Literal["on", "off"],
    shutdown_seconds: int,
    forwarders: Sequence[str] = (),
) -> None:
    """Serves until SIGTERM or SIGINT, then answers what is under way, for at most `shutdown_seconds`.

    `forwarders` are the networks of proxies whose `X-Forwarded-For` replaces the peer's address.
    """
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        log_level="error",  # our own lines tell the rest; its warnings are written by whoever sends nonsense
        access_log=False,
        server_header=False,
        proxy_headers=bool(forwarders),
        forwarded_allow_ips=list(forwarders),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=shutdown_seconds,
    )
    await Server(config).serve(sockets=[listener])


class Server(uvicorn.Server):
    """Ends quietly on a signal, after what is under way; uvicorn would raise the signal anew, and so end in failure."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handles the signals while it serves."""
        loop = asyncio.get_running_loop()
        handled = (signal.SIGINT, signal.SIGTERM)
        for number in handled:
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Ends the service; a second time, without waiting for anything."""
        # Not `handle_exit`: sse-starlette has put into it that every event stream is cut off at once.
        self.force_exit = self.should_exit
        self.should_exit = True


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
