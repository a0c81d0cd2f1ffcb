"""Attribute values as text, and the type that fits the values of a column."""

import pytest

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.adapters.decoding.attribute_values import Digits, MalformedValue
from mcp_server.domain.schema import ColumnType, TypeKind

DEEP: av.AttributeValue = {"N": "1"}
for _ in range(31):
    DEEP = {"L": [DEEP]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"S": "grüße \U0001f600 \x00"}, '"grüße \U0001f600 \\u0000"'),
        ({"N": "12345678901234567890.123456789012345678"}, "12345678901234567890.123456789012345678"),
        ({"N": "1E+125"}, "1E+125"),
        ({"N": ".5"}, "0.5"),
        ({"N": "+7"}, "7"),
        ({"N": "-0.10"}, "-0.10"),
        ({"B": "AAEC"}, '"AAEC"'),
        ({"BOOL": False}, "false"),
        ({"NULL": True}, "null"),
        ({"SS": ["b", "a"]}, '["a","b"]'),
        ({"NS": ["10", "9", "-1.5"]}, "[-1.5,9,10]"),
        ({"BS": ["Ag==", "AQ=="]}, '["AQ==","Ag=="]'),
        ({"M": {"b": {"N": "1"}, "a": {"L": [{"S": "x"}, {"NULL": True}]}}}, '{"a":["x",null],"b":1}'),
        ({"L": []}, "[]"),
        (DEEP, "[" * 31 + "1" + "]" * 31),
    ],
)
def test_values_become_plain_json_with_their_exact_digits(value: av.AttributeValue, text: str) -> None:
    assert av.json_text(av.plain(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"S": "x"}, "x"),
        ({"N": "1.50"}, "1.50"),
        ({"BOOL": True}, "true"),
        ({"B": "AAEC"}, "AAEC"),
        ({"NULL": True}, None),
        ({"M": {"a": {"N": "1"}}}, '{"a":1}'),
        ({"SS": ["b", "a"]}, '["a","b"]'),
    ],
)
def test_mixed_columns_hold_each_values_text(value: av.AttributeValue, text: str | None) -> None:
    assert av.text(value) == text


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"S": "x", "N": "1"},
        {"S": 1},
        {"N": 1},
        {"N": "NaN"},
        {"N": "Infinity"},
        {"N": "1_0"},
        {"N": "0x10"},
        {"N": " 1"},
        {"N": ""},
        {"N": "1" * 300},
        {"N": "1E99999"},
        {"BOOL": "true"},
        {"Q": "x"},
        {"M": []},
        {"L": {}},
        {"SS": [1]},
        {"NS": ["x"]},
    ],
)
def test_what_is_no_attribute_value_is_refused(value: av.AttributeValue) -> None:
    with pytest.raises(MalformedValue):
        av.plain(value)


def test_binary_that_is_not_base64_is_refused() -> None:
    with pytest.raises(MalformedValue):
        av.binary("AAE*")


@pytest.mark.parametrize(
    ("numbers", "kind", "scale"),
    [
        (["0"], TypeKind.BIGINT, None),
        (["-0", "100.00", "1E+2"], TypeKind.BIGINT, None),
        (["9223372036854775807", "-9223372036854775808"], TypeKind.BIGINT, None),
        (["9223372036854775808"], TypeKind.DECIMAL, 0),
        (["-9223372036854775809"], TypeKind.DECIMAL, 0),
        (["1.5", "2.25"], TypeKind.DECIMAL, 2),
        (["1.500"], TypeKind.DECIMAL, 1),
        (["9" * 38], TypeKind.DECIMAL, 0),
        (["1E-10"], TypeKind.DECIMAL, 10),
        (["9" * 30, "0.123456789"], TypeKind.DOUBLE, None),
        (["1E125"], TypeKind.DOUBLE, None),
        (["1E-130"], TypeKind.DOUBLE, None),
    ],
)
def test_numbers_take_the_narrowest_type_that_is_exact(numbers: list[str], kind: TypeKind, scale: int | None) -> None:
    digits = Digits()
    for number in numbers:
        digits.add(number)
    assert digits.type() == ColumnType(kind, scale=scale)


def test_size_is_what_dynamodb_bills() -> None:
    # Worked example of the developer guide's rules: names and texts in UTF-8, numbers two digits a byte plus one.
    assert av.size({"pk": {"S": "é"}, "n": {"N": "-12.5"}, "b": {"BOOL": True}}) == (2 + 2) + (1 + 4) + (1 + 1)
    assert av.size({"l": {"L": [{"S": "ab"}]}, "m": {"M": {"k": {"NULL": True}}}}) == (1 + 3 + 1 + 2) + (1 + 3 + 2 + 1)
    assert av.size({"s": {"SS": ["a", "bc"]}, "x": {"B": "AAEC"}}) == (1 + 3) + (1 + 3)
