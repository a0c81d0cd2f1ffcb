"""The one JSON reader of both services."""

import pytest

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
