"""The headers that let pages of other origins read an answer."""

from collections.abc import Iterable
from typing import Any

import pytest

from mcp_server.web.cross_origin import CrossOrigin
from shared_kernel.asgi import ANSWER, Header, Message, Receive, Scope, Send, send_answer

pytestmark = pytest.mark.anyio

OWN = [(b"content-type", b"application/json"), (b"content-length", b"2")]


async def answering(scope: Scope, _receive: Receive, send: Send) -> None:
    """Gives its answer in one call where it can."""
    await send_answer(scope, send, 200, OWN, b"{}")


async def nothing() -> Message:
    """Nothing arrives."""
    raise AssertionError


@pytest.mark.parametrize(
    "origin", [None, b"https://app.example", b"http://localhost:6274", b"https://evil.example", b""]
)
async def test_an_answer_in_one_call_has_the_headers_that_starlette_adds_to_messages(origin: bytes | None) -> None:
    """We chose it: the two ways to answer differ in nothing."""
    app = CrossOrigin(
        answering,
        allow_origins=["https://app.example"],
        allow_origin_regex=r"(http://localhost):[0-9]+",
        expose_headers=("X-Request-Id", "Retry-After"),
    )
    headers = [] if origin is None else [(b"origin", origin)]
    sent: list[Any] = []

    async def send(message: Message) -> None:
        sent.append(message)

    def answer(status: int, given: Iterable[Header], body: bytes) -> bool:
        sent.append((status, list(given), body))
        return True

    await app({"type": "http", "method": "POST", "headers": headers}, nothing, send)
    scope = {"type": "http", "method": "POST", "headers": headers, "extensions": {ANSWER: answer}}
    await app(scope, nothing, send)
    start, body, whole = sent
    assert (start["status"], list(start["headers"]), body["body"]) == whole
    assert start["headers"][:2] == OWN
