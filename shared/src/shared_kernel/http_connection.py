"""One HTTP/1.1 connection: uvicorn's httptools protocol, with the bounds it lacks and an end that cuts off nobody.

uvicorn reads request heads of any size for as long as a client likes, queues pipelined requests without limit, reads
the rest of a body whose request has been answered, and closes a connection without a look at what has just arrived.
"""

import asyncio
from asyncio import TimerHandle
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from shared_kernel.asgi import ANSWER, ENDS_ITSELF, WHOLE_BODY, App, AtOnce, Scope, at_once_of
from shared_kernel.http_exchange import Exchange
from shared_kernel.http_transport import Flow, LingeringTransport, has_arrived

HEAD_LIMIT = 16 * 1024
"""Longest request head (request line and headers, or trailers), in bytes."""
HEAD_SECONDS = 15.0
"""Longest time from the first byte of a request head, or from the connection, to its end."""
PIPELINE_LIMIT = 4
"""Most requests that wait on one connection while another is answered; beyond them nothing is parsed or read."""
LINGER_BYTES = 4 * 1024 * 1024
"""Most bytes of a body that are read, and dropped, after its request was answered."""
LINGER_SECONDS = 5.0
"""Longest time that such a body is read, so that its sender finds the answer before the connection closes."""
SETTLE_SECONDS = 0.2
"""How long an idle connection may still bring a request when the service stops."""
STOPPING = "stopping"
"""In `scope["state"]` of every request that arrives after the service was asked to stop."""
ON_STOPPING = "on_stopping"
"""What an application's lifespan puts into its state to be called when the service is asked to stop."""

_WITH_MORE = frozenset({b"content-length", b"transfer-encoding", b"upgrade", b"expect"})
"""Headers of requests whose head is not all."""
_HEAD_END = b"\r\n\r\n"  # llhttp is strict: no head ends otherwise


def _answer(status_line: bytes, document: bytes, *headers: bytes) -> bytes:
    fixed = (b"connection: close", b"content-type: application/json", b"content-length: %d" % len(document))
    return b"\r\n".join((b"HTTP/1.1 " + status_line, *fixed, *headers, b"", document))


_TOO_LARGE = _answer(b"431 Request Header Fields Too Large", b'{"error":"invalid_request"}')
_CUT = _answer(b"503 Service Unavailable", b'{"error":"temporarily_unavailable"}', b"retry-after: 1")


class _HeadRefused(Exception):
    pass


class BoundedHttpProtocol(HttpToolsProtocol):
    """Bounds heads (431, or closed after HEAD_SECONDS), pipelined requests and unread bodies of one connection.

    An answer that starts before its request is complete says `Connection: close`, and so does every answer once the
    service is stopping.
    """

    flow: Flow
    _at_once: AtOnce
    _sole_head = False  # what is fed to the parser holds one head at most
    _answered = False  # the request that is being parsed has been answered at once
    _idle_since: float | None = None
    _overhead = 0  # bytes since anything but a head or trailers was seen
    _fed = 0  # bytes that are being parsed
    _progress = False
    _refused = False
    _deadline: TimerHandle | None = None
    _last_read = False  # the head is overdue, and the bytes that have arrived are being read
    _head_begun = False
    _reusable = True  # whether the connection may outlive the request that is being parsed
    _active: Exchange | None = None  # the oldest request without a complete answer, then the last answered
    _unparsed = b""
    _unparsed_from = 0
    _lingering: int | None = None  # bytes that may still be dropped
    _ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as the base class has it
        """A client connected; its first request is awaited from now."""
        super().connection_made(transport)
        self._at_once = at_once_of(cast("App", self.app))
        self.flow = Flow(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stop_waiting()
        self._unparsed = b""
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feeds the parser as much as may be queued; keeps the rest, and reads no further, until there is room."""
        if self._lingering is not None:
            self._lingering -= len(data)
            if self._lingering < 0:
                self.transport.close()
        elif self.flow.full or data.count(_HEAD_END) > 1:
            self._unparsed = self._unparsed[self._unparsed_from :] + data
            self._unparsed_from = 0
            self._feed_unparsed()
        else:
            self._sole_head = True
            self._feed(data)
            self._sole_head = False
            self._regulate()

    def _feed_unparsed(self) -> None:
        """Feeds head by head, so that not one request more than PIPELINE_LIMIT is queued."""
        while self._unparsed and len(self.pipeline) < PIPELINE_LIMIT and not self.transport.is_closing():
            end = self._unparsed.find(_HEAD_END, self._unparsed_from)
            stop = len(self._unparsed) if end < 0 else end + len(_HEAD_END)
            piece = self._unparsed[self._unparsed_from : stop]
            self._unparsed_from = stop
            if stop == len(self._unparsed):
                self._unparsed, self._unparsed_from = b"", 0
            self._feed(piece)
        self._regulate()

    def _regulate(self) -> None:
        full = bool(self._unparsed) or len(self.pipeline) >= PIPELINE_LIMIT
        if full and not self.flow.full:
            self.flow.pause_reading()
            self.flow.full = True
        elif self.flow.full and not full:
            self.flow.full = False
            self.flow.resume_reading()

    def _feed(self, data: bytes) -> None:
        if self._refused:
            return
        self._progress, self._fed = False, len(data)
        super().data_received(data)
        # A head that came in one piece is complete by now. Line feeds before one begin none (RFC 9112 §2.2), but end
        # the wait for a next request.
        if self._head_begun or not (self._progress or self._busy()):
            self._await_head()
        self._overhead = 0 if self._progress else self._overhead + len(data)
        if self._overhead > HEAD_LIMIT and not self._refused:
            self._refuse()
        if self._last_read and self._deadline is not None:
            self.transport.close()
        if self.cycle is not None and self.cycle.more_body:
            self.cycle.transport = LingeringTransport(self.transport, self.linger)

    def on_message_begin(self) -> None:
        """The first byte of a request head arrived."""
        super().on_message_begin()
        self._head_begun = True

    def on_headers_complete(self) -> None:
        """The head is complete; it may have arrived in one read, so its size is checked here too."""
        self._progress = True
        self._head_begun = False
        self._stop_waiting()
        if self._overhead + self._fed > HEAD_LIMIT and self._head_size() > HEAD_LIMIT:
            self._refused = True
            raise _HeadRefused
        version = self.parser.get_http_version()
        if version not in {"1.0", "1.1"}:
            raise _HeadRefused
        self._reusable = version == "1.1" and self.parser.should_keep_alive() and STOPPING not in self.app_state
        self._describe(version)
        if not self._answer_at_once():
            self._begin_exchange()
        # RFC 9110 §6.5.1: trailers are no headers. The parser hands them over as if they were: to nobody, from now on.
        self.headers = []

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _describe(self, version: str) -> None:
        """Completes the scope of the request whose head has been read."""
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = url.path
        self.scope["query_string"] = url.query or b""

    def _answer_at_once(self) -> bool:
        """Answers the request without a task, if the application can, and nothing is to be waited for."""
        before = self.cycle
        if not self._sole_head or not self._reusable or self.flow.write_paused:
            return False
        if (before is not None and not before.response_complete) or not _WITH_MORE.isdisjoint(dict(self.headers)):
            return False
        answer = self._at_once(cast("Scope", self.scope))
        if answer is None:
            return False
        self._answered = True
        self.transport.write(b"%b\r\n%b" % (answer.head, answer.body))
        return True

    def _begin_exchange(self) -> None:
        """Answers the request, after those that came before it."""
        before = self.cycle
        self.cycle = exchange = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            # Until the request is complete: who answers before that must not leave its body to be read without end.
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        cast("Scope", self.scope)["extensions"] = {
            ANSWER: exchange.answer,
            WHOLE_BODY: exchange.whole_body,
            ENDS_ITSELF: exchange.ends_itself,
        }
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Bytes of a body arrived; the endpoint bounds how many."""
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete."""
        self._progress = True
        if self._answered:
            self._answered = False
            self.server_state.total_requests += 1
            self._rest()
            return
        if not self.cycle.response_started:
            self.cycle.keep_alive = self._reusable
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered; the next one that waits is started."""
        if self._lingering is not None:
            self.server_state.total_requests += 1
            return
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._rest()
        if self.flow.full:
            self._feed_unparsed()
        if self._ending:
            self._close_once_idle()

    def _unset_keepalive_if_required(self) -> None:
        """A request has come. The timer stays: to look at a clock costs less than to set a timer for each request."""
        self._idle_since = None

    def _rest(self) -> None:
        """No request is under way."""
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._look_at_idleness)

    def _look_at_idleness(self) -> None:
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            self.timeout_keep_alive_handler()
        else:
            self.timeout_keep_alive_task = self.loop.call_later(left, self._look_at_idleness)

    def send_400_response(self, msg: str) -> None:
        """Answers 431 to a head that is too large, 400 to a malformed one."""
        if self._refused:
            self._refuse()
        else:
            super().send_400_response(msg)

    def linger(self) -> None:
        """Closes after the last answer; while its request's body still arrives, only once the sender had time to read.

        To close with bytes unread resets the connection, and a reset can overtake the answer.
        """
        if self.cycle.more_body and self._lingering is None and not self._ending:
            self._lingering = LINGER_BYTES
            self.loop.call_later(LINGER_SECONDS, self.transport.close)
            self.flow.resume_reading()
        else:
            self.transport.close()

    def leave(self) -> None:
        """The service is about to stop: the next answer is the last one on this connection."""
        self._reusable = False
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Closes as soon as every request that has arrived is answered, and SETTLE_SECONDS brought no other."""
        self._ending = True
        self.leave()
        if self._lingering is not None:
            self.transport.close()
        elif not self._busy():
            self.loop.call_later(SETTLE_SECONDS, self._close_once_idle)

    def cut_begun(self) -> None:
        """Aborts a begun answer that its application would not end as one that was cut.

        What it still sends is dropped: half an answer must not look whole.
        """
        if self._active is not None and not self._active.ended_by_application:
            self._abort_begun(self._active)

    def cut(self) -> None:
        """Ends the connection at once: a begun answer is aborted, a request without an answer gets a 503."""
        cycle = self._active
        if cycle is not None:
            self._abort_begun(cycle)
            if not cycle.response_started and not cycle.disconnected:
                self._disconnect(cycle)
                self.transport.write(_CUT)
        self.transport.close()

    def _abort_begun(self, cycle: Exchange) -> None:
        if cycle.response_started and not cycle.response_complete:
            self._disconnect(cycle)
            self.transport.abort()

    @staticmethod
    def _disconnect(cycle: RequestResponseCycle) -> None:
        cycle.disconnected = True
        cycle.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._active = cast("Exchange", cycle)

        async def cancellable(scope: Any, receive: Any, send: Any) -> None:
            try:
                await app(scope, receive, send)
            except asyncio.CancelledError:  # the service ends; the application may have answered that by itself
                if not cycle.response_complete:
                    self.cut()

        super()._start_asgi_task(cycle, cancellable)

    def _busy(self) -> bool:
        answering = self._active is not None and not self._active.response_complete
        return answering or self._head_begun or bool(self._unparsed)

    def _close_once_idle(self) -> None:
        if self.transport.is_closing() or self._busy():
            return
        if has_arrived(self.transport):
            self.loop.call_later(SETTLE_SECONDS, self._close_once_idle)
        else:
            self.transport.close()

    def _refuse(self) -> None:
        self._refused = True
        if not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self._head_overdue)

    def _head_overdue(self) -> None:
        """Closes, unless we are the slow side: not reading at present, or too busy to have read what is there."""
        self._deadline = None
        if self.flow.read_paused:
            self._await_head()
        elif not self._last_read and has_arrived(self.transport):
            self._last_read = True
            self._await_head()
        else:
            self.transport.close()

    def _stop_waiting(self) -> None:
        self._last_read = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
