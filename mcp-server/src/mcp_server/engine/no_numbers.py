"""Counts the values of a column of numbers and texts that are compared with a number, and are none."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Path, written
from mcp_server.planning.plan import Relation

# What DuckDB's TRY_CAST to DOUBLE takes.
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_NUMBER = (
    rf"^\s*[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?\s*$|^\s*[+-]?(?:inf|infinity|nan)\s*$"
)


def no_numbers(relation: Relation, page: pa.RecordBatch) -> dict[str, int]:
    """How many values of a page are no numbers, by what people call them: `"code"`, `address.zip`, `lines[].qty`.

    `page` has the relation's columns in their order.
    """
    found: dict[str, int] = {}
    for column, values in zip(relation.columns, page.columns, strict=True):
        for path in [path for name, path in relation.as_numbers if name == column.name]:
            shown = quoted(column.name) + written(path) if path else f'"{column.name}"'
            numbers = pc.match_substring_regex(_texts(values, path), _NUMBER, ignore_case=True)
            found[shown] = pc.sum(pc.invert(numbers)).as_py() or 0
    return found


def _texts(values: pa.Array, path: Path) -> pa.Array:
    """The texts of a part, whichever place of a list it is in."""
    for number, step in enumerate(path):
        if pa.types.is_struct(values.type):
            if values.type.get_field_index(step or "") < 0:
                return pa.array([], pa.string())
            values = pc.struct_field(values, step)
        elif pa.types.is_list(values.type):
            values = pc.list_flatten(values)
        else:
            return pa.array(_in_json(values.to_pylist(), path[number:]), pa.string())
    return values


def _in_json(texts: Sequence[str | None], path: Path) -> Iterator[str]:
    """The scalars of a part of those texts that are JSON of maps or lists."""
    for text in texts:
        if text is not None and text.startswith(("{", "[")):
            with suppress(msgspec.DecodeError):
                yield from _scalars(msgspec.json.decode(text), path)


def _scalars(value: Any, path: Path) -> Iterator[str]:
    if path:
        within = value.get(path[0]) if isinstance(value, dict) and path[0] is not None else None
        members = value if isinstance(value, list) and path[0] is None else [within]
        for member in members:
            yield from _scalars(member, path[1:])
    elif isinstance(value, str | int | float):
        yield str(value)
