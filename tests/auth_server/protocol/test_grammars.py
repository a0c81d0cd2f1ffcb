"""Our parsers beside the grammars of the RFCs, which an independent library reads as they are printed.

Whatever is accepted is in the grammar. What is in the grammar and yet refused has a name, and a row in
docs/endpoints.md.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from abnf import ParseError, Rule
from abnf.grammars import rfc3986
from hypothesis import assume, example, given
from hypothesis import strategies as st

from auth_server.protocol import redirect_uri
from shared_kernel import scope
from tests.support.processes import REPOSITORY


class Scopes(Rule):
    """RFC 6749, Appendix A."""


for line in (
    "scope = scope-token *( SP scope-token )",
    "scope-token = 1*NQCHAR",
    "NQCHAR = %x21 / %x23-5B / %x5D-7E",
):
    Scopes.create(line)


def is_in(rule: Any, text: str) -> bool:
    """Whether the rule derives the text, the whole of it."""
    try:
        rule.parse_all(text)
    except ParseError:
        return False
    return True


def is_acceptable(uri: str) -> bool:
    try:
        redirect_uri.kind(uri)
    except redirect_uri.UnacceptableRedirectUri:
        return False
    return True


# RFC 3986, rule by rule. `*` and bounds are smaller than there, for speed.
ALPHA, DIGIT = st.sampled_from("abcxyzABCXYZ"), st.sampled_from("0123456789")
UNRESERVED = st.one_of(ALPHA, DIGIT, st.sampled_from("-._~"))
PCT_ENCODED = st.tuples(*[st.sampled_from("0123456789abcdefABCDEF")] * 2).map(lambda pair: "%" + "".join(pair))
SUB_DELIMS = st.sampled_from("!$&'()*+,;=")
PCHAR = st.one_of(UNRESERVED, PCT_ENCODED, SUB_DELIMS, st.sampled_from(":@"))


def many(each: st.SearchStrategy[str], at_least: int = 0, at_most: int = 6) -> st.SearchStrategy[str]:
    return st.lists(each, min_size=at_least, max_size=at_most).map("".join)


SCHEME = st.one_of(
    st.sampled_from(["https", "http", "HTTPS", "com.example.app", "cursor", "javascript", "urn", "x"]),
    st.tuples(ALPHA, many(st.one_of(ALPHA, DIGIT, st.sampled_from("+-.")))).map("".join),
)
REG_NAME = st.one_of(
    st.sampled_from(["localhost", "good.example", "xn--bcher-kva.example", "a_b.example", "a.example."]),
    many(st.one_of(UNRESERVED, PCT_ENCODED, SUB_DELIMS)),
)
IP_LITERAL = st.sampled_from(["[::1]", "[2001:db8::7]", "[::ffff:127.0.0.1]", "[v1.a:b]", "[1:2:3:4:5:6:7:8]"])
IPV4 = st.sampled_from(["127.0.0.1", "10.0.0.1", "0.0.0.0", "192.0.2.1"])
USERINFO = many(st.one_of(UNRESERVED, PCT_ENCODED, SUB_DELIMS, st.just(":")))
AUTHORITY = st.tuples(
    st.one_of(st.just(""), st.just(""), USERINFO.map(lambda text: f"{text}@")),
    st.one_of(IP_LITERAL, IPV4, REG_NAME),
    st.one_of(st.just(""), many(DIGIT).map(lambda text: f":{text}")),
).map("".join)
SEGMENT_NZ = many(PCHAR, at_least=1)
ABEMPTY = many(many(PCHAR, at_most=3).map(lambda text: f"/{text}"), at_most=3)
HIER_PART = st.one_of(
    st.tuples(st.just("//"), AUTHORITY, ABEMPTY).map("".join),
    st.tuples(st.just("/"), st.one_of(st.just(""), st.tuples(SEGMENT_NZ, ABEMPTY).map("".join))).map("".join),
    st.tuples(SEGMENT_NZ, ABEMPTY).map("".join),
    st.just(""),
)
QUERY = st.one_of(
    st.sampled_from(["?x=1", "?code=1", "?a=%63ode&state=", "?a&iss"]),
    many(st.one_of(PCHAR, st.sampled_from("/?"))).map(lambda text: f"?{text}"),
    st.just(""),
)
ABSOLUTE_URI = st.tuples(SCHEME, st.just(":"), HIER_PART, QUERY).map("".join)
ABSOLUTE_URI_RULE = rfc3986.Rule("absolute-URI")

NEARLY = st.tuples(
    ABSOLUTE_URI,
    st.integers(0, 60),
    st.sampled_from(["", "%", "%z", "[", "]", "#", " ", "^", "|", "{", '"', "é", "\n"]),
).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :])
"""URIs with something in them that the grammar does not have there."""


@pytest.mark.slow
@given(st.one_of(ABSOLUTE_URI, NEARLY))
@example("https://a.example/%zz")
@example("https://a.example/[x]")
@example("com.example.app://a:b/cb")
@example("com.example.app://[a]/cb")
def test_every_redirect_uri_that_is_accepted_is_an_absolute_uri(uri: str) -> None:
    """RFC 6749 §3.1.2: it "MUST be an absolute URI as defined by [RFC3986] Section 4.3"."""
    assume(is_acceptable(uri))
    assert is_in(ABSOLUTE_URI_RULE, uri)


# Grammatical, and refused. Each says so by itself, without the parser's own code.
SCHEME_OF = re.compile(r"([a-z][a-z0-9+.\-]*):", re.IGNORECASE)
AUTHORITY_OF = re.compile(r"[^:/?]+://([^/?]*)")
PLAIN_HOST = re.compile(r"[a-z0-9]([a-z0-9\-_.]*[a-z0-9])?\.?(:[0-9]+)?|\[[0-9a-f:.]+\](:[0-9]+)?", re.IGNORECASE)
RESPONSE_PARAMETERS = {
    "code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token", "access_token",
}  # fmt: skip


def scheme_of(uri: str) -> str:
    found = SCHEME_OF.match(uri)
    assert found
    return found[1].lower()


def authority_of(uri: str) -> str:
    found = AUTHORITY_OF.match(uri)
    return found[1] if found else ""


def port_of(uri: str) -> str:
    return found[1] if (found := re.search(r":([0-9]*)$", authority_of(uri))) else "1"


def parameter_names(uri: str) -> set[str]:
    return {name for name, _ in parse_qsl(uri.partition("?")[2], keep_blank_values=True)}


REFUSED: dict[str, tuple[Callable[[str], bool], str]] = {
    "length": (lambda uri: len(uri) > 2048, "https://a.example/" + "x" * 2048),
    "asterisk": (lambda uri: "*" in uri, "https://*.example/cb"),
    "userinfo": (lambda uri: "@" in authority_of(uri), "https://good.example@evil.example/"),
    "encoded authority": (lambda uri: "%" in authority_of(uri), "https://good%2eexample/cb"),
    "response parameter": (lambda uri: bool(RESPONSE_PARAMETERS & parameter_names(uri)), "https://a.example/cb?code=1"),
    "plain http": (
        lambda uri: (
            scheme_of(uri) == "http"
            and re.fullmatch(r"(localhost|127\.0\.0\.1|\[::1\])(:[1-9][0-9]{0,4})?", authority_of(uri)) is None
        ),
        "http://good.example/cb",
    ),
    "other letter case": (
        lambda uri: scheme_of(uri) == "http" and not uri.startswith("http:"),
        "HTTP://localhost/cb",
    ),
    "port": (
        lambda uri: port_of(uri) == "" or len(port_of(uri)) > 5 or int(port_of(uri)) not in range(1, 65536),
        "https://a.example:0/cb",
    ),
    "host": (
        lambda uri: scheme_of(uri) == "https" and PLAIN_HOST.fullmatch(authority_of(uri)) is None,
        "https://-a-.example-/cb",
    ),
    "address of the future": (lambda uri: authority_of(uri).startswith("[v"), "https://[v1.a:b]/cb"),
    "dangerous scheme": (
        lambda uri: scheme_of(uri) not in {"http", "https"} and not redirect_uri.is_private_scheme(scheme_of(uri)),
        "javascript:alert(1)",
    ),
    "nothing but a scheme": (lambda uri: not uri.partition(":")[2].strip("/"), "com.example.app:/"),
}
"""What is in RFC 3986 and no redirect URI here: whether a URI is such a one, and an example."""


@given(ABSOLUTE_URI)
@example("https://[::1]:8443/cb?x=%20")
def test_every_absolute_uri_that_is_refused_is_refused_for_a_documented_reason(uri: str) -> None:
    assert is_in(ABSOLUTE_URI_RULE, uri)
    if not is_acceptable(uri):
        assert [name for name, (applies, _) in REFUSED.items() if applies(uri)], uri


@pytest.mark.parametrize(("applies", "uri"), REFUSED.values(), ids=list(REFUSED))
def test_every_documented_reason_refuses_something_grammatical(applies: Callable[[str], bool], uri: str) -> None:
    assert is_in(ABSOLUTE_URI_RULE, uri)
    assert applies(uri)
    assert not is_acceptable(uri)


def test_every_reason_is_documented() -> None:
    text = (REPOSITORY / "docs/endpoints.md").read_text("utf-8")
    section = text.partition("### Redirect URIs\n")[2].partition("\n### ")[0]
    assert re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE) == list(REFUSED)


SCOPE_TOKEN = st.text(
    st.one_of(st.just("!"), st.characters(min_codepoint=0x23, max_codepoint=0x7E, exclude_characters="\\")),
    min_size=1,
    max_size=9,
)
SCOPE = st.lists(SCOPE_TOKEN, min_size=1, max_size=9).map(" ".join)
NEARLY_SCOPE = st.one_of(
    SCOPE,
    st.text(max_size=20),
    st.tuples(SCOPE, st.sampled_from([" ", '"', "\\", "\t", "\x7f", "é", "  x"])).map("".join),
)


def is_scope(text: str) -> bool:
    try:
        scope.parse(text)
    except scope.MalformedScope:
        return False
    return True


@given(NEARLY_SCOPE)
@example("")
def test_a_scope_is_accepted_exactly_if_it_is_in_the_grammar(text: str) -> None:
    """But for the empty one, which counts as left out (RFC 6749 §3.1), and for length."""
    assert is_scope(text) == (text == "" or is_in(Scopes("scope"), text))


def test_a_scope_has_1024_characters_at_most() -> None:
    longest = "a" * scope.MAX_LENGTH
    assert scope.MAX_LENGTH == 1024
    assert is_scope(longest)
    assert is_in(Scopes("scope"), longest + "a")
    assert not is_scope(longest + "a")
