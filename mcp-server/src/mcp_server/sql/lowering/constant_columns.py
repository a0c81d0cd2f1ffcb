"""Columns of constants: those of VALUES, of lists that are taken apart, and constants that a query puts out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlglot import exp

from mcp_server.sql.constants import Constant, constant

MAX_VALUES = 1_000
"""A longer column is not looked at."""

_TYPES: Mapping[type, str] = {str: "VARCHAR", int: "BIGINT", date: "DATE"}
_LARGEST = 2**63
"""Whole numbers below that equal the BIGINT of the same value, whichever type of whole numbers DuckDB gives them."""


@dataclass(frozen=True, slots=True)
class Constants:
    """The values of a column, of one SQL type, None for NULL; those of one `row` stand in rows beside one another."""

    values: tuple[exp.Expr | None, ...]
    type: str
    row: tuple[int, ...] | None = None


def constants(parts: Sequence[exp.Expr], row: tuple[int, ...] | None = None) -> Constants | None:
    """Some expressions as a column; None where they are not constants, of one type that DuckDB need not convert."""
    if len(parts) > MAX_VALUES:
        return None
    found = [constant(part) for part in parts]
    types = {_type(value) for value in found if value is not None}
    (type_,) = types if len(types) == 1 else (None,)
    if type_ is None:
        return None
    values = (part if value is not None else None for part, value in zip(parts, found, strict=True))
    return Constants(tuple(values), type_, row)


def _type(value: Constant) -> str | None:
    if type(value) is int and not -_LARGEST <= value < _LARGEST:
        return None
    return _TYPES.get(type(value))


def columns_of(source: exp.Expr) -> Mapping[str, Constants | None]:
    """The columns of VALUES and of `unnest([…])` in FROM, by name."""
    function = source.this if isinstance(source, exp.Lateral) else source
    alias = source.args.get("alias")
    names = [column.name for column in alias.args.get("columns") or []] if alias is not None else []
    if isinstance(function, exp.Values):
        return {name: of_values(function, place) for place, name in enumerate(names)}
    if isinstance(function, exp.Unnest) and len(function.expressions) == 1 and names:
        return {names[0]: elements(function.expressions[0], (id(source),))}
    return {}


def of_values(values: exp.Values, place: int) -> Constants | None:
    """A column of VALUES."""
    rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in values.expressions]
    if any(place >= len(row) for row in rows):
        return None
    return constants([row[place] for row in rows], (id(values),))


def elements(node: exp.Expr, row: tuple[int, ...] | None = None) -> Constants | None:
    """The elements of a list that the statement has."""
    inner = node.unnest()
    return constants(inner.expressions, row) if isinstance(inner, exp.Array) else None


def projected(node: exp.Expr, row: tuple[int, ...] | None = None) -> Constants | None:
    """What a query without FROM puts out in a column: a constant, or `unnest([…])`."""
    if isinstance(node, exp.Explode):
        return elements(node.this) if not node.expressions else None
    return constants([node], row)
