"""The load generator: keep-alive HTTP/1.1 connections that send prepared bytes and check every answer.

Each connection has one request in flight. One operation costs about 15 µs of CPU here, a quarter of what the fastest
server under test spends on it, so one core of load saturates one core of server; every sample carries the generator's
own CPU share, which shows whether that held.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import uvloop

from tests.bench.usage import Usage

ANSWER_SECONDS = 60.0
"""How long the last answers of a window may take."""


class WrongAnswer(Exception):
    """A server answered something else than the operation's result; the text shows the answer's beginning."""

    def __init__(self, answer: "Answer") -> None:
        super().__init__(f"{answer.status}: {answer.body[:500]!r}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; `head` is the status line and the headers as they came."""

    status: int
    head: bytes
    body: bytes


class Caller(Protocol):
    """What one connection says. Its state may depend on the answers, as with a chain of refresh tokens."""

    def request(self) -> bytes | None:
        """The next request, whole; None when there is nothing left to ask."""

    def check(self, answer: Answer) -> None:
        """Takes the answer to the last request. Raises WrongAnswer."""


@dataclass(frozen=True, slots=True)
class Window:
    """What happened while it was measured; every time is in seconds. `marks` is what `mark` gave at both ends."""

    seconds: float
    latencies: tuple[float, ...]
    generator: float
    marks: tuple[Usage, Usage]


@dataclass(slots=True)
class _Run:
    """What the connections of one run share; it is done at the latest with `enough` measured answers."""

    done: asyncio.Event = field(default_factory=asyncio.Event)
    latencies: list[float] = field(default_factory=list)
    enough: int = sys.maxsize
    stopping: bool = False
    failure: Exception | None = None

    def count(self, latency: float) -> None:
        self.latencies.append(latency)
        if len(self.latencies) >= self.enough:
            self.done.set()

    def fail(self, failure: Exception) -> None:
        self.failure = self.failure or failure
        self.done.set()


class _Connection(asyncio.Protocol):
    def __init__(self, caller: Caller, run: _Run, *, counts: bool, pause: float) -> None:
        self._caller, self._run, self._counts, self._pause = caller, run, counts, pause
        self._buffer = b""
        self._sent = 0.0
        self.idle = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        try:
            answer = parse(self._buffer)
            if answer is None:
                return
            self._buffer = b""
            if self._counts:
                self._run.count(time.perf_counter() - self._sent)
            self._caller.check(answer)
            if self._pause:
                asyncio.get_running_loop().call_later(self._pause, self._send)
            else:
                self._send()
        except Exception as failure:  # the caller's check decides what is wrong
            self._close(failure)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.idle.is_set():
            self._close(exc or ConnectionResetError("the server closed a connection before it had answered"))

    def _send(self) -> None:
        if self.idle.is_set():
            return
        request = None if self._run.stopping else self._caller.request()
        if request is None:
            self._close(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def _close(self, failure: Exception | None) -> None:
        self.idle.set()
        self._transport.close()
        if failure is not None:
            self._run.fail(failure)
        else:
            self._run.done.set()  # this caller has run dry, or the window has ended anyway


def parse(buffer: bytes) -> Answer | None:
    """The answer that fills the buffer; None while it is incomplete. Raises ValueError for bytes after its end."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = buffer[:end]
    length = _header(head, b"content-length: ", b"Content-Length: ")
    body = _unchunked(buffer, end + 4) if length is None else buffer[end + 4 :]
    if body is None or (length is not None and len(body) < int(length)):
        return None
    if length is not None and len(body) > int(length):
        raise ValueError("bytes after the end of the answer")
    return Answer(int(head[9:12]), head, body)


def _header(head: bytes, *spellings: bytes) -> bytes | None:
    for spelling in spellings:
        at = head.find(spelling)
        if at >= 0:
            start = at + len(spelling)
            stop = head.find(b"\r", start)
            return head[start:] if stop < 0 else head[start:stop]
    return None


def _unchunked(buffer: bytes, at: int) -> bytes | None:
    """The body in chunked transfer coding (RFC 9112 §7.1); None while it is incomplete."""
    if not buffer.endswith(b"0\r\n\r\n"):
        return None
    chunks: list[bytes] = []
    while True:
        line = buffer.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(buffer[at:line], 16)
        if size == 0:
            return b"".join(chunks) if len(buffer) >= line + 4 else None
        chunks.append(buffer[line + 2 : line + 2 + size])
        at = line + 2 + size + 2
        if at > len(buffer):
            return None


@dataclass(frozen=True, slots=True)
class Load:
    """Who drives a server, one connection for each: `callers`, and `beside` them those whose calls do not count.

    Where it has several `ports`, the connections go to one after the other. `pause` is how many seconds a connection
    waits between an answer and its next request, `beside_pause` those beside; without one it asks again at once.
    """

    ports: Sequence[int]
    callers: Sequence[Caller]
    beside: Sequence[Caller] = ()
    pause: float = 0.0
    beside_pause: float = 0.0


def drive(load: Load, *, warm_up: float, seconds: float, mark: Callable[[], Usage]) -> Window:
    """Drives a server for `warm_up` unmeasured and `seconds` measured.

    The window ends early when a caller has nothing left to ask, and late when no answer has come by then: with the
    first one. `mark` is read at both of its ends, for the server's CPU time. Raises WrongAnswer, OSError, TimeoutError.
    """
    return uvloop.run(_drive(load, warm_up, seconds, mark))


async def _drive(load: Load, warm_up: float, seconds: float, mark: Callable[[], Usage]) -> Window:
    loop, run = asyncio.get_running_loop(), _Run()
    connections = [_Connection(caller, run, counts=False, pause=load.beside_pause) for caller in load.beside]
    connections += [_Connection(caller, run, counts=True, pause=load.pause) for caller in load.callers]
    for connection, port in zip(connections, itertools.cycle(load.ports), strict=False):
        await loop.create_connection(lambda made=connection: made, "127.0.0.1", port)  # type: ignore[misc]
    await _pass(run, warm_up)
    first, at, generator, before = len(run.latencies), time.perf_counter(), time.process_time(), mark()
    await _pass(run, seconds)
    if len(run.latencies) == first:
        run.enough = first + 1
        await _pass(run, ANSWER_SECONDS)
    after, elapsed, generator = mark(), time.perf_counter() - at, time.process_time() - generator
    latencies = tuple(run.latencies[first:])
    run.stopping = True
    async with asyncio.timeout(ANSWER_SECONDS):
        for connection in connections:
            await connection.idle.wait()
    if run.failure is not None:
        raise run.failure
    return Window(elapsed, latencies, generator, (before, after))


async def _pass(run: _Run, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await run.done.wait()
    except TimeoutError:
        pass
