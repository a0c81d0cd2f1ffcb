"""Counts the values of a column of numbers and texts that are compared with a number, and are none."""

import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.domain.schema import Path
from mcp_server.engine.stored_parts import below, display_name, in_json, is_json
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
            numbers = pc.match_substring_regex(_texts(values, path), _NUMBER, ignore_case=True)
            found[display_name(column.name, path)] = pc.sum(pc.invert(numbers)).as_py() or 0
    return found


def _texts(values: pa.Array, path: Path) -> pa.Array:
    """What a part holds, as texts; of JSON neither NULL nor what is missing."""
    part, rest = below(values, path)
    if not rest and not is_json(part):
        return part
    return pa.array([one if isinstance(one, str) else str(one) for one in in_json(part, rest)], pa.string())
