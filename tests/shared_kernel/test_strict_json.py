"""The one JSON reader of both services."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_kernel.strict_json import Defect, Unreadable, parse, parse_object


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b' {"a": [1, 2.5, null, true, "\xc3\xa9"]} ', {"a": [1, 2.5, None, True, "é"]}),
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        (b'{"a": {"b": 1}, "c": {"b": 2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (b"[1e308]", [1e308]),
        (b'"text"', "text"),
    ],
)
def test_plain_json_is_read(document: bytes, value: object) -> None:
    assert parse(document) == value


@pytest.mark.parametrize(
    ("document", "defect"),
    [
        (b"", Defect.NOT_JSON),
        (b"{", Defect.NOT_JSON),
        (b"{} {}", Defect.NOT_JSON),
        (b"\xff{}", Defect.NOT_JSON),
        (b"\xef\xbb\xbf{}", Defect.NOT_JSON),
        ("{}".encode("utf-16"), Defect.NOT_JSON),
        (b'{"a": NaN}', Defect.NOT_JSON),
        (b'{"a": -Infinity}', Defect.NOT_JSON),
        (b'{"a": 1e999}', Defect.NOT_JSON),
        (b'{"a": "\\ud83d"}', Defect.NOT_JSON),
        (b'{"\\udc00": 1}', Defect.NOT_JSON),
        (b"[" * 200_000, Defect.NOT_JSON),
        (b"1" * 5_000, Defect.NOT_JSON),
        (b'{"a": 1, "a": 1}', Defect.REPEATED_NAME),
        (b'{"a":1,"a":1}', Defect.REPEATED_NAME),
        (b'{"":{"b":{}},"a":[{"":0,"":0}]}', Defect.REPEATED_NAME),
        (b'{"a": 1, "\\u0061": 2}', Defect.REPEATED_NAME),
        (b'[{"a": [{"b": 1, "b": 2}]}]', Defect.REPEATED_NAME),
    ],
)
def test_what_two_readers_could_understand_differently_is_refused(document: bytes, defect: Defect) -> None:
    with pytest.raises(Unreadable) as refusal:
        parse(document)
    assert refusal.value.defect is defect


@pytest.mark.parametrize("document", [b"[]", b"null", b"1", b'"{}"'])
def test_an_object_is_demanded(document: bytes) -> None:
    with pytest.raises(Unreadable) as refusal:
        parse_object(document)
    assert refusal.value.defect is Defect.NOT_AN_OBJECT


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('ab\n"é😀')
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3)
)


@given(_values, st.booleans(), st.sampled_from([None, (",", ":")]))
def test_every_spelling_of_a_value_is_read_as_python_reads_it(
    value: Any, ascii_only: bool, separators: tuple[str, str] | None
) -> None:
    """We chose it: compact documents are read another way than the rest, to the same values of the same types."""
    document = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    assert repr(parse(document)) == repr(json.loads(document))


@given(st.lists(st.tuples(st.text("ab", max_size=1), _values), max_size=4))
def test_an_object_is_read_exactly_if_its_names_differ(pairs: list[tuple[str, Any]]) -> None:
    """We chose it: also where it is written as compactly as can be."""
    members = ",".join(f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in pairs)
    document = f"{{{members}}}".encode()
    if len({name for name, _ in pairs}) == len(pairs):
        assert parse(document) == dict(pairs)
        return
    with pytest.raises(Unreadable) as refusal:
        parse(document)
    assert refusal.value.defect is Defect.REPEATED_NAME
