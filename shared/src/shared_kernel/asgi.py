"""The little of ASGI that both services need beyond a framework."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Header = tuple[bytes, bytes]

Answer = Callable[[int, Iterable[Header], bytes], bool]
"""Gives the whole answer at once: status, headers, body. False, and nothing is given, where it must be sent instead.

In `scope["extensions"]` under ANSWER, where the server has such a call.
"""
WholeBody = Callable[[], bytes | None]
"""Gives the whole body of the request, if it has arrived; it must be received otherwise.

In `scope["extensions"]` under WHOLE_BODY, where the server has such a call.
"""
EndsItself = Callable[[], None]
"""Says that the application completes its begun answer by itself when it is cancelled, with what tells of that.

In `scope["extensions"]` under ENDS_ITSELF, where the server has such a call. Any other begun answer is cut off instead.
"""
ANSWER, WHOLE_BODY, ENDS_ITSELF = "dynamosql.answer", "dynamosql.whole_body", "dynamosql.ends_itself"
_ANSWER_HEADERS = "answer_headers"  # in scope["state"]


class Prepared(NamedTuple):
    """An answer in its wire form: status line and headers, each with its line end, and the body.

    shared_kernel.http_exchange prepares it.
    """

    status: int
    head: bytes
    body: bytes


AtOnce = Callable[[Scope], Prepared | None]
"""Gives the answer to a request without a body; None where that takes waiting, or anything but the answer.

An application that can has it as `at_once`. It may be asked the same again as it is called.
"""


class BodyTooLarge(Exception):
    """The request body is longer than the caller is willing to read."""


class ClientDisconnected(Exception):
    """The peer went away before the body was complete."""


def answer_headers(scope: Scope) -> list[Header]:
    """The headers that every answer to this request is to have, whoever writes it: the request log adds them all.

    Whoever knows of another one appends it, which costs less than to stand between the application and its answers.
    """
    headers: list[Header] = scope.setdefault("state", {}).setdefault(_ANSWER_HEADERS, [])
    return headers


def at_once_of(app: App) -> AtOnce:
    """How the application answers at once; one that never does, does not say."""
    at_once: AtOnce = getattr(app, "at_once", _not_at_once)
    return at_once


def _not_at_once(_scope: Scope) -> None:
    return None


def body_at_once(scope: Scope) -> bytes | None:
    """The whole request body, if it has arrived and the server can tell; None where it must be read."""
    whole_body: WholeBody | None = scope.get("extensions", {}).get(WHOLE_BODY)
    return whole_body() if whole_body is not None else None


async def send_answer(scope: Scope, send: Send, status: int, headers: Iterable[Header], body: bytes) -> None:
    """Gives a whole answer: in one call where the server has one, else in two messages."""
    answer: Answer | None = scope.get("extensions", {}).get(ANSWER)
    if answer is None or not answer(status, headers, body):
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def ends_itself(scope: Scope) -> None:
    """See EndsItself."""
    mark: EndsItself | None = scope.get("extensions", {}).get(ENDS_ITSELF)
    if mark is not None:
        mark()


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
