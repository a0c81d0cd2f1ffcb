"""The forms of composite keys."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcp_server.domain.virtual_table import BadTemplate, Template


@pytest.mark.parametrize(
    ("form", "text", "held"),
    [
        ("ORDER#{id}", "ORDER#5", ("5",)),
        ("ORDER#{id}", "ORDER#", None),
        ("ORDER#{id}", "order#5", None),
        ("ORDER#{id}", "ORDER#5\n#x", ("5\n#x",)),
        ("ORDER#{day}#{id}", "ORDER#2026-01-01#7", ("2026-01-01", "7")),
        ("ORDER#{day}#{id}", "ORDER#2026-01-01#7#8", ("2026-01-01", "7#8")),
        ("ORDER#{day}#{id}", "ORDER##7", None),
        ("{tenant}|user", "acme|user", ("acme",)),
        ("{tenant}|user", "acme|user|user", None),
        ("PROFILE", "PROFILE", ()),
        ("a.b{x}", "aXb1", None),
    ],
)
def test_what_a_text_holds(form: str, text: str, held: tuple[str, ...] | None) -> None:
    assert Template.parse(form).read(text) == held


@pytest.mark.parametrize("form", ["", "{id}", "{a}{b}", "{a}#{a}", "x{", "x}", "x{a b}", "x{}", "x{{a}}", "#{1a}"])
def test_what_is_no_template(form: str) -> None:
    with pytest.raises(BadTemplate):
        Template.parse(form)


_PIECE = st.text("#|:AB", min_size=1, max_size=3)


@given(st.lists(_PIECE, min_size=1, max_size=4), st.data())
def test_a_text_has_the_beginnings_of_what_it_holds(pieces: list[str], data: st.DataObject) -> None:
    template = Template.parse("".join(f"{piece}{{c{i}}}" for i, piece in enumerate(pieces)))
    text = pieces[0] + data.draw(st.text("#|:AB1", max_size=12))
    held = template.read(text)
    assume(held is not None)
    assert held is not None
    assert template.beginning(held) == text
    for known in range(len(held)):
        assert text.startswith(template.beginning(held[:known]))
