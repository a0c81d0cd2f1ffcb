"""A TCP proxy that counts the HTTP requests that come to it, and passes them on unless it is told to hold them."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_METHOD = b"POST / HTTP/1.1\r\n"
"""How every request to DynamoDB begins."""
_CHUNK = 65536


@dataclass(slots=True)
class CountingProxy:
    """`requests` have come so far; `wait_for_request` waits for one more.

    While it is `holding`, those that come are not passed on; `held` have not been given up by whoever sent them.
    """

    endpoint_url: str = ""
    requests: int = 0
    holding: bool = False
    held: int = 0
    _passed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_request(self, after: int, seconds: float) -> bool:
        """Whether, within the time, there have been more requests than `after`."""
        with self._passed:
            return self._passed.wait_for(lambda: self.requests > after, seconds)

    def count(self, requests: int) -> None:
        """Takes note of requests."""
        with self._passed:
            self.requests += requests
            self._passed.notify_all()


@contextmanager
def counting(upstream_url: str) -> Iterator[CountingProxy]:
    """A proxy in front of a DynamoDB endpoint, in a thread of its own."""
    upstream = urlsplit(upstream_url)
    proxy = CountingProxy()
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def serve() -> None:
        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        proxy.endpoint_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        started.set()
        await stopping.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(upstream.hostname, upstream.port)
        try:
            await asyncio.gather(pump(reader, up_writer, counted=True), pump(up_reader, writer, counted=False))
        except OSError:
            pass  # either side has gone, and so does the other
        finally:
            up_writer.close()
            writer.close()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        carried = b""
        while data := await reader.read(_CHUNK):
            if counted and proxy.holding:
                await hold(reader)
                break
            if counted:
                seen = carried + data
                proxy.count(seen.count(_METHOD))
                carried = seen[-(len(_METHOD) - 1) :]
            writer.write(data)
            await writer.drain()
        writer.close()

    async def hold(reader: asyncio.StreamReader) -> None:
        proxy.held += 1
        proxy.count(1)
        try:
            while await reader.read(_CHUNK):
                pass
        finally:
            proxy.held -= 1

    def run() -> None:
        try:
            loop.run_until_complete(serve())
        finally:
            loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
