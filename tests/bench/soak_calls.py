"""Who calls mcp-server in its long run: good clients, slow ones, those that leave, and those that send what they like.

Each is a loop on connections of its own. The answers to good clients, and to slow ones, are checked to the last row.
Hostile bytes may be refused in any way but with a 5xx, and must be answered, or the connection closed, within a minute.
"""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.load import Answer, parse
from tests.support.held_calls import ENDLESS_NUMBERS
from tests.support.mcp_wire import ERAS, Era, message

POINTS, LINES, KINDS = 500, 1500, 5
ANSWER_SECONDS = 60.0
_CHUNK = 4096
_TOKEN_SECONDS = 240.0
"""How long a token is used; it lives for ten minutes."""


class WrongReply(Exception):
    """An answer that is not the one that was asked for."""


@dataclass(slots=True)
class Tallied:
    """What happened so far, over all clients."""

    calls: Counter[str] = field(default_factory=Counter)
    """By kind of client."""
    latencies: list[float] = field(default_factory=list)
    """Of good calls, in seconds."""
    failures: list[str] = field(default_factory=list)
    """What went wrong, each beginning with the kind of client."""


@dataclass(slots=True)
class Place:
    """Where the calls go, and as whom: `token` makes one."""

    port: int
    token: Callable[[], str]
    current: str = ""
    until: float = 0.0

    def renew(self) -> None:
        """Takes a new token."""
        self.current, self.until = self.token(), time.monotonic() + _TOKEN_SECONDS

    async def request(self, era: Era, tool: str, arguments: dict[str, Any], number: int = 1) -> bytes:
        """A tools/call as it goes over the wire."""
        body, headers = message(era, number, "tools/call", {"name": tool, "arguments": arguments})
        return http_post(self.port, await self.bearer(), json.dumps(body).encode(), headers)

    async def bearer(self) -> str:
        """A token that lives for minutes yet."""
        if time.monotonic() > self.until:
            self.until += _TOKEN_SECONDS  # before it waits: whoever shares the place goes on with the old one
            await asyncio.to_thread(self.renew)
        return self.current


def http_post(port: int, token: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A POST to the endpoint."""
    lines = {"Host": f"localhost:{port}", "Authorization": f"Bearer {token}", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in (headers | lines).items())
    return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body


class Line:
    """A keep-alive connection with one request in flight."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Line":
        """A new connection."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    async def ask(self, request: bytes, *, pieces: int = 1, pause: float = 0.0, chunk: int = 1 << 16) -> Answer:
        """The answer; the request goes in so many pieces, and the answer is read in chunks, with a pause between them.

        Raises TimeoutError, ConnectionError.
        """
        size = len(request) // pieces + 1
        async with asyncio.timeout(ANSWER_SECONDS):
            for start in range(0, len(request), size):
                self.writer.write(request[start : start + size])
                await self.writer.drain()
                await asyncio.sleep(pause)
            buffer = b""
            while (answer := parse(buffer)) is None:
                if not (data := await self.reader.read(chunk)):
                    raise ConnectionResetError("closed before the answer")
                buffer += data
                await asyncio.sleep(pause)
        return answer

    async def close(self) -> None:
        """Ends it at once, whatever is under way."""
        self.writer.transport.abort()


def structured(answer: Answer) -> dict[str, Any]:
    """The result of a good call. Raises WrongReply."""
    if answer.status != 200:
        raise WrongReply(f"{answer.status} {answer.body[:300]!r}")
    text = answer.body.decode()
    if b"text/event-stream" in answer.head:
        text = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()][-1]
    result = json.loads(text).get("result")
    if result is None or result.get("isError"):
        raise WrongReply(text[:300])
    document: dict[str, Any] = result["structuredContent"]
    return document


def same(got: object, wanted: object) -> None:
    """Raises WrongReply unless both are equal."""
    if got != wanted:
        raise WrongReply(f"{str(got)[:200]} instead of {str(wanted)[:200]}")


def item(number: int) -> dict[str, Any]:
    """A line, as the tables hold it."""
    return {"pk": f"p{number}", "kind": f"k{number % KINDS}", "n": number, "note": "x" * 200}


Call = Callable[["Client"], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Client:
    """One client on one connection at a time."""

    kind: str
    place: Place
    tallied: Tallied
    pick: random.Random
    calls: Sequence[Call]
    pause: float
    era: Era
    line: Line | None = None

    async def run(self) -> None:
        """Calls one after another, until it is cancelled."""
        await asyncio.sleep(self.pick.uniform(0, 2 * self.pause))  # they do not all come at once
        for call in itertools.cycle(self.calls):
            try:
                await call(self)
            except (OSError, TimeoutError, WrongReply, ValueError) as failure:
                self.tallied.failures.append(f"{self.kind} {call.__name__}: {type(failure).__name__} {failure}")
                await self.leave()
            self.tallied.calls[self.kind] += 1
            await asyncio.sleep(self.pause * self.pick.uniform(0.5, 1.5))

    async def connected(self) -> Line:
        """Its connection, made where there is none."""
        if self.line is None:
            self.line = await Line.to(self.place.port)
        return self.line

    async def leave(self) -> None:
        """Closes its connection."""
        if self.line is not None:
            await self.line.close()
            self.line = None

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The result of a good call. Raises WrongReply, OSError, TimeoutError."""
        line, request = await self.connected(), await self.place.request(self.era, tool, arguments)
        began = asyncio.get_running_loop().time()
        document = structured(await line.ask(request))
        self.tallied.latencies.append(asyncio.get_running_loop().time() - began)
        return document


async def reads_a_point(client: Client) -> None:
    """One item by its key, as a parameter."""
    number = client.pick.randrange(POINTS)
    sql = "SELECT n, kind FROM points WHERE pk = ?"
    found = await client.call("run_sql", sql=sql, parameters=[f"p{number}"])
    same(found["rows"], [[number, f"k{number % KINDS}"]])


async def groups(client: Client) -> None:
    """A scan that DuckDB aggregates."""
    found = await client.call("run_sql", sql="SELECT kind, count(*), sum(n) FROM lines GROUP BY kind ORDER BY kind")
    numbers = [[number for number in range(LINES) if number % KINDS == kind] for kind in range(KINDS)]
    wanted = [[f"k{kind}", len(those), sum(those)] for kind, those in enumerate(numbers)]
    same([[kind, int(count), int(total)] for kind, count, total in found["rows"]], wanted)


async def turns_pages(client: Client) -> None:
    """A sorted result, whose later pages are kept."""
    arguments: dict[str, Any] = {"sql": "SELECT n FROM lines WHERE n < 120 ORDER BY n", "max_rows": 50}
    rows, cursor = [], None
    while True:
        page = await client.call("run_sql", **arguments, **({"cursor": cursor} if cursor else {}))
        rows += [int(row[0]) for row in page["rows"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    same(rows, list(range(120)))


async def describes(client: Client) -> None:
    """What a table holds."""
    found = await client.call("describe_table", table_name="lines")
    same({column["name"] for column in found["columns"]} >= {"pk", "kind", "n", "note"}, True)


async def explains(client: Client) -> None:
    """What a statement would read."""
    found = await client.call("explain_sql", sql="SELECT kind FROM points WHERE pk = 'p1'")
    same("points" in json.dumps(found), True)


async def writes_slowly(client: Client) -> None:
    """The request takes seconds to come."""
    line = await client.connected()
    sql = "SELECT n FROM points WHERE pk = 'p7'"
    request = await client.place.request(client.era, "run_sql", {"sql": sql})
    same(structured(await line.ask(request, pieces=20, pause=0.15))["rows"], [[7]])


async def reads_slowly(client: Client) -> None:
    """A large answer is taken in small pieces."""
    line = await client.connected()
    arguments = {"sql": "SELECT pk, kind, n, note FROM lines WHERE n < 1000", "max_rows": 1000}
    request = await client.place.request(client.era, "run_sql", arguments)
    rows = structured(await line.ask(request, chunk=_CHUNK, pause=0.05))["rows"]
    same(sorted(int(row[2]) for row in rows), list(range(1000)))


async def leaves(client: Client) -> None:
    """It asks for a scan, and goes away while that is under way."""
    line = await client.connected()
    arguments = {"sql": "SELECT note, count(*) FROM lines GROUP BY note"}
    line.writer.write(await client.place.request(client.era, "run_sql", arguments))
    await asyncio.sleep(client.pick.uniform(0, 0.3))
    await client.leave()


async def leaves_an_endless_one(client: Client) -> None:
    """The same with a computation that would take hours."""
    line = await client.connected()
    line.writer.write(await client.place.request(client.era, "run_sql", {"sql": ENDLESS_NUMBERS}))
    await asyncio.sleep(client.pick.uniform(0.1, 1.0))
    await client.leave()


async def cancels(client: Client) -> None:
    """It says that it no longer wants an answer, as handshake revisions do, and then goes."""
    number = client.pick.randrange(1, 1 << 30)
    line, other = await client.connected(), await Line.to(client.place.port)
    handshake = ERAS[1]
    line.writer.write(await client.place.request(handshake, "run_sql", {"sql": ENDLESS_NUMBERS}, number))
    await asyncio.sleep(client.pick.uniform(0.1, 0.5))
    document = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
    _, headers = message(handshake, 1, "ping", {})
    answer = await other.ask(http_post(client.place.port, client.place.current, json.dumps(document).encode(), headers))
    same(answer.status, 202)
    await other.close()
    await client.leave()


_GARBAGE = (
    b"\x00" * 64 + b"\r\n\r\n",
    b"\xff\xfe\xfd\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 50_000 + b"\r\n",
)
_BODIES = (
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"jsonrpc":"2.0","id":' + b"9" * 10_000 + b',"method":"tools/list"}',
    b'{"jsonrpc":"2.0","id":1,"method":"\\ud800","params":{}}',
)
_STATEMENTS = (
    "SELECT * FROM read_csv('/etc/passwd')",
    "DROP TABLE points",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT pk FROM points WHERE " + " OR ".join(f"n = {number}" for number in range(3000)),
    "SELECT repeat(repeat('x', 10000), 10000) FROM points",
)


async def sends_garbage(client: Client) -> None:
    """Bytes that are no request, or one without end."""
    line = await Line.to(client.place.port)
    try:
        line.writer.write(client.pick.choice(_GARBAGE))
        async with asyncio.timeout(ANSWER_SECONDS):
            received = await line.reader.read(64)
        if received.startswith(b"HTTP/1.1 5"):
            raise WrongReply(str(received))
    except ConnectionError:
        pass
    finally:
        await line.close()


async def sends_half_a_request(client: Client) -> None:
    """A head, half a body, and then nothing more."""
    line = await Line.to(client.place.port)
    request = await client.place.request(client.era, "list_schemas", {})
    line.writer.write(request[: -client.pick.randrange(1, 100)])
    await asyncio.sleep(client.pick.uniform(0, 2))
    await line.close()


async def sends_odd_bodies(client: Client) -> None:
    """A good head over what is no call."""
    await _refused(client, http_post(client.place.port, await client.place.bearer(), *_odd(client)))


async def guesses_tokens(client: Client) -> None:
    """Calls without a right to."""
    token = "".join(client.pick.choices("abcdefghijklmnopqrstuvwxyz.", k=400))
    body, headers = message(client.era, 1, "tools/list", {})
    await _refused(client, http_post(client.place.port, token, json.dumps(body).encode(), headers))


async def asks_the_forbidden(client: Client) -> None:
    """Statements that are refused, or cost as much as can be."""
    arguments = {"sql": client.pick.choice(_STATEMENTS)}
    await _refused(client, await client.place.request(client.era, "run_sql", arguments))


def _odd(client: Client) -> tuple[bytes, dict[str, str]]:
    _, headers = message(client.era, 1, "tools/list", {})
    return client.pick.choice(_BODIES), headers


async def _refused(client: Client, request: bytes) -> None:
    line = await Line.to(client.place.port)
    try:
        answer = await line.ask(request)
        if answer.status >= 500:
            raise WrongReply(f"{answer.status} {answer.body[:200]!r}")
    except ConnectionError:
        pass
    finally:
        await line.close()


GOOD = (reads_a_point, groups, reads_a_point, turns_pages, reads_a_point, describes, reads_a_point, explains)
SLOW = (writes_slowly, reads_slowly)
LEAVING = (leaves, leaves, cancels, leaves, leaves_an_endless_one)
HOSTILE = (sends_garbage, sends_half_a_request, sends_odd_bodies, guesses_tokens, asks_the_forbidden)
CROWD: Sequence[tuple[str, int, Sequence[Call], float]] = (
    ("good", 32, GOOD, 5.0),
    ("slow", 10, SLOW, 5.0),
    ("leaving", 10, LEAVING, 1.0),
    ("hostile", 12, HOSTILE, 1.0),
)
"""Each kind of client: how many, what they do in turn, and for how many seconds they pause about."""
KEPT = ("good", "slow")
"""The kinds whose calls have to succeed."""


def crowd(tallied: Tallied, place_of: Callable[[str, int], Place]) -> list[Client]:
    """All 64 clients."""
    clients = []
    for kind, count, calls, pause in CROWD:
        for number in range(count):
            turned = [*calls[number % len(calls) :], *calls[: number % len(calls)]]
            pick = random.Random(f"{kind}{number}")
            clients.append(Client(kind, place_of(kind, number), tallied, pick, turned, pause, ERAS[number % len(ERAS)]))
    return clients
