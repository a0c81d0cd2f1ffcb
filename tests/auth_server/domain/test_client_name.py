"""Names that strangers chose, as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from auth_server.domain.client_name import NAME_LENGTH, safe_name


@pytest.mark.parametrize(
    ("given_name", "shown"),
    [
        ("Claude Code", "Claude Code"),
        ("Ünïcödé 日本語 😀", "Ünïcödé 日本語 😀"),
        ("  two\n\tlines ", "two lines"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("Cla\u200bude\ufeff", "Claude"),
        ("a\u2028b", "a b"),
        ("\u3164\u115f", ""),
        ("\u200b", ""),
        ("", ""),
        ("Z" + "\u0301" * 50, "Ź\u0301\u0301"),
        ("x" * 500, "x" * 79 + "…"),
    ],
)
def test_b10_a_name_is_one_bounded_line_of_visible_characters(given_name: str, shown: str) -> None:
    assert safe_name(given_name) == shown


@given(some.text(max_size=200))
def test_b10_no_name_is_long_or_rearranges_its_surroundings(text: str) -> None:
    shown = safe_name(text)
    assert 0 <= len(shown) <= NAME_LENGTH
    assert shown.isprintable()
    assert safe_name(shown) == shown
