"""DynamoDB's AttributeValues as numbers, JSON and sizes.

Source: Amazon DynamoDB API Reference, AttributeValue; Developer Guide, "Item sizes and formats" and "Supported data
types". Whatever breaks that grammar raises MalformedValue: the endpoint is not DynamoDB, or not well.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from mcp_server.domain.schema import AttributeType, ColumnType, TypeKind

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]
_ITEMS = msgspec.json.Decoder(list[Item])

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,37})")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")
"""Those of them that are numbers of JSON as well, letter by letter."""
_MAX_NUMBER_LENGTH = 256
_INT64 = 2**63
PRECISION = 38
"""Digits of a DynamoDB number and of DuckDB's widest DECIMAL."""

_json = msgspec.json.Encoder(order="deterministic")


class MalformedValue(ValueError):
    """Not an AttributeValue. The text names no data."""


def items_of(text: bytes, count: int) -> list[Item]:
    """The items of a JSON array. Raises msgspec.DecodeError, and MalformedValue if they are not `count` many."""
    items = _ITEMS.decode(text)
    if len(items) != count:
        message = "another number of items than it counts"
        raise MalformedValue(message)
    return items


def tagged(value: AttributeValue) -> tuple[str, Any]:
    """The descriptor and the content of an AttributeValue."""
    if len(value) != 1:
        raise MalformedValue("an attribute value must have exactly one descriptor")
    return next(iter(value.items()))


def number(text: Any) -> Decimal:
    """The exact value of an N."""
    if not isinstance(text, str) or len(text) > _MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(text):
        raise MalformedValue("not a number")
    return Decimal(text)


def binary(text: Any) -> bytes:
    """The bytes of a B."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise MalformedValue("not base64") from None


def plain(value: AttributeValue) -> Any:
    """The value without descriptors, ready for `json_text`; numbers keep their exact digits, sets become sorted."""
    try:
        ((kind, content),) = value.items()
        convert = _PLAIN[kind]
    except (KeyError, ValueError):
        raise MalformedValue("not exactly one known descriptor") from None
    return convert(content)


def _plain_text(content: Any) -> str:
    if type(content) is not str:
        raise MalformedValue("not a text")
    return content


def _plain_boolean(content: Any) -> bool:
    if type(content) is not bool:
        raise MalformedValue("not a boolean")
    return content


def _plain_map(content: Any) -> dict[str, Any]:
    if type(content) is not dict:
        raise MalformedValue("not a map")
    return {name: plain(member) for name, member in content.items()}


def _plain_list(content: Any) -> list[Any]:
    if type(content) is not list:
        raise MalformedValue("not a list")
    return [plain(member) for member in content]


def json_text(value: Any) -> str:
    """Compact JSON with sorted member names, of what `plain` gives."""
    return _json.encode(value).decode()


def text(value: AttributeValue) -> str | None:
    """A value as the text that a column of several types holds."""
    kind, content = tagged(value)
    if kind == AttributeType.NULL:
        return None
    if kind in (AttributeType.STRING, AttributeType.BINARY) and isinstance(content, str):
        return content
    if kind == AttributeType.NUMBER:
        number(content)
        return str(content)
    if kind == AttributeType.BOOLEAN and isinstance(content, bool):
        return "true" if content else "false"
    return json_text(plain(value))


def sorted_texts(members: Any) -> list[str]:
    """The members of an SS or BS in a fixed order: DynamoDB promises none."""
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise MalformedValue("a set must hold texts")
    return sorted(members)


def sorted_numbers(members: Any) -> list[str]:
    """The members of an NS by value."""
    if not isinstance(members, list):
        raise MalformedValue("a set must be a list")
    return sorted(members, key=number)


def _json_number(content: Any) -> msgspec.Raw:
    if type(content) is str and len(content) <= _MAX_NUMBER_LENGTH and _JSON_NUMBER.fullmatch(content):
        return msgspec.Raw(content.encode())
    return msgspec.Raw(format(number(content), "f").encode())


_PLAIN: dict[str, Callable[[Any], Any]] = {
    AttributeType.STRING.value: _plain_text,
    AttributeType.NUMBER.value: _json_number,
    AttributeType.BINARY.value: _plain_text,
    AttributeType.BOOLEAN.value: _plain_boolean,
    AttributeType.NULL.value: lambda _: None,
    AttributeType.MAP.value: _plain_map,
    AttributeType.LIST.value: _plain_list,
    AttributeType.STRING_SET.value: sorted_texts,
    AttributeType.BINARY_SET.value: sorted_texts,
    AttributeType.NUMBER_SET.value: lambda members: [_json_number(text) for text in sorted_numbers(members)],
}
"""By descriptor, since documents consist of nothing else: a chain of comparisons takes four times as long."""


@dataclass(slots=True)
class Digits:
    """The room that some numbers need."""

    integer: int = 0
    scale: int = 0
    int64: bool = True

    def add(self, content: Any) -> None:
        """Makes room for one more N."""
        if isinstance(content, str) and _INTEGER.fullmatch(content):
            self.integer = max(self.integer, len(content.lstrip("-")))
            self.int64 = self.int64 and (len(content) < 19 or -_INT64 <= int(content) < _INT64)
            return
        value = number(content)
        _sign, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)
        significant = len(digits)
        while significant > 1 and digits[significant - 1] == 0:
            significant -= 1
            exponent += 1
        if value == 0:
            return
        self.integer = max(self.integer, significant + exponent)
        self.scale = max(self.scale, -exponent)
        self.int64 = self.int64 and exponent >= 0 and -_INT64 <= value < _INT64

    def type(self) -> ColumnType:
        """The narrowest exact type, or DOUBLE when no exact one has the room."""
        if self.int64:
            return ColumnType(TypeKind.BIGINT)
        if self.integer + self.scale <= PRECISION:
            return ColumnType(TypeKind.DECIMAL, scale=self.scale)
        return ColumnType(TypeKind.DOUBLE)


def size(item: Item) -> int:
    """What DynamoDB bills an item as, in bytes: names in UTF-8 plus values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: AttributeValue) -> int:
    kind, content = tagged(value)
    match kind:
        case AttributeType.STRING:
            return len(content.encode())
        case AttributeType.NUMBER:
            return _number_size(content)
        case AttributeType.BINARY:
            return len(content) * 3 // 4
        case AttributeType.STRING_SET:
            return sum(len(member.encode()) for member in content)
        case AttributeType.NUMBER_SET:
            return sum(_number_size(member) for member in content)
        case AttributeType.BINARY_SET:
            return sum(len(member) * 3 // 4 for member in content)
        case AttributeType.LIST:
            # "An attribute of type List or Map requires 3 bytes of overhead, regardless of its contents"; each element
            # takes one more byte.
            return 3 + sum(1 + _value_size(member) for member in content)
        case AttributeType.MAP:
            return 3 + size(content) + len(content)
    return 1  # BOOL and NULL


def _number_size(content: str) -> int:
    # A number takes about one byte for every two significant digits, and one byte more.
    digits = content.lstrip("-").replace(".", "").strip("0")
    return (len(digits) + 1) // 2 + 1 + content.startswith("-")
