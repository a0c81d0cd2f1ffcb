"""The little of ASGI that both services need beyond a framework."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import structlog

from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy
from shared_kernel.logs import REQUEST_ID

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Not in the form of our own secrets: the id is logged.
_REQUEST_ID = re.compile(r"(?!(?:ac|rt|cs|ses|brw|txn)_)[A-Za-z0-9._-]{8,64}")
_log = structlog.get_logger("http")


class BodyTooLarge(Exception):
    """The request body is longer than the caller is willing to read."""


class ClientDisconnected(Exception):
    """The peer went away before the body was complete."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole request body, at most `limit` bytes. Raises BodyTooLarge, ClientDisconnected."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnected
        body += message.get("body", b"")
        if len(body) > limit:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return bytes(body)


def header_values(scope: Scope, name: str) -> list[str]:
    """All values of a request header, optional white space stripped (httptools leaves it round values)."""
    wanted = name.lower().encode("ascii")  # ASGI: names in a scope are lower case
    return [value.decode("latin-1").strip(" \t") for key, value in scope["headers"] if key == wanted]


async def send_json(send: Send, status: int, document: Any, headers: Iterable[tuple[str, str]] = ()) -> None:
    """Answers with one JSON document."""
    body = json.dumps(document, separators=(",", ":")).encode()
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    more = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *more]})
    await send({"type": "http.response.body", "body": body})


class RequestLog:
    """Gives every request an id, logs it as one line, and answers a crash with a plain 500.

    The line never holds the query or a header. After an answer has begun, a crash only cuts the connection.

    The id is in `scope["state"]["request_id"]`, in the log context as `request_id`, and in the `X-Request-Id` response
    header; a well-formed `X-Request-Id` of the request is kept.
    """

    def __init__(self, app: App, *, clock: Clock, entropy: Entropy) -> None:
        self._app, self._clock, self._entropy = app, clock, entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection scope."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id = ""
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value.decode("latin-1").strip(" \t")
                break
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = self._entropy.token(96)
        scope.setdefault("state", {})["request_id"] = request_id
        id_header = (b"x-request-id", request_id.encode())
        status, complete = 0, False
        started = self._clock.monotonic()

        async def send_with_id(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], id_header]}
            elif message["type"] == "http.response.body":
                complete = not message.get("more_body", False)
            await send(message)

        context = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            _log.exception("request_crashed", method=scope["method"], path=scope["path"])
            if status and not complete:
                raise  # the answer is under way; let the server cut the connection
            if not status:
                await send_json(send_with_id, 500, {"error": "server_error", "request_id": request_id})
        finally:
            milliseconds = round((self._clock.monotonic() - started) * 1000, 1)
            _log.info("request", method=scope["method"], path=scope["path"], status=status, ms=milliseconds)
            REQUEST_ID.reset(context)
        return None
