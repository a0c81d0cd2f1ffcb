"""Attacks by the hosts of client documents, over HTTP, on a running server: cases G04 to G25.

G06, and addresses that are public, need a network that leads there; tests/support/document_lab.py has one.
"""

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx2
import pytest

from auth_server.protocol.client_documents import LEAST_AGE, MOST_AGE
from tests.attacks.target import LOOPBACK, Later, assert_page, redirected
from tests.support.concurrency import at_once
from tests.support.document_host import Answer, answering
from tests.support.people import Pkce, submit

pytestmark = pytest.mark.slow

ORIGIN = "https://host.example"
JSON = ("Content-Type", "application/json")


def document(url: str, **changes: Any) -> bytes:
    """A good document, with changes."""
    good = {"client_id": url, "client_name": "Host", "redirect_uris": ["http://127.0.0.1/callback"]}
    return json.dumps({**good, **changes}).encode()


@contextmanager
def bystander() -> Iterator[tuple[int, Callable[[], bool]]]:
    """A port of this machine, and whether somebody has connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        def visited() -> bool:
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                return False
            return True

        yield listener.getsockname()[1], visited


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["127.0.0.1"], id="g04-loopback"),
        pytest.param(["169.254.169.254", "127.0.0.1"], id="g04-cloud-metadata"),
        pytest.param(["::ffff:127.0.0.1"], id="g04-mapped"),
        pytest.param(["93.184.215.14", "127.0.0.1"], id="g07-public-first"),
        pytest.param(["127.0.0.1", "93.184.215.14"], id="g07-private-first"),
    ],
)
def test_a_name_that_leads_inside_is_not_connected_to(later: Later, addresses: Sequence[str]) -> None:
    later.resolve(inside=addresses)
    with bystander() as (port, visited):
        page = later.authorize(client_id=f"https://inside.example:{port}/{len(addresses)}{addresses[0]}.json")
        assert not visited()
    assert_page(page)
    assert "not on the public Internet" in page.text


def served(url: str, *headers: tuple[str, str], status: int = 200) -> Answer:
    """A good document under that status, with these headers."""
    return answering(status, document(url), *headers)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        *(
            pytest.param(status, [JSON, ("Location", f"{ORIGIN}/app.json")], id=f"g08-{status}")
            for status in (301, 302, 303, 307, 308)
        ),
        *(pytest.param(status, [JSON], id=f"g12-{status}") for status in (201, 206, 404, 500)),
        pytest.param(200, [("Content-Type", "text/html")], id="g11-page"),
        pytest.param(200, [("Content-Type", "text/plain")], id="g11-text"),
        pytest.param(200, [("Content-Type", "application/jsonp")], id="g11-script"),
        pytest.param(200, [], id="g11-no-type"),
        pytest.param(200, [JSON, ("Content-Encoding", "gzip")], id="g09-compressed"),
    ],
)
def test_any_other_answer_than_a_document_makes_no_client(
    later: Later, status: int, headers: Sequence[tuple[str, str]], request: pytest.FixtureRequest
) -> None:
    url = f"{ORIGIN}/{request.node.callspec.id}.json"
    later.host.publish(f"{ORIGIN}/app.json", client_name="Host", redirect_uris=[LOOPBACK])
    later.host.answers[url] = served(url, *headers, status=status)
    later.pass_time(61)  # the budget of the origin is not what is tried here
    assert_page(later.authorize(client_id=url), 503 if status == 500 else 400)
    assert later.host.requests.count(url) == 1
    assert later.host.requests.count(f"{ORIGIN}/app.json") == 0


@pytest.mark.parametrize("kind", ["application/client+json", "application/json; charset=utf-8"])
def test_g11_a_type_of_json_makes_one(later: Later, kind: str) -> None:
    url = f"{ORIGIN}/{len(kind)}.json"
    later.host.answers[url] = served(url, ("Content-Type", kind))
    assert later.authorize(client_id=url).status_code == 303


def _endless(handler: BaseHTTPRequestHandler, head: bytes, piece: bytes) -> None:
    """Sends pieces until nobody listens any more."""
    handler.close_connection = True
    try:
        handler.wfile.write(head)
        while True:
            handler.wfile.write(piece)
    except OSError:
        pass


def _silent(handler: BaseHTTPRequestHandler, head: bytes) -> None:
    """Sends no more than the beginning; returns once nobody listens any more."""
    handler.close_connection = True
    handler.wfile.write(head)
    handler.rfile.read(1)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED, _UNTIL_CLOSED = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n", _HEAD + b"\r\n"


@pytest.mark.parametrize(
    ("head", "piece", "status"),
    [
        pytest.param(_CHUNKED, b"400\r\n" + b" " * 1024 + b"\r\n", 400, id="g09-endless-chunks"),
        pytest.param(_UNTIL_CLOSED, b" " * 1024, 400, id="g09-endless"),
        pytest.param(_HEAD + b"X: ", b"x" * 1024, 503, id="g09-endless-head"),
    ],
)
def test_an_endless_answer_is_given_up(
    later: Later, head: bytes, piece: bytes, status: int, request: pytest.FixtureRequest
) -> None:
    url = f"{ORIGIN}/{request.node.callspec.id}.json"
    later.host.answers[url] = partial(_endless, head=head, piece=piece)
    assert_page(later.authorize(client_id=url), status)


def test_g10_slow_hosts_are_given_up_and_nobody_else_waits(later: Later) -> None:
    """Before, in and after the head of the answer."""
    beginnings = {f"{ORIGIN}/slow-{n}.json": head for n, head in enumerate((b"", _HEAD, _UNTIL_CLOSED))}
    for url, head in beginnings.items():
        later.host.answers[url] = partial(_silent, head=head)
    quick = f"{ORIGIN}/quick.json"
    later.host.answers[quick] = served(quick, JSON)
    answers = at_once([partial(later.authorize, client_id=url) for url in (*beginnings, quick)])
    for answer in answers[:-1]:
        assert_page(answer, 503)
    assert answers[-1].status_code == 303


def test_g18_a_document_is_kept_within_bounds_and_an_error_is_not(later: Later) -> None:
    """However long its host says."""
    short, long, never = (f"{ORIGIN}/{name}.json" for name in ("short", "long", "never"))
    for url, control in ((short, "max-age=1"), (long, "max-age=99999999"), (never, "no-store")):
        later.host.answers[url] = served(url, JSON, ("Cache-Control", control))

    def fetches(url: str) -> int:
        assert later.authorize(client_id=url).status_code == 303
        return later.host.requests.count(url)

    assert [fetches(url) for url in (short, long, never)] == [1, 1, 1]
    later.pass_time(LEAST_AGE - 10)
    assert [fetches(url) for url in (short, long, never)] == [1, 1, 2]
    later.pass_time(20)
    assert [fetches(url) for url in (short, long)] == [2, 1]
    later.pass_time(MOST_AGE)
    assert fetches(long) == 2
    later.host.answers[long] = answering(500, b"")
    later.pass_time(MOST_AGE + 10)
    assert fetches(long) == 3
    later.host.answers[long] = served(long, JSON)
    later.pass_time(31)
    assert fetches(long) == 4


def test_g21_a_changed_document_asks_again_and_what_it_lacks_ends(later: Later) -> None:
    url, site, other = f"{ORIGIN}/changing.json", f"{ORIGIN}/cb", f"{ORIGIN}/other"

    def publish(name: str, *uris: str) -> None:
        later.host.publish(url, client_name=name, redirect_uris=[*uris])
        later.pass_time(LEAST_AGE + 1)

    def asked(browser: httpx2.Client) -> bool:
        query = later.query(Pkce(), {"client_id": url, "redirect_uri": site})
        answer = browser.get(f"/authorize?{query}")
        assert answer.status_code == 303, answer.text
        return not answer.headers["location"].startswith(site)

    with later.stranger() as browser:
        publish("Changing", site, other)
        page = later.consent_page(browser, client_id=url, redirect_uri=site)
        assert redirected(submit(browser, page, decision="approve"), site)["code"]
        assert not asked(browser)
        publish("Changed", site, other)
        assert asked(browser)
    publish("Changed", site)
    assert_page(later.authorize(client_id=url, redirect_uri=other))


def test_g23_a_certificate_that_proves_nothing_is_not_taken(later: Later) -> None:
    """That of an authority nobody knows, and that of another host."""
    url = later.false_host.publish("https://false.example/app.json", client_name="False", redirect_uris=[LOOPBACK])
    assert_page(later.authorize(client_id=url), 503)
    assert later.false_host.requests == []


def test_g25_a_host_sees_its_name_and_port_and_nothing_of_anybody(later: Later) -> None:
    url = f"{ORIGIN}:8443/app.json?a=b"
    later.host.answers[url] = served(url, JSON)
    assert later.authorize(client_id=url).status_code == 303
    seen = {name.lower(): value for name, value in later.host.headers[url].items()}
    assert seen["host"] == "host.example:8443"
    assert seen.keys() == {"host", "accept", "accept-encoding", "user-agent", "connection"}
