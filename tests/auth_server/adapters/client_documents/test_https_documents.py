"""Documents fetched in a lab with a name server and TLS sites of its own, which behave as badly as they can."""

import asyncio
import gzip
import ssl
from collections.abc import Iterator, Sequence

import pytest
import trustme

from auth_server.adapters.client_documents import https_documents
from auth_server.adapters.client_documents.https_documents import HttpsDocuments
from auth_server.adapters.client_documents.public_connections import PublicConnections, SystemResolver
from auth_server.ports.documents import DocumentUnavailable, Obstacle
from auth_server.protocol.client_documents import MAX_BYTES
from tests.support.document_lab import (
    ADDRESS,
    Answer,
    Lab,
    is_public_here,
    laboratory,
    raw,
    text,
)

HOST = "app.example"
JSON = "Content-Type: application/json"
BODY = b'{"client_id": "https://app.example/client.json"}'
GOOD = text("200 OK", BODY, JSON)
WAIT = 30.0
pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab that nobody has used."""
    with laboratory() as lab:
        yield lab


async def obstacle(source: HttpsDocuments, port: int, host: str = HOST) -> Obstacle:
    """Why the document cannot be had."""
    with pytest.raises(DocumentUnavailable) as refused:
        async with asyncio.timeout(WAIT):
            await source.document(f"https://{host}:{port}/client.json")
    return refused.value.obstacle


async def test_a_document_arrives_as_it_was_served(lab: Lab) -> None:
    """The bytes, and how long they may be kept."""
    answer = text("200 OK", BODY, JSON, "Cache-Control: public, max-age=1200", "Age: 200")
    async with lab.site(HOST, answer=answer) as site:
        document = await lab.source.document(f"https://{HOST}:{site.port}/client.json")
    assert (document.content, document.max_age) == (BODY, 1000)


async def test_g25_the_host_sees_its_name_and_nothing_of_ours(lab: Lab) -> None:
    """Host with the port, the path, and no cookie, credential or referrer."""
    async with lab.site(HOST, answer=GOOD) as site:
        await lab.source.document(f"https://{HOST}:{site.port}/a/client.json?b=c")
    lines = site.requests[0].decode().split("\r\n")
    names = {line.partition(":")[0].lower() for line in lines[1:] if line}
    assert lines[0] == "GET /a/client.json?b=c HTTP/1.1"
    assert f"Host: {HOST}:{site.port}" in lines
    assert names == {"host", "accept", "accept-encoding", "user-agent", "connection"}


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["169.254.169.254"], ["::1"], ["fd00::1"], ["::ffff:10.0.0.1"], ["127.0.0.2"], ["0.0.0.0"]],
    ids=str,
)
async def test_g04_a_name_with_a_private_address_is_not_connected_to(lab: Lab, addresses: Sequence[str]) -> None:
    """Nothing is sent there."""
    lab.names.records[HOST] = [addresses]
    async with lab.site(HOST, answer=GOOD) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.FORBIDDEN_ADDRESS
    assert site.connections == 0


@pytest.mark.parametrize("addresses", [[ADDRESS, "10.0.0.1"], ["10.0.0.1", ADDRESS], [ADDRESS, "fe80::1"]], ids=str)
async def test_g07_a_name_with_public_and_private_addresses_is_not_connected_to(
    lab: Lab, addresses: Sequence[str]
) -> None:
    """Which of them would be used is a matter of luck."""
    lab.names.records[HOST] = [addresses]
    async with lab.site(HOST, answer=GOOD) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.FORBIDDEN_ADDRESS
    assert site.connections == 0


async def test_g06_a_name_that_changes_its_address_is_resolved_once(lab: Lab) -> None:
    """The second answer of the name server leads to a victim, with a certificate that would do."""
    async with lab.site(HOST, answer=GOOD) as site:
        lab.names.records[HOST] = [[ADDRESS], ["127.0.0.2"]]
        document = await lab.source.document(f"https://{HOST}:{site.port}/client.json")
        assert document.content == BODY
        assert lab.names.asked == [HOST]
        assert await obstacle(lab.source, site.port) is Obstacle.FORBIDDEN_ADDRESS
        assert site.connections == 1


async def test_g06_the_connected_socket_must_lead_where_the_name_resolved_to(lab: Lab) -> None:
    """A resolver whose answer is itself a name would have the system resolve it a second time."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return ["localhost"]

    trusted = ssl.create_default_context()
    lab.authority.configure_trust(trusted)
    source = HttpsDocuments(PublicConnections({}, resolve=resolve, admits=lambda _address: True), certificates=trusted)
    async with lab.site(HOST, answer=GOOD) as site:
        assert await obstacle(source, site.port) is Obstacle.FORBIDDEN_ADDRESS
    assert site.requests == []


async def test_a_dead_address_is_passed_over(lab: Lab) -> None:
    """The next one of the name is tried."""
    async with lab.site(HOST, answer=GOOD) as site:
        lab.names.records[HOST] = [["::1", ADDRESS]]
        connections = PublicConnections({}, resolve=lab.resolve, admits=lambda address: address in {"::1", ADDRESS})
        trusted = ssl.create_default_context()
        lab.authority.configure_trust(trusted)
        source = HttpsDocuments(connections, certificates=trusted)
        assert (await source.document(f"https://{HOST}:{site.port}/client.json")).content == BODY


async def test_a_name_without_address_is_unreachable(lab: Lab) -> None:
    """As a mistyped one."""
    assert await obstacle(lab.source, 443, "nowhere.example") is Obstacle.UNREACHABLE


async def test_a_closed_port_is_unreachable(lab: Lab) -> None:
    """As a host whose server is down."""
    async with lab.site(HOST, answer=GOOD) as site:
        pass
    assert await obstacle(lab.source, site.port) is Obstacle.UNREACHABLE


@pytest.mark.parametrize("case", ["another name", "an unknown authority"])
async def test_g23_a_certificate_that_proves_nothing_is_not_taken(lab: Lab, case: str) -> None:
    """Whoever sits between us and the host must not be able to say who a client is."""
    authority = trustme.CA() if case == "an unknown authority" else lab.authority
    named = "other.example" if case == "another name" else HOST
    lab.names.records[HOST] = [[ADDRESS]]
    async with lab.site(named, answer=GOOD, authority=authority) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.UNREACHABLE
    assert site.requests == []


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_g08_a_redirect_is_not_followed(lab: Lab, status: str) -> None:
    """Not even to the same host."""
    async with lab.site(HOST, answer=GOOD) as site:
        location = f"Location: https://{HOST}:{site.port}/other.json"
        site.answer = text(status, b"", location)
        assert await obstacle(lab.source, site.port) is Obstacle.STATUS
    assert site.connections == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("201 Created", Obstacle.STATUS),
        ("204 No Content", Obstacle.STATUS),
        ("206 Partial", Obstacle.STATUS),
        ("304 Not Modified", Obstacle.STATUS),
        ("401 Unauthorized", Obstacle.STATUS),
        ("404 Not Found", Obstacle.STATUS),
        ("410 Gone", Obstacle.STATUS),
        ("429 Too Many", Obstacle.SERVER_ERROR),
        ("500 Error", Obstacle.SERVER_ERROR),
        ("503 Unavailable", Obstacle.SERVER_ERROR),
    ],
)
async def test_g12_only_status_200_is_a_document(lab: Lab, status: str, expected: Obstacle) -> None:
    """A server in trouble is asked again, one that has no document is not."""
    async with lab.site(HOST, answer=text(status, BODY, JSON)) as site:
        assert await obstacle(lab.source, site.port) is expected


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/oauth-client+json", "Application/JSON"]
)
async def test_g11_a_type_of_json_is_taken(lab: Lab, kind: str) -> None:
    """With parameters, with a suffix, in any case."""
    async with lab.site(HOST, answer=text("200 OK", BODY, f"Content-Type: {kind}")) as site:
        assert (await lab.source.document(f"https://{HOST}:{site.port}/client.json")).content == BODY


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Type: text/html"],
        ["Content-Type: text/plain"],
        ["Content-Type: application/jsonp"],
        ["Content-Type: text/json+x"],
        [],
        [JSON, "Content-Type: text/html"],
    ],
    ids=str,
)
async def test_g11_any_other_type_is_not(lab: Lab, headers: list[str]) -> None:
    """What a host lets anybody upload as a text or a page says nothing about a client."""
    async with lab.site(HOST, answer=text("200 OK", BODY, *headers)) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.CONTENT_TYPE


async def test_g09_a_document_of_five_kilobytes_is_taken(lab: Lab) -> None:
    """The limit itself is within it."""
    async with lab.site(HOST, answer=text("200 OK", b" " * MAX_BYTES, JSON)) as site:
        assert len((await lab.source.document(f"https://{HOST}:{site.port}/client.json")).content) == MAX_BYTES


def head(*headers: str) -> bytes:
    """The head of an answer that begins well."""
    return "\r\n".join(["HTTP/1.1 200 OK", JSON, *headers, "", ""]).encode()


def _endless(head: bytes, chunk: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        text("200 OK", b" " * (MAX_BYTES + 1), JSON),
        raw(head("Content-Length: 1000000")),
        raw(head() + b" " * (MAX_BYTES + 1)),
        _endless(head("Transfer-Encoding: chunked"), b"1000\r\n" + b" " * 4096 + b"\r\n"),
        _endless(head(), b" " * 4096),
    ],
    ids=["one byte too long", "announced", "without length", "endless chunks", "endless"],
)  # fmt: skip
async def test_g09_a_longer_document_is_not_read_on(lab: Lab, answer: Answer) -> None:
    """Whatever its length is said to be."""
    async with lab.site(HOST, answer=answer) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.TOO_LONG


async def test_g09_a_compressed_document_is_never_unpacked(lab: Lab) -> None:
    """We asked for none, and a small one can become huge."""
    bomb = gzip.compress(b" " * 50_000_000)[:4096]
    async with lab.site(HOST, answer=text("200 OK", bomb, JSON, "Content-Encoding: gzip")) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.CONTENT_ENCODING


async def forever() -> None:
    """Does not end unless it is cancelled."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("where", ["in the head", "in the body", "before the head", "after half a body"])
async def test_g10_a_slow_host_is_given_up(lab: Lab, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for everything together: a byte now and then does not prolong it."""
    monkeypatch.setattr(https_documents, "FETCH_SECONDS", 0.5)
    body = head("Content-Length: 400")
    begun = {"in the head": b"HTTP/1.1 200 OK\r\nX: ", "in the body": body, "after half a body": body + b" " * 200}

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(begun.get(where, b""))
        while where in {"in the head", "in the body"}:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)
        await forever()

    async with lab.site(HOST, answer=drip) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.TOO_SLOW


async def test_g10_a_slow_name_server_is_given_up(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolution counts too."""
    monkeypatch.setattr(https_documents, "FETCH_SECONDS", 0.3)

    async def resolve(_host: str, _port: int) -> list[str]:
        await forever()
        return []

    source = HttpsDocuments(PublicConnections({}, resolve=resolve, admits=is_public_here))
    assert await obstacle(source, 443) is Obstacle.TOO_SLOW


@pytest.mark.parametrize(
    "answer",
    [
        raw(b""),
        raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456"),
        raw(head("Content-Length: 100") + b"short"),
        raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
    ],
    ids=["nothing", "another protocol", "a negative length", "two lengths", "a body cut short", "a huge head"],
)
async def test_what_is_not_http_is_unreachable(lab: Lab, answer: Answer) -> None:
    """Half a document is none."""
    async with lab.site(HOST, answer=answer) as site:
        assert await obstacle(lab.source, site.port) is Obstacle.UNREACHABLE


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        (["Cache-Control: max-age=60"], 60),
        (["Cache-Control: s-maxage=10, max-age=60"], 10),
        (["Cache-Control: max-age=60", "Cache-Control: no-store"], 0),
        (["Cache-Control: NO-CACHE"], 0),
        (["Cache-Control: private, max-age=60"], 0),
        (["Cache-Control: max-age=60", "Age: 90"], 0),
        (["Cache-Control: max-age=nonsense"], None),
        (["Cache-Control: max-age=99999999999999999999"], None),
    ],
    ids=str,
)
async def test_g18_the_host_says_how_long_a_document_may_be_kept(
    lab: Lab, headers: list[str], expected: int | None
) -> None:
    """RFC 9111 §5.2.2, as far as a cache that serves everybody needs it."""
    async with lab.site(HOST, answer=text("200 OK", BODY, JSON, *headers)) as site:
        assert (await lab.source.document(f"https://{HOST}:{site.port}/client.json")).max_age == expected


async def test_an_origin_that_the_operator_names_is_connected_where_it_is(lab: Lab) -> None:
    """In a closed network, with a private address; the certificate must be that of the origin all the same."""
    async with lab.site(HOST, answer=GOOD) as site:
        lab.names.records["clients.internal"] = [["127.0.0.1"]]
        source = lab.source_with({(HOST, 443): ("clients.internal", site.port)})
        assert (await source.document(f"https://{HOST}/client.json")).content == BODY
    assert f"Host: {HOST}\r\n".encode() in site.requests[0]


async def test_a_proxy_in_the_environment_is_not_used(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name by itself, and reach what we must not."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with lab.site(HOST, answer=GOOD) as site:
        assert (await lab.source.document(f"https://{HOST}:{site.port}/client.json")).content == BODY


async def test_the_systems_resolver_gives_addresses() -> None:
    """In one spelling, each once."""
    found = await SystemResolver()("localhost", 443)
    assert found
    assert set(found) <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found))
