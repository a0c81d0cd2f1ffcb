"""Counts the values of a column of numbers and texts that are compared with a number, and are none."""

import pyarrow as pa
import pyarrow.compute as pc

from mcp_server.planning.plan import Relation

# What DuckDB's TRY_CAST to DOUBLE takes.
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_NUMBER = (
    rf"^\s*[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?\s*$|^\s*[+-]?(?:inf|infinity|nan)\s*$"
)


def no_numbers(relation: Relation, page: pa.RecordBatch) -> dict[str, int]:
    """By column, how many values of a page are no numbers; `page` has the relation's columns in their order."""
    found: dict[str, int] = {}
    for column, values in zip(relation.columns, page.columns, strict=True):
        if column.name in relation.as_numbers:
            numbers = pc.match_substring_regex(values, _NUMBER, ignore_case=True)
            found[column.name] = pc.sum(pc.invert(numbers)).as_py() or 0
    return found
