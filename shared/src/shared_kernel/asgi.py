"""The little of ASGI that both services need beyond a framework."""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Header = tuple[bytes, bytes]

_ANSWER_HEADERS = "answer_headers"  # in scope["state"]


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
