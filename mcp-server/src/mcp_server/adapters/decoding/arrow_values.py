"""One column of one page as Arrow's JSON reader delivers it, or None when a value does not fit the column's type.

The reader takes an AttributeValue for a struct of its descriptors. Whatever has another descriptor than is asked for
leaves such a struct empty, which counting finds.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.adapters.decoding.column_types import NESTED
from mcp_server.adapters.decoding.column_values import NUMBERS, arrow_type
from mcp_server.domain.instants import FIRST, LAST, EpochUnit
from mcp_server.domain.schema import DOCUMENT_COLUMN, AttributeType, Column, ColumnType, TypeKind

_FAST = {
    AttributeType.STRING: frozenset({TypeKind.VARCHAR, TypeKind.DATE, TypeKind.TIMESTAMPTZ}),
    AttributeType.NUMBER: NUMBERS | {TypeKind.VARCHAR, TypeKind.TIMESTAMPTZ},
    AttributeType.BOOLEAN: frozenset({TypeKind.BOOLEAN}),
}
_TEXTS = (AttributeType.STRING, AttributeType.NUMBER, AttributeType.BOOLEAN)
"""What a text within maps and lists may have been."""
_FLAT = (*_TEXTS, AttributeType.BINARY)
_SETS = tuple(
    (descriptor, pa.list_(pa.string()))
    for descriptor in (AttributeType.STRING_SET, AttributeType.NUMBER_SET, AttributeType.BINARY_SET)
)
_PER_UNIT: Mapping[EpochUnit, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
_DAY = 86_400_000_000
_FIRST_DAY = (date.min - date(1970, 1, 1)).days


def is_nested(column: Column) -> bool:
    """Whether the column holds maps or lists, of which Arrow's reader would pass over fields that are not known."""
    return column.type.kind in (TypeKind.STRUCT, TypeKind.LIST)


def fast_struct(column: Column) -> pa.DataType | None:
    """How Arrow's JSON reader is to read the attribute; None when the column is not of a kind that it can deliver."""
    types = column.attribute_types - {AttributeType.NULL}
    if column.name == DOCUMENT_COLUMN or len(types) != 1:
        return None
    descriptor = next(iter(types))
    if column.type.kind is TypeKind.TIMESTAMPTZ and (descriptor is AttributeType.STRING) != (column.type.unit is None):
        return None
    if descriptor in NESTED:
        return _form(column.type) if is_nested(column) else None
    return _tagged((descriptor, _content(descriptor))) if column.type.kind in _FAST.get(descriptor, ()) else None


def passed_over(column: Column) -> pa.DataType | None:
    """How it is to read an attribute that it cannot deliver, so that it stands no other one in the way."""
    if column.name == DOCUMENT_COLUMN or not column.attribute_types.isdisjoint(NESTED):
        return None
    return _tagged(*((descriptor, _content(descriptor)) for descriptor in _FLAT), *_SETS)


def fast_array(column: Column, values: pa.StructArray) -> pa.Array | None:
    """The column from what Arrow read by `fast_struct`."""
    try:
        return _nested(values, column.type) if is_nested(column) else _scalar(values, column.type)
    except (_DoesNotFit, pa.ArrowException):
        return None


class _DoesNotFit(Exception):
    """A value has another descriptor, or is not in the range of the type."""


def _form(type_: ColumnType) -> pa.DataType | None:
    """How Arrow's reader is to read values of a type within maps and lists."""
    if type_.kind is TypeKind.STRUCT:
        fields = [(name, _form(field)) for name, field in type_.fields]
        known = [pa.field(name, form) for name, form in fields if form is not None]
        return _tagged((AttributeType.MAP, pa.struct(known))) if len(known) == len(fields) else None
    if type_.kind is TypeKind.LIST:
        form = _form(type_.element) if type_.element is not None else None
        return _tagged((AttributeType.LIST, pa.list_(form))) if form is not None else None
    if type_.kind is TypeKind.VARCHAR:
        return _tagged(*((descriptor, _content(descriptor)) for descriptor in _TEXTS))
    if type_.kind in NUMBERS:
        return _tagged((AttributeType.NUMBER, pa.string()))
    return _tagged((AttributeType.BOOLEAN, pa.bool_())) if type_.kind is TypeKind.BOOLEAN else None


def _content(descriptor: AttributeType) -> pa.DataType:
    return pa.bool_() if descriptor is AttributeType.BOOLEAN else pa.string()


def _tagged(*contents: tuple[AttributeType, pa.DataType]) -> pa.DataType:
    return pa.struct([*((tag.value, type_) for tag, type_ in contents), (AttributeType.NULL.value, pa.bool_())])


def _contents(values: pa.StructArray) -> Sequence[pa.Array]:
    """What the values hold by descriptor, but for NULL."""
    contents = [pc.struct_field(values, [place]) for place in range(values.type.num_fields)]
    # Present, but neither of a known type nor NULL: the struct is there and all in it is missing.
    if sum(len(content) - content.null_count for content in contents) != len(values) - values.null_count:
        raise _DoesNotFit
    return contents[:-1]


def _nested(values: pa.StructArray, type_: ColumnType) -> pa.Array:
    if type_.kind is TypeKind.STRUCT:
        (maps,) = _contents(values)
        # Some fields may be wanted of those that were read.
        places = [maps.type.get_field_index(name) for name, _ in type_.fields]
        children = [
            _nested(pc.struct_field(maps, [place]), field)
            for place, (_, field) in zip(places, type_.fields, strict=True)
        ]
        fields = [pa.field(name, child.type) for (name, _), child in zip(type_.fields, children, strict=True)]
        return pa.StructArray.from_arrays(children, fields=fields, mask=maps.is_null())
    if type_.kind is TypeKind.LIST and type_.element is not None:
        (lists,) = _contents(values)
        members = _nested(lists.flatten(), type_.element)
        ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(lists), 0))
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
        return pa.ListArray.from_arrays(offsets, members, mask=lists.is_null())
    if type_.kind is TypeKind.VARCHAR:
        texts, numbers, booleans = _contents(values)
        if numbers.null_count == booleans.null_count == len(values):
            return texts
        return pc.coalesce(texts, numbers, booleans.cast(pa.string()))
    return _scalar(values, type_)


def _scalar(values: pa.StructArray, type_: ColumnType) -> pa.Array:
    (content,) = _contents(values)
    wanted = arrow_type(type_)
    if content.type == wanted:
        return content
    if type_.kind is TypeKind.TIMESTAMPTZ:
        return _instants(content, type_.unit, wanted)
    # Strict: a cast that would lose a digit, or read "2024-1-1" as a date, fails.
    array = content.cast(wanted)
    if type_.kind is TypeKind.DOUBLE and pc.any(pc.is_inf(array)).as_py():
        raise _DoesNotFit
    if type_.kind is TypeKind.DATE:
        first = pc.min(array.cast(pa.int32())).as_py()
        if first is not None and first < _FIRST_DAY:
            raise _DoesNotFit
    return array


def _instants(content: pa.Array, unit: EpochUnit | None, wanted: pa.DataType) -> pa.Array:
    """Whole numbers, and texts that all have a zone; others take the slow way."""
    if unit is None:
        array, first = content.cast(wanted), FIRST + _DAY  # Arrow knows a year 0, of which a zone may end in year 1
    else:
        array, first = pc.multiply_checked(content.cast(pa.int64()), _PER_UNIT[unit]).cast(wanted), FIRST
    ends = pc.min_max(array.cast(pa.int64())).as_py()
    if ends["min"] is not None and not (ends["min"] >= first and ends["max"] <= LAST):
        raise _DoesNotFit
    return array
