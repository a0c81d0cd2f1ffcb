"""Takes parts of the columns of a page out of it: fields of maps, elements of lists, also where they are JSON."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Path, written


def display_name(column: str, path: Path) -> str:
    """What people call a part of a column: `"code"`, `address.zip`, `lines[].qty`."""
    return quoted(column) + written(path) if path else f'"{column}"'


def below(values: pa.Array, path: Path) -> tuple[pa.Array, Path]:
    """The values of a part, from any place of a list, as far as structs and lists go, and the rest of the path.

    The rest leads through JSON, which is given as texts.
    """
    for number, step in enumerate(path):
        if pa.types.is_struct(values.type):
            place = values.type.get_field_index(step or "")
            if place < 0:
                return pa.array([], pa.string()), ()
            values = pc.struct_field(values, [place])
        elif pa.types.is_list(values.type):
            values = pc.list_flatten(values)
        else:
            return values, path[number:]
    return values, ()


def is_json(values: pa.Array) -> bool:
    """Whether an array holds JSON."""
    return isinstance(values.type, pa.JsonType)


def in_json(texts: pa.Array, path: Path) -> Iterator[Any]:
    """The values of a part, but for NULL, of those texts that are JSON."""
    for text in texts.to_pylist():
        if text is not None:
            with suppress(msgspec.DecodeError):
                yield from _within(msgspec.json.decode(text), path)


def _within(value: Any, path: Path) -> Iterator[Any]:
    if path:
        within = value.get(path[0]) if isinstance(value, dict) and path[0] is not None else None
        members = value if isinstance(value, list) and path[0] is None else [within]
        for member in members:
            yield from _within(member, path[1:])
    elif value is not None:
        yield value
