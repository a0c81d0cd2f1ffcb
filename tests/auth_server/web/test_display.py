"""Names that strangers chose, as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from auth_server.web import display


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("Claude Code", "Claude Code"),
        ("Ünïcödé 日本語 😀", "Ünïcödé 日本語 😀"),
        ("  two\n\tlines ", "two lines"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("Cla\u200bude\ufeff", "Claude"),
        ("a\u2028b", "ab"),
        ("\u3164\u115f", "An app without a name"),
        ("\u200b", "An app without a name"),
        ("", "An app without a name"),
        ("Z" + "\u0301" * 50, "Ź\u0301\u0301"),
        ("x" * 500, "x" * 59 + "…"),
    ],
)
def test_b10_a_name_is_one_bounded_line_of_visible_characters(given_name: str, shown: str) -> None:
    assert display.name(given_name) == shown


@given(some.text(max_size=200))
def test_b10_no_name_is_empty_long_or_rearranges_its_surroundings(text: str) -> None:
    shown = display.name(text)
    assert 0 < len(shown) <= display.NAME_LIMIT
    assert shown.isprintable()
