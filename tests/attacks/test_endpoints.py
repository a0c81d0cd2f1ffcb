"""Attacks on endpoints in general, over HTTP, on a running server: cases I01 to I22."""

import base64
import socket
from urllib.parse import urlsplit

import pytest

from tests.attacks.target import FORM, Target, assert_refused
from tests.support.services import Client

pytestmark = pytest.mark.slow

SECONDS = 60


def raw(target: Target, *lines: bytes, body: bytes = b"", leaves: bool = True) -> bytes:
    """What a request of exactly these bytes is answered; whoever leaves sends nothing more, and may get no answer."""
    address = ("127.0.0.1", urlsplit(target.issuer).port or 0)
    with socket.create_connection(address, timeout=SECONDS) as connection:
        connection.sendall(b"\r\n".join([*lines, b"Connection: close", b"", body]))
        if leaves:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("path", ["/token", "/revoke"])
def test_i01_a_parameter_that_is_sent_twice_is_refused(target: Target, path: str) -> None:
    with target.stranger() as stranger:
        for kind, content in (
            (FORM, b"grant_type=client_credentials&grant_type=client_credentials"),
            (FORM, b"token=a&token="),
            ("application/json", b'{"grant_type":"a","grant_type":"a"}'),
        ):
            answer = stranger.post(path, content=content, headers={"Content-Type": kind})
            assert_refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("path", ["/token", "/revoke"])
@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/jsonp", ""])
def test_i02_another_content_type_is_refused_by_name(target: Target, path: str, kind: str) -> None:
    with target.stranger() as stranger:
        answer = stranger.post(path, content=b"grant_type=client_credentials", headers={"Content-Type": kind})
    assert_refused(answer, 400, "invalid_request")
    assert FORM in answer.json()["error_description"]


def test_i03_what_is_too_long_is_refused_before_it_is_read(target: Target) -> None:
    with target.stranger() as stranger:
        answer = stranger.post("/token", content=b"a=" + b"x" * 16_384, headers={"Content-Type": FORM})
        assert_refused(answer, 413, "invalid_request")
        assert stranger.get("/livez", headers={"X-Long": "x" * 20_000}).status_code == 431


@pytest.mark.parametrize(
    "framing",
    [
        pytest.param([b"Content-Length: 4", b"Transfer-Encoding: chunked"], id="i04-both"),
        pytest.param([b"Content-Length: 4", b"Content-Length: 5"], id="i04-two-lengths"),
        pytest.param([b"Transfer-Encoding: chunked, identity"], id="i04-identity-last"),
        pytest.param([b"Transfer-Encoding: xchunked"], id="i04-unknown-coding"),
        pytest.param([b"Transfer-Encoding : chunked"], id="i04-space-before-colon"),
        pytest.param([b"Content-Length: +4"], id="i04-plus"),
        pytest.param([b"Content-Length: 0x4"], id="i04-hexadecimal"),
    ],
)
def test_ambiguous_framing_begins_no_second_request(target: Target, framing: list[bytes]) -> None:
    """Whatever stands behind it, only one answer comes back: nothing is smuggled."""
    host = f"Host: {urlsplit(target.issuer).netloc}".encode()
    smuggled = b"GET /.well-known/jwks.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    body = b"0\r\n\r\n" + smuggled
    answer = raw(target, b"POST /token HTTP/1.1", host, b"Content-Type: " + FORM.encode(), *framing, body=body)
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b'"keys"' not in answer
    assert not answer or int(answer.split(b" ")[1]) in {400, 401, 501}


@pytest.mark.parametrize("header", ["Authorization", "X-Forwarded-For", "Host", "Content-Type"])
def test_i04_what_comes_behind_the_body_is_no_header(target: Target, header: str) -> None:
    """RFC 9110 §6.5.1: a proxy has looked at the head, and never at the trailers."""
    client = target.server.automation
    credentials = f"Basic {base64.b64encode(f'{client.id}:{client.secret}'.encode()).decode()}"
    value = {"Authorization": credentials, "Content-Type": "application/json"}.get(header, "evil.example")
    form = b"grant_type=client_credentials" + (b"" if header == "Authorization" else posted(client))
    head = [f"Host: {urlsplit(target.issuer).netloc}", f"Content-Type: {FORM}", "Transfer-Encoding: chunked"]
    body = b"%x\r\n%s\r\n0\r\n%s: %s\r\n\r\n" % (len(form), form, header.encode(), value.encode())
    answer = raw(target, b"POST /token HTTP/1.1", *map(str.encode, head), body=body, leaves=False)
    assert answer.split(b" ")[1] == (b"401" if header == "Authorization" else b"200")


def posted(client: Client) -> bytes:
    """Credentials in a form."""
    return f"&client_id={client.id}&client_secret={client.secret}".encode()


def test_i04_http_09_and_foreign_hosts_are_not_served(target: Target) -> None:
    assert b'"keys"' not in raw(target, b"GET /.well-known/jwks.json")
    for host in (b"evil.example", b"localhost.evil.example", b"localhost@evil.example", b"localhost:80@evil.example"):
        answer = raw(target, b"GET /.well-known/jwks.json HTTP/1.1", b"Host: " + host)
        assert answer.split(b" ")[1] in {b"421", b"400"}, host
    two = raw(target, b"GET /.well-known/jwks.json HTTP/1.1", b"Host: localhost", b"Host: evil.example")
    assert two.split(b" ")[1] == b"400"


def test_i05_no_header_changes_the_issuer(target: Target) -> None:
    headers = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Port": "666",
        "X-Original-URL": "/evil",
        "X-Rewrite-URL": "/evil",
        "Forwarded": "host=evil.example;proto=https",
    }
    with target.stranger() as stranger:
        answer = stranger.get("/.well-known/oauth-authorization-server", headers=headers)
        page = stranger.get("/", headers=headers)
    assert answer.json()["issuer"] == target.issuer
    assert "evil" not in answer.text + page.text
    assert "evil" not in str(answer.headers) + str(page.headers)


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_i06_scripts_of_other_sites_call_what_is_public_without_credentials(target: Target, origin: str) -> None:
    public = ("/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/token", "/register", "/revoke")
    with target.stranger() as stranger:
        for path in public:
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            for answer in (stranger.get(path, headers=asked), stranger.options(path, headers=asked)):
                assert answer.headers["access-control-allow-origin"] == "*"
                assert "access-control-allow-credentials" not in answer.headers
        for path in ("/authorize", "/login", "/consent", "/"):
            for answer in (stranger.get(path, headers=asked), stranger.options(path, headers=asked)):
                assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/token", "/register", "/revoke"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_i07_another_method_is_refused(target: Target, path: str, method: str) -> None:
    with target.stranger() as stranger:
        answer = stranger.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path",
    ["/token/", "//token", "/Token", "/token;x", "/./token", "/x/../token", "/token%20", "/%74oken", "/authorize/"],
)
def test_i08_only_the_exact_path_answers(target: Target, path: str) -> None:
    start = f"POST {path} HTTP/1.1".encode()
    answer = raw(target, start, f"Host: {urlsplit(target.issuer).netloc}".encode(), b"Content-Length: 0")
    assert answer.split(b" ")[1] == b"404"


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b'"grant_type=client_credentials"',
        b'{"grant_type":["client_credentials"]}',
        b'{"grant_type":{"a":1}}',
        b'{"scope":1}',
        b'{"scope":"query","SCOPE":null}',
        b'{"grant_type":"client_credentials","grant_typ\\u0065":"client_credentials"}',
        b"\xef\xbb\xbf{}",
    ],
)
def test_i13_json_that_is_not_one_flat_object_of_strings_is_refused(target: Target, content: bytes) -> None:
    with target.stranger() as stranger:
        answer = stranger.post("/token", content=content, headers={"Content-Type": "application/json"})
    assert_refused(answer, 400, "invalid_request")


@pytest.mark.parametrize("scope", ["ｑｕｅｒｙ", "quеry", "query\u200b", "query\xa0schemas:read"])
def test_i13_scopes_that_only_look_right_are_refused(target: Target, scope: str) -> None:
    answer = target.token(target.server.automation, grant_type="client_credentials", scope=scope)
    assert_refused(answer, 400, "invalid_scope")
