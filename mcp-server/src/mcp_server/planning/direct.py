"""Statements that need no relational engine: columns of one table, in rows that simple conditions keep. Pure.

A condition is simple when its predicate says all of it, and compares a column with values that both sides hold exactly,
so that neither is converted: texts, which DuckDB too compares by code points, whole and decimal numbers, dates and
booleans. Of such a condition it is certain here what DuckDB makes of it; everything else is left to DuckDB.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from mcp_server.domain.schema import Column, ColumnType, TypeKind
from mcp_server.planning.predicate import (
    AllOf,
    AnyOf,
    Between,
    Comparison,
    Contains,
    IsNotNull,
    IsNull,
    OneOf,
    Operator,
    Predicate,
    StartsWith,
    Value,
)

_LARGEST = 10**15
"""Whole numbers below that have a type in DuckDB that fits into every number's column."""
_MAX_SCALE = 18
_COMPARED: Mapping[Operator, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: bool(one == other),
    "<>": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


@dataclass(frozen=True, slots=True)
class Output:
    """A column of the result: its name, and where it stands among the relation's columns."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Direct:
    """What such a statement selects: outputs of the rows that meet all conditions, `limit` of them at most.

    An `ordered` one wants them in an order, so that it has to be given them so.
    """

    outputs: tuple[Output, ...]
    conditions: tuple[Predicate, ...]
    limit: int | None
    ordered: bool = False


def simple(predicate: Predicate, columns: Mapping[str, Column]) -> bool:
    """Whether it is certain which rows a condition on those columns keeps."""
    match predicate:
        case AllOf(parts) | AnyOf(parts):
            return all(simple(part, columns) for part in parts)
        case IsNull(name) | IsNotNull(name):
            return name in columns
        case Comparison(name, _, value):
            return _comparable(columns.get(name), value)
        case Between(name, low, high):
            return _comparable(columns.get(name), low) and _comparable(columns.get(name), high)
        case OneOf(name, values):
            return all(_comparable(columns.get(name), value) for value in values)
        case StartsWith(name, part) | Contains(name, part):
            return _comparable(columns.get(name), part)
    return False


def _comparable(column: Column | None, value: Value) -> bool:
    if column is None:
        return False
    match column.type:
        case ColumnType(kind=TypeKind.VARCHAR):
            return type(value) is str
        case ColumnType(kind=TypeKind.BIGINT):
            return type(value) is int and abs(value) < _LARGEST
        case ColumnType(kind=TypeKind.DECIMAL, scale=scale):
            return scale is not None and scale <= _MAX_SCALE and _fits(value, scale)
        case ColumnType(kind=TypeKind.BOOLEAN):
            return type(value) is bool
        case ColumnType(kind=TypeKind.DATE):
            return type(value) is date
    return False


def _fits(value: Value, scale: int) -> bool:
    """Whether a number has no more decimal places than the column, which would have to be converted else."""
    if type(value) is int:
        return abs(value) < _LARGEST
    if not isinstance(value, Decimal) or abs(value) >= _LARGEST:
        return False
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and -scale <= exponent <= 0


def kept(conditions: Sequence[Predicate], values: Mapping[str, Sequence[Any]], rows: int) -> list[int]:
    """The places of the rows that meet all conditions; `values` are those of the columns, None for NULL."""
    places = list(range(rows))
    for condition in conditions:
        places = [place for place in places if _true(condition, values, place)]
    return places


def _true(predicate: Predicate, values: Mapping[str, Sequence[Any]], place: int) -> bool:
    """Whether it is true; no part is a negation, so what is false and what is NULL need not be told apart."""
    match predicate:
        case AllOf(parts):
            return all(_true(part, values, place) for part in parts)
        case AnyOf(parts):
            return any(_true(part, values, place) for part in parts)
    value = values[predicate.column][place]
    if value is None:
        return isinstance(predicate, IsNull)
    match predicate:
        case Comparison(_, operator, other):
            return _COMPARED[operator](value, other)
        case Between(_, low, high):
            return bool(low <= value <= high)
        case OneOf(_, others):
            return value in others
        case StartsWith(_, part):
            return bool(value.startswith(part))
        case Contains(_, part):
            return part in value
    return isinstance(predicate, IsNotNull)
