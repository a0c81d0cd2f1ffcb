"""Resource indicators have one canonical form: it becomes `aud`, and mcp-server compares it byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_kernel import resource
from shared_kernel.resource import MalformedResource


@pytest.mark.parametrize(
    ("given_uri", "canonical"),
    [
        ("https://mcp.example.com/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/mcp/", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com/", "https://mcp.example.com"),
        ("https://mcp.example.com", "https://mcp.example.com"),
        ("HTTPS://MCP.Example.COM/mcp", "https://mcp.example.com/mcp"),
        ("https://mcp.example.com:443/mcp", "https://mcp.example.com/mcp"),
        ("http://localhost:80/mcp", "http://localhost/mcp"),
        ("http://localhost:8000/mcp", "http://localhost:8000/mcp"),
        ("http://mcp.example.com:443/mcp", "http://mcp.example.com:443/mcp"),
        ("http://[::1]:8000/mcp", "http://[::1]:8000/mcp"),
        ("https://mcp.example.com/MCP", "https://mcp.example.com/MCP"),
        ("https://mcp.example.com/a%2Fb", "https://mcp.example.com/a%2Fb"),
        ("https://mcp.example.com/mcp?tenant=A", "https://mcp.example.com/mcp?tenant=A"),
    ],
)
def test_a28_case_of_the_host_default_port_and_trailing_slash_make_no_difference(
    given_uri: str, canonical: str
) -> None:
    assert resource.canonical(given_uri) == canonical
    assert resource.same(given_uri, canonical)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/mcp",
        "mcp",
        "//mcp.example.com/mcp",
        "https:///mcp",
        "https:mcp.example.com",
        "urn:example:mcp",
        "ftp://mcp.example.com/mcp",
        "javascript:alert(1)",
        "https://mcp.example.com/mcp#",
        "https://mcp.example.com/mcp#fragment",
        "https://user@mcp.example.com/mcp",
        "https://user:password@mcp.example.com/mcp",
        "https://mcp.example.com@evil.example/mcp",
        "https://@mcp.example.com/mcp",
        "https://mcp.example.com\\@evil.example/mcp",
        "https://mcp.example.com:port/mcp",
        "https://mcp.example.com:99999/mcp",
        "https://[::1/mcp",
        "https://mcp.example.com/m cp",
        "https://mcp.example.com/mcp\n",
        " https://mcp.example.com/mcp",
        "https://mcp.example.com/mcp\x00",
        "https://mcp.exämple.com/mcp",
        "https://mcp.example.com/" + "a" * 2048,
    ],
)
def test_a26_other_than_absolute_http_uris_are_malformed(uri: str) -> None:
    """RFC 8707 §2: absolute, without fragment. Userinfo and odd characters are refused by our own choice."""
    with pytest.raises(MalformedResource):
        resource.canonical(uri)
    assert not resource.same(uri, uri)


@pytest.mark.parametrize(
    "other",
    [
        "http://mcp.example.com/mcp",
        "https://mcp.example.com/mcp-other",
        "https://mcp.example.com/mcp/other",
        "https://mcp.example.com/Mcp",
        "https://mcp.example.com:8443/mcp",
        "https://mcp.example.com.evil.example/mcp",
        "https://mcp.example.com/mcp?x=1",
        "https://mcp.example.com/%6dcp",
    ],
)
def test_different_resources_are_not_the_same(other: str) -> None:
    assert not resource.same("https://mcp.example.com/mcp", other)


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("https://MCP.example.com:443/mcp/", "https://mcp.example.com"),
        ("http://localhost:8000/mcp?x=1", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_the_origin_is_scheme_host_and_port(uri: str, origin: str) -> None:
    assert resource.origin(uri) == origin


_PIECES = st.sampled_from(
    [
        "http",
        "https",
        "HTTP",
        ":",
        "//",
        "/",
        "?",
        "#",
        "@",
        "[",
        "]",
        "::1",
        "%",
        "..",
        ";",
        "example.com",
        ":80",
        ":443",
    ]
)
_URIS = st.text(max_size=60) | st.lists(_PIECES | st.text(max_size=3), max_size=10).map("".join)


@given(_URIS | _URIS.map("https://a".__add__) | _URIS.map("http://[::1]".__add__))
def test_every_text_is_malformed_or_has_one_canonical_form(text: str) -> None:
    try:
        canonical = resource.canonical(text)
    except MalformedResource:
        assert not resource.same(text, text)
        return
    assert resource.canonical(canonical) == canonical
    assert resource.same(text, canonical)
    assert canonical.startswith(resource.origin(text))
