"""Request parameters: strict, bounded, one meaning each."""

import json

import pytest

from auth_server.domain.failures import Refused
from auth_server.web.parameters import (
    FIELD_LIMIT,
    media_type,
    parse_flat_json,
    parse_form,
    parse_json_object,
)


@pytest.mark.parametrize(
    ("encoded", "pairs"),
    [
        (b"", []),
        (b"a=1&b=2", [("a", "1"), ("b", "2")]),
        (b"a=x+y%20z%2B", [("a", "x y z+")]),
        (b"a=%C3%A9", [("a", "é")]),
        (b"&a=1&&", [("a", "1")]),
        (b"a=1&a=2", [("a", "1"), ("a", "2")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=&b&c=1", [("a", ""), ("b", ""), ("c", "1")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
    ],
)
def test_a_form_gives_its_parameters_in_order(encoded: bytes, pairs: list[tuple[str, str]]) -> None:
    assert parse_form(encoded) == pairs


@pytest.mark.parametrize("encoded", [b"a=\xc3\xa9", b"a=%ff", b"a=%00", b"%00=a"])
def test_a_form_that_is_not_percent_encoded_text_is_refused(encoded: bytes) -> None:
    with pytest.raises(Refused):
        parse_form(encoded)


def test_as_many_parameters_as_the_limit_and_no_more_are_read() -> None:
    assert len(parse_form("&".join(f"p{n}=1" for n in range(FIELD_LIMIT)).encode())) == FIELD_LIMIT
    with pytest.raises(Refused):
        parse_form("&".join(f"p{n}=1" for n in range(FIELD_LIMIT + 1)).encode())


def test_flat_json_reads_like_a_form() -> None:
    body = {"grant_type": "client_credentials", "resource": ["https://a", "https://b"]}
    assert parse_flat_json(json.dumps(body).encode()) == [
        ("grant_type", "client_credentials"),
        ("resource", "https://a"),
        ("resource", "https://b"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b'{"a": 1}',
        b'{"a": null}',
        b'{"a": true}',
        b'{"a": {"b": "c"}}',
        b'{"a": ["b"]}',
        b'{"resource": [1]}',
        b'{"a": "1", "a": "2"}',
        b'{"a": "\\ud800"}',
        b'{"a": NaN}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b'{"a":' * 6000 + b"1" + b"}" * 6000,
    ],
)
def test_i13_json_that_is_not_one_flat_object_of_strings_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        parse_flat_json(body)


def test_a_repeated_name_is_refused_at_any_depth() -> None:
    with pytest.raises(Refused):
        parse_json_object(b'{"a": [{"b": 1, "b": 2}]}')


@pytest.mark.parametrize(
    "value", [b"application/json", b" Application/JSON ; charset=UTF-8 ", b'application/json;charset="utf-8"']
)
def test_a_content_type_is_read_without_case_or_parameters(value: bytes) -> None:
    assert media_type({"headers": [(b"content-type", value)]}) == "application/json"


@pytest.mark.parametrize("values", [[], [b"application/json", b"text/plain"], [b"application/json;charset=utf-16"]])
def test_i02_a_missing_repeated_or_foreign_content_type_is_refused(values: list[bytes]) -> None:
    with pytest.raises(Refused):
        media_type({"headers": [(b"content-type", value) for value in values]})
