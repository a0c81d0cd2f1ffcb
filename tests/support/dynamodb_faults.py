"""An HTTP proxy in front of a DynamoDB, on the test's own event loop, that makes requests fail as a network does."""

import asyncio
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """A request to DynamoDB, as it came."""

    operation: str
    head: bytes
    body: bytes

    @property
    def parameters(self) -> dict[str, Any]:
        """What is asked."""
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens instead of an answer.

    `answer` is sent, with that status and with its checksum, or with another one ("" for none); None closes the
    connection, or leaves it open if `stalls`. A request that `passes` has been carried out before, and the answer is
    what gets lost. One that is `held` only has to wait for that event, and for what comes `then`.
    """

    answer: bytes | None = None
    status: int = 400
    checksum: str | None = None
    passes: bool = False
    stalls: bool = False
    held: asyncio.Event | None = None
    then: "Fault | None" = None


def refusal(code: str, **more: Any) -> Fault:
    """DynamoDB refuses."""
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "refused", **more}
    return Fault(json.dumps(error).encode(), 500 if code == "InternalServerError" else 400)


LOST = Fault(passes=True)
"""The request is carried out, and its answer lost."""
CUT = Fault()
"""The connection ends instead."""
STALLED = Fault(stalls=True)
"""No answer ever comes."""
CONFLICT = refusal("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}])
ITEM_CONFLICT = refusal("TransactionConflictException")
THROTTLED = refusal("ProvisionedThroughputExceededException")

Rule = Callable[[Request], Fault | None]


def _is_set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class FaultyDynamoDb:
    """`rule` says for each request which fault it meets; `requests` are those that came.

    `carried_out` are the bodies of DynamoDB's answers, also of those that nobody waited for any more; `most_at_once` is
    how many requests it had to answer at a time. `ended` holds when no connection is open.
    """

    endpoint_url: str = ""
    rule: Rule = field(default=lambda _: None)
    requests: list[Request] = field(default_factory=list)
    carried_out: list[bytes] = field(default_factory=list)
    most_at_once: int = 0
    ended: asyncio.Event = field(default_factory=_is_set)

    def fail(self, fault: Fault, *operations: str, times: int = 1_000_000) -> None:
        """So many of the next requests of these operations meet the fault; without operations, of any."""
        left = Counter(times=times)

        def rule(request: Request) -> Fault | None:
            if operations and request.operation not in operations:
                return None
            left["times"] -= 1
            return fault if left["times"] >= 0 else None

        self.rule = rule

    def recover(self) -> None:
        """No request fails any more."""
        self.rule = lambda _: None


@asynccontextmanager
async def faulty(upstream_url: str) -> AsyncIterator[FaultyDynamoDb]:
    """A proxy in front of that endpoint."""
    upstream = urlsplit(upstream_url)
    proxy = FaultyDynamoDb()
    tasks: set[asyncio.Task[Any]] = set()
    forwarding: set[int] = set()

    async def forwarded(request: Request) -> bytes:
        forwarding.add(id(request))
        proxy.most_at_once = max(proxy.most_at_once, len(forwarding))
        reader, writer = await asyncio.open_connection(upstream.hostname, upstream.port)
        try:
            writer.write(request.head + request.body)
            head, body = await _message(reader)
            proxy.carried_out.append(body)
            return head + body
        finally:
            forwarding.discard(id(request))
            writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        proxy.ended.clear()
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                while await served(reader, writer):
                    pass
        finally:
            tasks.discard(task)
            writer.close()
            if not tasks:
                proxy.ended.set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serves a request; False if the connection is to end."""
        head, body = await _message(reader)
        target = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"x-amz-target:"))
        request = Request(target.rpartition(b".")[2].decode(), head, body)
        proxy.requests.append(request)
        fault = proxy.rule(request)
        if fault and fault.held:
            await fault.held.wait()
            fault = fault.then
        if fault is None:
            writer.write(await forwarded(request))
        else:
            if fault.passes:
                await forwarded(request)
            if fault.stalls:
                await reader.read()
            if fault.answer is None:
                return False
            writer.write(_response(fault, fault.answer))
        await writer.drain()
        return True

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    proxy.endpoint_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of a message with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (
        int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    return head, await reader.readexactly(length)


def _response(fault: Fault, body: bytes) -> bytes:
    checksum = str(zlib.crc32(body)) if fault.checksum is None else fault.checksum
    lines = [
        f"HTTP/1.1 {fault.status} Answer",
        "content-type: application/x-amz-json-1.0",
        f"content-length: {len(body)}",
        *([f"x-amz-crc32: {checksum}"] if checksum else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
