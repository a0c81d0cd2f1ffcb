"""The shape that texts share fits each of them, and no text that is written otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.domain.text_shape import begins, shape_of, shared

TEXTS = st.text(st.sampled_from("aZ09#-é*"), max_size=6)


@pytest.mark.parametrize(
    ("texts", "shape"),
    [
        (["2026-01-05T09:32:44Z", "2026-10-27T08:57:13Z"], "0000-00-00A00:00:00A"),
        (["CUSTOMER#0001"], "AAAAAAAA#0000"),
        (["3f", "a0", "Bc"], "**"),
        (["ORDER#1", "ORDER#10"], None),
        (["a-1", "a/1"], None),
        (["a1", "-1"], None),
        (["2*3"], None),
        (["é1", "é2"], "é0"),
        ([""], ""),
    ],
)
def test_texts_share_a_shape_if_they_are_written_alike(texts: list[str], shape: str | None) -> None:
    found = shape_of(texts[0])
    for text in texts[1:]:
        found = shared(found, shape_of(text))
    assert found == shape


@given(TEXTS, TEXTS)
def test_a_shared_shape_fits_both(one: str, other: str) -> None:
    shape = shared(shape_of(one), shape_of(other))
    assert shape == shared(shape_of(other), shape_of(one))
    if shape is not None:
        assert all(begins(text[:end], shape) for text in (one, other) for end in range(len(text) + 1))
        assert not begins(one + "a", shape)
        assert not one or not begins("é" + one[1:], shape) or one[0] == "é"


def test_another_kind_of_character_does_not_fit() -> None:
    assert begins("2026-03", "0000-00-00")
    assert not begins("2026/03", "0000-00-00")
    assert not begins("customer#0001", "AAAAAAAA#0000")
    assert begins("aZ9", "***")
    assert not begins("a-9", "***")
