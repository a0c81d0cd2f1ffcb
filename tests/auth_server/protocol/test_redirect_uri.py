"""Which redirect URIs may be registered, and what matches them: H03–H06, A03–A13."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auth_server.protocol import redirect_uri
from auth_server.protocol.redirect_uri import Kind, UnacceptableRedirectUri

ACCEPTABLE = [
    ("https://claude.ai/api/mcp/auth_callback", Kind.WEB),
    ("https://chatgpt.com/connector/oauth/AbC_1-2", Kind.WEB),
    ("https://vscode.dev/redirect", Kind.WEB),
    ("https://example.com:8443/cb?x=1&y=%20", Kind.WEB),
    ("https://xn--bcher-kva.example/cb", Kind.WEB),
    ("https://[2001:db8::1]/cb", Kind.WEB),
    ("https://localhost/cb", Kind.WEB),
    ("http://localhost:8787/callback", Kind.LOOPBACK),
    ("http://localhost/callback", Kind.LOOPBACK),
    ("http://127.0.0.1/", Kind.LOOPBACK),
    ("http://127.0.0.1:33418", Kind.LOOPBACK),
    ("http://[::1]:1/cb", Kind.LOOPBACK),
    ("cursor://anysphere.cursor-mcp/oauth/callback", Kind.PRIVATE_SCHEME),
    ("claude://oauth", Kind.PRIVATE_SCHEME),
    ("com.example.app:/cb", Kind.PRIVATE_SCHEME),
    ("com.example.app://cb", Kind.PRIVATE_SCHEME),
    ("vscode-insiders://publisher.extension/cb", Kind.PRIVATE_SCHEME),
]

UNACCEPTABLE = [
    "",
    "/cb",
    "//example.com/cb",
    "example.com/cb",
    "https:",
    "https://",
    "https:///cb",
    "https:/example.com/cb",
    "https:example.com/cb",
    "https://user@example.com/cb",
    "https://user:password@example.com/cb",
    "https://example.com:0/cb",
    "https://example.com:65536/cb",
    "https://example.com:/cb",
    "https://example.com:a/cb",
    "https://example.com%2eevil.example/cb",
    "https://good.example\\@evil.example/",
    "https://example.com/cb#",
    "https://example.com/cb#fragment",
    "https://example.com/ cb",
    "https://example.com/\tcb",
    "https://example.com/cb\n",
    "https://exämple.com/cb",
    "https://*.example.com/cb",
    "https://example.com/*",
    "https://example.com/<script>",
    'https://example.com/"',
    "https://[::1",
    "https://example.com/cb?code=x",
    "https://example.com/cb?a=b&state=",
    "https://example.com/cb?%69ss=x",
    "https://example.com/" + "a" * 2048,
    "http://example.com/cb",
    "http://localhost.evil.example/cb",
    "http://localhost@evil.example/cb",
    "http://localhost:80@evil.example/cb",
    "http://127.0.0.1.evil.example/cb",
    "http://127.0.0.2/cb",
    "http://127.1/cb",
    "http://0.0.0.0/cb",
    "http://2130706433/cb",
    "http://0x7f000001/cb",
    "http://[::ffff:127.0.0.1]/cb",
    "http://[0:0:0:0:0:0:0:1]/cb",
    "http://LOCALHOST/cb",
    "http://localhost./cb",
    "http://localhost:0/cb",
    "http://localhost:080/cb",
    "http://localhost:65536/cb",
    "http://localhost:/cb",
    "http://localhostcb",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "javascript://x/%0aalert(1)",
    "java\nscript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "blob:https://example.com/x",
    "vbscript:x",
    "about:blank",
    "ws://localhost/cb",
    "wss://example.com/cb",
    "ftp://example.com/cb",
    "view-source:https://example.com",
    "urn:ietf:wg:oauth:2.0:oob",
    "intent://x#Intent;end",
    "cursor:",
    "cursor://",
    "cursor:///",
    "cursor://user@host/cb",
    "1cursor://host/cb",
    "cur_sor://host/cb",
]


@pytest.mark.parametrize(("uri", "kind"), ACCEPTABLE)
def test_a13_acceptable(uri: str, kind: Kind) -> None:
    assert redirect_uri.kind(uri) is kind


@pytest.mark.parametrize("uri", UNACCEPTABLE)
def test_h04_h05_h06_unacceptable(uri: str) -> None:
    with pytest.raises(UnacceptableRedirectUri):
        redirect_uri.kind(uri)


@pytest.mark.parametrize("uri", [uri for uri, _ in ACCEPTABLE])
def test_an_acceptable_uri_matches_itself_and_its_stored_form(uri: str) -> None:
    assert redirect_uri.matches(uri, uri)
    assert redirect_uri.matches(redirect_uri.canonical(uri), uri)


@pytest.mark.parametrize("path", ["", "/", "/callback", "/callback?x=1"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a09_loopback_port_is_free(host: str, path: str) -> None:
    for port in ("", ":1", ":49152", ":65535"):
        assert redirect_uri.matches(f"http://{host}{path}", f"http://{host}{port}{path}")
        assert redirect_uri.matches(f"http://{host}:3000{path}", f"http://{host}{port}{path}")


@pytest.mark.parametrize("presented", [*UNACCEPTABLE, "http://localhost:3/", "http://127.0.0.1/callback"])
def test_a10_what_does_not_match_a_loopback_uri(presented: str) -> None:
    assert not redirect_uri.matches("http://localhost/callback", presented)


def test_a11_ports_elsewhere_are_not_free() -> None:
    assert not redirect_uri.matches("https://example.com/cb", "https://example.com:444/cb")
    assert not redirect_uri.matches("https://localhost/cb", "https://localhost:444/cb")
    assert not redirect_uri.matches("cursor://host/cb", "cursor://host:1/cb")


_PIECES = st.sampled_from(
    [*"/\\:@#?%.&=[]*\n\t\x00 ", "http", "https", "://", "localhost", "127.0.0.1", "[::1]", "evil.example", ":80", "cb"]
)


@given(st.lists(_PIECES, max_size=10).map("".join) | st.text(max_size=40))
@example("http://[")
@example("http://localhost:٣/cb")
def test_any_text_is_judged_without_a_crash(text: str) -> None:
    try:
        kind = redirect_uri.kind(text)
    except UnacceptableRedirectUri:
        return
    assert text.isascii()
    assert "\\" not in text
    assert redirect_uri.matches(redirect_uri.canonical(text), text)
    assert (kind is Kind.LOOPBACK) == text.startswith("http:")
    assert redirect_uri.shown_host(text)


@given(st.lists(_PIECES, max_size=10).map("".join))
def test_only_the_port_may_differ(rest: str) -> None:
    registered = "http://localhost/cb"
    presented = f"http://localhost{rest}"
    if redirect_uri.matches(registered, presented):
        port = presented.removeprefix("http://localhost").removesuffix("/cb")
        assert port == "" or (port[0] == ":" and port[1:].isdigit() and 0 < int(port[1:]) <= 65535)


@given(st.text(max_size=30), st.text(max_size=30))
def test_a32_a33_added_parameters_cannot_leave_the_query(name: str, value: str) -> None:
    try:
        url = redirect_uri.with_parameters("https://example.com/cb?x=1", [(name, value)])
    except UnicodeEncodeError:
        return  # parameters with lone surrogates are refused before
    assert url.startswith("https://example.com/cb?x=1&")
    assert url.isascii()
    assert not set(url) & set(' \r\n\t"<>#\\')


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://a/cb", "https://a/cb?code=c"),
        ("https://a/cb?", "https://a/cb?code=c"),
        ("https://a/cb?x=1", "https://a/cb?x=1&code=c"),
        ("https://a/cb?x=1&", "https://a/cb?x=1&code=c"),
        ("com.example.app:/cb", "com.example.app:/cb?code=c"),
    ],
)
def test_parameters_are_added_to_the_uri_as_it_is(uri: str, expected: str) -> None:
    assert redirect_uri.with_parameters(uri, [("code", "c"), ("state", None)]) == expected
    assert redirect_uri.with_parameters(uri, []) == uri
