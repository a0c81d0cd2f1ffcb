"""Scope lists as RFC 6749 §3.3 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_kernel import scope
from shared_kernel.scope import MalformedScope

_TOKENS = st.text(
    st.characters(codec="ascii", min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'),
    min_size=1,
    max_size=20,
)


@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("", set()),
        ("query", {"query"}),
        ("query schemas:read", {"query", "schemas:read"}),
        ("query query", {"query"}),
        ("Query", {"Query"}),
        ("!#[]~", {"!#[]~"}),
    ],
)
def test_a_scope_parameter_is_read(text: str, scopes: set[str]) -> None:
    assert scope.parse(text) == scopes


@pytest.mark.parametrize(
    "text",
    [" ", " query", "query ", "query  schemas:read", "query\tx", "query\n", 'a"b', "a\\b", "é", "a\x00b", "x" * 1025],
)
def test_a30_what_the_grammar_does_not_allow_is_malformed(text: str) -> None:
    """RFC 6749 §3.3; the greatest length is our own choice."""
    with pytest.raises(MalformedScope):
        scope.parse(text)


def test_scopes_are_written_in_one_order() -> None:
    scopes = {"zebra", "offline_access", "query", "alpha", "schemas:read"}
    assert scope.join(scopes) == "schemas:read query offline_access alpha zebra"


def test_no_scopes_are_written_as_nothing() -> None:
    assert scope.join(()) == ""


@given(st.frozensets(_TOKENS, max_size=10))
def test_what_is_written_is_read_back(scopes: frozenset[str]) -> None:
    assert scope.parse(scope.join(scopes)) == scopes


@given(st.text(max_size=50))
def test_every_text_is_malformed_or_a_set_of_tokens(text: str) -> None:
    try:
        scopes = scope.parse(text)
    except MalformedScope:
        return
    assert all(name and " " not in name and name.isascii() for name in scopes)
