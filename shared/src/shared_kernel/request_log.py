"""The log line of every request."""

import re
from collections.abc import Iterable, Mapping

import structlog

from shared_kernel.asgi import (
    ANSWER,
    App,
    Header,
    Message,
    Prepared,
    Receive,
    Scope,
    Send,
    answer_headers,
    at_once_of,
    send_json,
)
from shared_kernel.client_address import client_address
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy
from shared_kernel.logs import REQUEST_ID
from shared_kernel.redaction import PREFIXES
from shared_kernel.request_id import new_request_id

# Not in the form of our own secrets: the id is logged.
_CALLERS_ID = re.compile(rf"(?!{PREFIXES})[A-Za-z0-9._-]{{8,64}}")

_log = structlog.get_logger("http")


class RequestLog:
    """Gives every request an id, logs it as one line, and answers a crash with a plain 500.

    The line never holds the query or a header. After an answer has begun, a crash only cuts the connection.

    The id is in `scope["state"]["request_id"]`, in the log context as `request_id`, and in the `X-Request-Id` response
    header; with it go the other `answer_headers` of the request. It is always our own, or a caller could give one
    request the id of another; a well-formed `X-Request-Id` of the request stands beside it in the line, as `caller_id`.
    """

    def __init__(self, app: App, *, clock: Clock, entropy: Entropy) -> None:
        self._app, self._clock, self._entropy = app, clock, entropy
        self._at_once = at_once_of(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection scope."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        caller_id = _callers_id(scope)
        request_id = new_request_id(self._clock.now(), self._entropy)
        headers = answer_headers(scope)
        headers.append((b"x-request-id", request_id.encode()))
        scope["state"]["request_id"] = request_id
        status, complete = 0, False
        started = self._clock.monotonic()

        async def send_logged(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *headers]}
            elif message["type"] == "http.response.body":
                complete = not message.get("more_body", False)
            await send(message)

        extensions = scope.get("extensions")
        if extensions and ANSWER in extensions:
            answer = extensions[ANSWER]

            def answer_logged(given: int, own: Iterable[Header], body: bytes) -> bool:
                nonlocal status, complete
                if not answer(given, [*own, *headers], body):
                    return False
                status, complete = given, True
                return True

            extensions[ANSWER] = answer_logged
        context = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, send_logged)
        except Exception:
            _log.exception("request_crashed", method=scope["method"], path=scope["path"])
            if status and not complete:
                raise  # the answer is under way; let the server cut the connection
            if not status:
                await send_json(send_logged, 500, {"error": "server_error", "request_id": request_id})
        finally:
            self._tell(scope, status, started, caller_id)
            REQUEST_ID.reset(context)
        return None

    def at_once(self, scope: Scope) -> Prepared | None:
        """The answer that is ready before it is asked for, with the request's id, and logged as any other."""
        started = self._clock.monotonic()
        try:
            answer = self._at_once(scope)
        except Exception:  # it is met again where it can be told
            return None
        if answer is None:
            return None
        request_id = new_request_id(self._clock.now(), self._entropy)
        context = REQUEST_ID.set(request_id)
        self._tell(scope, answer.status, started, _callers_id(scope))
        REQUEST_ID.reset(context)
        return Prepared(answer.status, b"%bx-request-id: %b\r\n" % (answer.head, request_id.encode()), answer.body)

    def _tell(self, scope: Scope, status: int, started: float, caller_id: Mapping[str, str]) -> None:
        _log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round((self._clock.monotonic() - started) * 1000, 1),
            address=client_address(scope),
            **caller_id,
        )


def _callers_id(scope: Scope) -> dict[str, str]:
    """What the caller calls the request, if it says so."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1").strip(" \t")
            return {"caller_id": given} if _CALLERS_ID.fullmatch(given) else {}
    return {}
