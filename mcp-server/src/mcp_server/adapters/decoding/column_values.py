"""One column of one page from Python objects, or None when a value does not fit the column's type."""

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.adapters.decoding.column_types import NESTED
from mcp_server.adapters.decoding.nested_arrays import DoesNotFit, nested_array, part
from mcp_server.domain.dates import iso_date
from mcp_server.domain.instants import instant_of_number, instant_of_text
from mcp_server.domain.schema import DOCUMENT_COLUMN, AttributeType, Column, ColumnType, TypeKind

_ARROW_TYPES = {
    TypeKind.BOOLEAN: pa.bool_(),
    TypeKind.BIGINT: pa.int64(),
    TypeKind.DOUBLE: pa.float64(),
    TypeKind.VARCHAR: pa.string(),
    TypeKind.DATE: pa.date32(),
    TypeKind.TIMESTAMPTZ: pa.timestamp("us", "UTC"),
    TypeKind.BLOB: pa.binary(),
    TypeKind.JSON: pa.json_(pa.string()),
}
NUMBERS = frozenset({TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.DOUBLE})
_NULL = frozenset({AttributeType.NULL})
_ANY = frozenset(AttributeType)
_WITHIN = {
    TypeKind.VARCHAR: frozenset({AttributeType.STRING, AttributeType.NUMBER, AttributeType.BOOLEAN, AttributeType.NULL})
}
_INT64 = 2**63


def arrow_type(type_: ColumnType) -> pa.DataType:
    """The Arrow type that DuckDB reads as that SQL type."""
    if type_.kind is TypeKind.DECIMAL:
        return pa.decimal128(av.PRECISION, type_.scale)
    if type_.kind is TypeKind.LIST:
        assert type_.element is not None
        return pa.list_(arrow_type(type_.element))
    if type_.kind is TypeKind.STRUCT:
        return pa.struct([pa.field(name, arrow_type(field)) for name, field in type_.fields])
    return _ARROW_TYPES[type_.kind]


def slow_array(column: Column, items: list[av.Item], whole: Column | None = None) -> pa.Array | None:
    """The column, or some fields of the `whole` one, from Python objects. Raises MalformedValue."""
    try:
        types = column.attribute_types - _NULL
        if column.type.kind in (TypeKind.STRUCT, TypeKind.LIST) and types and types <= NESTED:
            type_ = whole.type if whole is not None else column.type
            parts = [part(item.get(column.name), column.type, type_) for item in items]
            return nested_array(parts, column.type, _scalar_array)
        if column.name == DOCUMENT_COLUMN:
            values = [av.json_text({name: av.plain(value) for name, value in item.items()}) for item in items]
        else:
            known = column.attribute_types | _NULL
            values = [_value(item.get(column.name), column.type, known) for item in items]
        if column.type.kind is TypeKind.JSON:
            return pa.ExtensionArray.from_storage(arrow_type(column.type), pa.array(values, pa.string()))
        return pa.array(values, arrow_type(column.type))
    except (DoesNotFit, pa.ArrowException):
        return None


def _scalar_array(values: Sequence[av.AttributeValue | None], type_: ColumnType) -> pa.Array:
    """Values within maps and lists: a text carries any scalar, as the text that a column of several types holds."""
    known = _WITHIN.get(type_.kind, _ANY)
    found = pa.array([_value(value, type_, known) for value in values], _storage(type_))
    return pa.ExtensionArray.from_storage(arrow_type(type_), found) if type_.kind is TypeKind.JSON else found


def _storage(type_: ColumnType) -> pa.DataType:
    return pa.string() if type_.kind is TypeKind.JSON else arrow_type(type_)


def _value(value: av.AttributeValue | None, type_: ColumnType, known: frozenset[AttributeType]) -> Any:
    if value is None:
        return None
    kind, content = av.tagged(value)
    if kind not in known:
        raise DoesNotFit
    if kind == AttributeType.NULL:
        return None
    if type_.kind is TypeKind.JSON:
        return av.json_text(av.plain(value))
    if type_.kind is TypeKind.VARCHAR:
        return av.text(value)
    if type_.kind is TypeKind.LIST:
        assert type_.element is not None
        return _members(AttributeType(kind), content, type_.element)
    return _scalar(AttributeType(kind), content, type_)


def _members(kind: AttributeType, content: Any, element: ColumnType) -> list[Any]:
    if kind is AttributeType.STRING_SET and element.kind is TypeKind.VARCHAR:
        return av.sorted_texts(content)
    if kind is AttributeType.NUMBER_SET:
        return [_scalar(AttributeType.NUMBER, member, element) for member in av.sorted_numbers(content)]
    if kind is AttributeType.BINARY_SET and element.kind is TypeKind.BLOB:
        return sorted(av.binary(member) for member in content)
    raise DoesNotFit


def _scalar(kind: AttributeType, content: Any, type_: ColumnType) -> Any:
    if kind is AttributeType.NUMBER and type_.kind in NUMBERS:
        return _number(content, type_)
    if kind is AttributeType.STRING and type_.kind is TypeKind.DATE and (day := iso_date(content)):
        return day
    if type_.kind is TypeKind.TIMESTAMPTZ and (instant := _instant(kind, content, type_)) is not None:
        return instant
    if kind is AttributeType.BOOLEAN and type_.kind is TypeKind.BOOLEAN:
        return content
    if kind is AttributeType.BINARY and type_.kind is TypeKind.BLOB:
        return av.binary(content)
    raise DoesNotFit


def _instant(kind: AttributeType, content: Any, type_: ColumnType) -> int | None:
    if type_.unit is None:
        return instant_of_text(content) if kind is AttributeType.STRING else None
    return instant_of_number(av.number(content), type_.unit) if kind is AttributeType.NUMBER else None


def _number(content: Any, type_: ColumnType) -> Any:
    value = av.number(content)
    if type_.kind is TypeKind.DECIMAL:
        return value
    if type_.kind is TypeKind.DOUBLE:
        double = float(value)
        if math.isinf(double):
            raise av.MalformedValue("a number beyond DynamoDB's range")
        return double
    if value != value.to_integral_value() or not -_INT64 <= value < _INT64:
        raise DoesNotFit
    return int(value)
