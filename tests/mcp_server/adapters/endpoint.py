"""A scripted DynamoDB endpoint: real HTTP for the real client, answers of the test's choosing."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, sent once `held` is set. `body` is sent as JSON unless it is bytes."""

    body: Body | bytes
    status: int = 200
    checksum: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    held: asyncio.Event | None = None


class Endpoint:
    """Answers every request with `script(operation, request)`.

    None leaves the caller waiting, and ConnectionError closes the connection.
    """

    def __init__(self, script: Callable[[str, Body], Answer | None]) -> None:
        self.script = script
        self.requests: list[tuple[str, Body]] = []
        self.heads: list[dict[str, str]] = []
        """The headers of every request, by lower-case name."""
        self.bodies: list[bytes] = []
        self.connections = 0
        self.agents = set[str]()
        """Who the requests say they come from."""
        self.dropped = 0
        """Requests whose client went away before the answer."""
        self.changed = asyncio.Condition()
        self.url = ""

    async def wait_until(self, ready: Callable[[], bool]) -> None:
        """Returns once `ready` holds, looked at after every request and every drop."""
        async with self.changed:
            await self.changed.wait_for(ready)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while (head := await self._head(reader)) is not None:
                operation, length = head
                self.bodies.append(await reader.readexactly(length))
                request = json.loads(self.bodies[-1])
                async with self.changed:
                    self.requests.append((operation, request))
                    self.changed.notify_all()
                answer = self.script(operation, request)
                if answer is None:
                    await reader.read(1)
                    async with self.changed:
                        self.dropped += 1
                        self.changed.notify_all()
                    return
                if answer.held is not None:
                    await answer.held.wait()
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                writer.write(
                    f"HTTP/1.1 {answer.status} X\r\nContent-Type: application/x-amz-json-1.0\r\n"
                    f"Content-Length: {len(body)}\r\n".encode()
                    + "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items()).encode()
                    + (b"" if answer.checksum is None else f"x-amz-crc32: {answer.checksum}\r\n".encode())
                    + b"\r\n"
                    + body
                )
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> tuple[str, int] | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        fields = {name.lower(): value for name, value in pairs}
        self.heads.append(fields)
        self.agents.add(fields["user-agent"].lower())
        return fields["x-amz-target"].lower().rpartition(".")[2], int(fields["content-length"])


@asynccontextmanager
async def endpoint(
    script: Callable[[str, Body], Answer | None], secured: SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """A running endpoint on a free port of the loopback address; with HTTPS if it is secured."""
    scripted = Endpoint(script)
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=secured)
    scripted.url = f"http{'s' if secured else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted
    finally:
        server.close()


def error(code: str, status: int = 400, message: str = "secret-host-name") -> Answer:
    """One of DynamoDB's errors."""
    return Answer({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}, status)
