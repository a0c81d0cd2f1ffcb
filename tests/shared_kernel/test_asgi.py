"""The ASGI helpers, driven by hand-written messages: what a hostile client sends is at most a clear error."""

import json
from collections.abc import Sequence

import pytest

from shared_kernel.asgi import BodyTooLarge, ClientDisconnected, Message, Receive, header_values, read_body, send_json

pytestmark = pytest.mark.anyio


def receiving(messages: Sequence[Message]) -> Receive:
    """Hands out the messages in turn; asking for more fails the test."""
    remaining = iter(messages)

    async def receive() -> Message:
        return next(remaining)

    return receive


def chunk(body: bytes, more: bool) -> Message:
    """A part of a request body."""
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_is_put_together_from_its_chunks() -> None:
    chunks = [chunk(b"ab", True), {"type": "http.request", "more_body": True}, chunk(b"cd", False)]
    assert await read_body(receiving(chunks), 4) == b"abcd"


async def test_a_request_without_body_has_an_empty_one() -> None:
    assert await read_body(receiving([{"type": "http.request"}]), 0) == b""


async def test_a_body_is_refused_at_the_byte_that_is_too_many() -> None:
    """The rest is not read: the next receive() would fail the test."""
    with pytest.raises(BodyTooLarge):
        await read_body(receiving([chunk(b"ab", True), chunk(b"abc", True)]), 4)


async def test_a_client_that_leaves_in_the_middle_is_told_apart_from_an_empty_body() -> None:
    with pytest.raises(ClientDisconnected):
        await read_body(receiving([chunk(b"ab", True), {"type": "http.disconnect"}]), 4)


def test_header_values_are_all_found_and_stripped_of_optional_white_space() -> None:
    """RFC 9110 §5.5: white space round a field value is not part of it."""
    headers = [(b"x-a", b" 1\t"), (b"x-a", b"2"), (b"x-b", b"3"), (b"x-a", b"\xff")]
    assert header_values({"headers": headers}, "X-a") == ["1", "2", "ÿ"]
    assert header_values({"headers": headers}, "x-c") == []


async def test_a_json_answer_states_its_type_and_length() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await send_json(send, 201, {"a": "é"}, [("X-Other", "yes")])
    start, body = sent
    assert start["status"] == 201
    assert dict(start["headers"]) == {
        b"content-type": b"application/json",
        b"content-length": str(len(body["body"])).encode(),
        b"x-other": b"yes",
    }
    assert json.loads(body["body"]) == {"a": "é"}
