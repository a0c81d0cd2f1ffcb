"""A small Internet of our own: a name server, a certificate authority, and sites that answer as badly as wanted."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from threading import Thread
from typing import Any

import anyio.to_thread
import trustme
from dnslib import AAAA, QTYPE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSServer

from auth_server.adapters.client_documents.https_documents import HttpsDocuments
from auth_server.adapters.client_documents.public_addresses import is_public
from auth_server.adapters.client_documents.public_connections import PublicConnections

ADDRESS = "127.0.0.1"
"""The one address of this machine that counts as public in the lab; 127.0.0.2 does not."""
_DNS_SECONDS = 2.0

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Names(BaseResolver):  # type: ignore[misc] # dnslib has no types
    """What the name server answers: a list of answers for a name, the last of them for ever."""

    def __init__(self) -> None:
        self.records: dict[str, list[Sequence[str]]] = {}
        self.asked: list[str] = []

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """Answers one query; `A` moves on to the next answer."""
        reply, name, kind = request.reply(), str(request.q.qname).rstrip("."), QTYPE[request.q.qtype]
        answers = self.records.get(name, [[]])
        addresses = answers[0]
        if kind == "A":
            self.asked.append(name)
        if kind == "AAAA" and len(answers) > 1:  # asked after A
            answers.pop(0)
        for address in addresses:
            if kind == ("AAAA" if ":" in address else "A"):
                data = AAAA(tuple(ip_address(address).packed)) if ":" in address else A(address)
                reply.add_answer(RR(name, request.q.qtype, rdata=data, ttl=0))
        return reply


@dataclass(slots=True)
class Site:
    """An HTTPS server that answers with what it is told to, and keeps the heads of the requests."""

    port: int
    answer: Answer
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


class Lab:
    """The lab, and a document source that lives in it."""

    def __init__(self, names: Names, name_server: tuple[str, int]) -> None:
        self.names, self._name_server = names, name_server
        self.authority = trustme.CA()
        self.source = self.source_with({})

    def source_with(self, named: Mapping[tuple[str, int], tuple[str, int]]) -> HttpsDocuments:
        """A source whose operator has named these origins."""
        trusted = ssl.create_default_context()
        self.authority.configure_trust(trusted)
        connections = PublicConnections(named, resolve=self.resolve, admits=is_public_here)
        return HttpsDocuments(connections, certificates=trusted)

    async def resolve(self, host: str, _port: int) -> list[str]:
        """What the lab's name server says, over the wire."""
        found: list[str] = []
        for kind in ("A", "AAAA"):
            ask = partial(DNSRecord.question(host, kind).send, *self._name_server, timeout=_DNS_SECONDS)
            packet = await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
            found += [str(record.rdata) for record in DNSRecord.parse(packet).rr]
        if not found:
            raise OSError("no such name")
        return found

    @asynccontextmanager
    async def site(
        self, *hosts: str, answer: Answer, address: str = ADDRESS, authority: trustme.CA | None = None
    ) -> AsyncIterator[Site]:
        """A site with a certificate for these hosts, on a port of its own; the name server knows it by them."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        (authority or self.authority).issue_cert(*hosts).configure_cert(context)
        site = Site(0, answer)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            site.connections += 1
            try:
                site.requests.append(await reader.readuntil(b"\r\n\r\n"))
                await site.answer(writer)
            except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                pass
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve, address, 0, ssl=context)
        site.port = server.sockets[0].getsockname()[1]
        for host in hosts:
            self.names.records.setdefault(host, [[address]])
        async with server:
            yield site


@contextmanager
def laboratory() -> Iterator[Lab]:
    """The lab, for as long as the block."""
    names = Names()
    server = DNSServer(names, ADDRESS, 0, logger=_Silent()).server
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Lab(names, server.server_address)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def is_public_here(address: str) -> bool:
    """Whether an address counts as public in the lab."""
    return address == ADDRESS or is_public(address)


def text(status: str, body: bytes, *headers: str) -> Answer:
    """An answer with a body of that length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return raw("\r\n".join(lines).encode() + body)


def published(document: Any, *headers: str) -> Answer:
    """A document as a host publishes it."""
    return text("200 OK", json.dumps(document).encode(), "Content-Type: application/json", *headers)


def raw(data: bytes) -> Answer:
    """Exactly these bytes."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.write_eof() if writer.can_write_eof() else writer.close()
        await writer.wait_closed()

    return answer


class _Silent:
    """dnslib's way of logging, without a word."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_values: None
