"""Maps and lists as Arrow structs and lists."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from mcp_server.adapters.decoding import attribute_values as av
from mcp_server.domain.schema import AttributeType, ColumnType, TypeKind

Scalars = Callable[[Sequence[av.AttributeValue | None], ColumnType], pa.Array]
"""The array of values that are neither maps nor lists; raises DoesNotFit."""


class DoesNotFit(Exception):
    """A value is of a type, or of a size, that the column does not have."""


def nested_array(values: Sequence[av.AttributeValue | None], type_: ColumnType, scalars: Scalars) -> pa.Array:
    """The array of AttributeValues, None where there is none. Raises DoesNotFit, MalformedValue."""
    if type_.kind is TypeKind.STRUCT:
        return _structs(values, type_, scalars)
    if type_.kind is TypeKind.LIST and type_.element is not None:
        return _lists(values, type_.element, scalars)
    return scalars(values, type_)


def part(value: av.AttributeValue | None, type_: ColumnType, whole: ColumnType) -> av.AttributeValue | None:
    """Of a map, only the fields of the type, where that has fewer than the column as a whole."""
    if value is None or type_ == whole:
        return value
    kind, content = av.tagged(value)
    if kind != AttributeType.MAP or not isinstance(content, dict):
        return value
    fields, known = dict(type_.fields), dict(whole.fields)
    kept = {name: part(member, fields[name], known[name]) for name, member in content.items() if name in fields}
    return {kind: kept}


def takes_every_field(type_: ColumnType, whole: ColumnType) -> bool:
    """Whether the type has all fields of some map that the column as a whole holds."""
    if type_.kind is TypeKind.LIST and type_.element is not None:
        return takes_every_field(type_.element, type_.element)
    fields = dict(whole.fields)
    return type_.kind is TypeKind.STRUCT and (
        type_ == whole or any(takes_every_field(field, fields[name]) for name, field in type_.fields)
    )


def _structs(values: Sequence[av.AttributeValue | None], type_: ColumnType, scalars: Scalars) -> pa.Array:
    maps = [_content(value, AttributeType.MAP, dict) for value in values]
    names = [name for name, _ in type_.fields]
    known = frozenset(names)
    if any(one is not None and not one.keys() <= known for one in maps):
        raise DoesNotFit
    children = [
        nested_array([None if one is None else one.get(name) for one in maps], field, scalars)
        for name, field in type_.fields
    ]
    missing = pa.array([one is None for one in maps], pa.bool_())
    fields = [pa.field(name, child.type) for name, child in zip(names, children, strict=True)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=missing)


def _lists(values: Sequence[av.AttributeValue | None], element: ColumnType, scalars: Scalars) -> pa.Array:
    lists = [_content(value, AttributeType.LIST, list) for value in values]
    members = nested_array([member for one in lists if one is not None for member in one], element, scalars)
    offsets: list[int | None] = []
    at = 0
    for one in lists:
        offsets.append(None if one is None else at)
        at += 0 if one is None else len(one)
    return pa.ListArray.from_arrays(pa.array([*offsets, at], pa.int32()), members)


def _content(value: av.AttributeValue | None, wanted: AttributeType, form: type) -> Any:
    if value is None:
        return None
    kind, content = av.tagged(value)
    if kind == AttributeType.NULL:
        return None
    if kind != wanted:
        raise DoesNotFit
    if not isinstance(content, form):
        message = "not of the form that its descriptor says"
        raise av.MalformedValue(message)
    return content
