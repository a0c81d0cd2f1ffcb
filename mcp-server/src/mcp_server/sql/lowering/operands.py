"""Operands of conditions: columns through casts that change nothing, and constants that compare exactly with them."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from sqlglot import exp

from mcp_server.domain.dates import iso_date
from mcp_server.domain.schema import Column, TypeKind
from mcp_server.planning.predicate import AllOf, AnyOf, Predicate, TextPattern, Value
from mcp_server.sql.constants import NOT_CONSTANT, constant

OperandOf = Callable[[exp.Expr], Column | None]
"""The column that an expression is; a part of one is a column of its own."""

_KEPT: dict[TypeKind, frozenset[exp.DType]] = {
    TypeKind.DATE: frozenset({exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ}),
    TypeKind.TIMESTAMPTZ: frozenset({exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ}),
    TypeKind.VARCHAR: frozenset({exp.DType.VARCHAR, exp.DType.TEXT}),
    TypeKind.BIGINT: frozenset({exp.DType.BIGINT}),
    TypeKind.BOOLEAN: frozenset({exp.DType.BOOLEAN}),
}
_NUMBERS = frozenset({TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.DOUBLE})
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")
_MAX_SCALE = 18
_MAX_PRECISION = 38


@dataclass(frozen=True, slots=True)
class Reading:
    """What the algebra can say of a condition; `faithful` when that is all of it.

    `matched` is what every row that meets the condition does as well, and `left_out` what none of them does, as far as
    that can be said: both only for estimates.
    """

    predicate: Predicate
    faithful: bool
    matched: TextPattern | None = None
    left_out: Predicate | TextPattern | None = None


def all_of(parts: Sequence[Reading | None]) -> Reading | None:
    """What can be said of a conjunction: what can be said of some of its parts."""
    said = [part for part in parts if part is not None]
    if not said:
        return None
    faithful = len(said) == len(parts) and all(part.faithful for part in said)
    return Reading(AllOf(tuple(part.predicate for part in said)), faithful)


def any_of(parts: Sequence[Reading | None]) -> Reading | None:
    """What can be said of a disjunction: nothing, unless something can be said of each of its parts."""
    said = [part for part in parts if part is not None]
    if len(said) < len(parts) or not said:
        return None
    if len(said) == 1:
        return said[0]
    return Reading(AnyOf(tuple(part.predicate for part in said)), all(part.faithful for part in said))


def target(node: exp.Expr, column_of: OperandOf) -> Column | None:
    """The column that an operand is, through casts that change nothing."""
    if isinstance(node, exp.Paren):
        return target(node.this, column_of)
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
        column = target(node.this, column_of)
        return column if column is not None and _keeps(node.to, column) else None
    return column_of(node)


def plain_target(node: exp.Expr, column_of: OperandOf) -> Column | None:
    """The column that an operand is, if its items hold what it is compared with; instants are read as terms."""
    column = target(node, column_of)
    return column if column is None or column.type.kind is not TypeKind.TIMESTAMPTZ else None


def _keeps(to: exp.DataType, column: Column) -> bool:
    """Whether a cast leaves all comparisons as they are.

    A DATE as a TIMESTAMP is its midnight; a TIMESTAMPTZ as a TIMESTAMP is the same moment, since DuckDB runs in UTC.
    """
    kept = _KEPT.get(column.type.kind, frozenset())
    return not to.expressions and to.this in kept


def value_of(node: exp.Expr, column: Column) -> Value | None:
    """A constant as a value that compares with the column exactly as DuckDB compares the two, or None."""
    kind = column.type.kind
    found = constant(node)
    if kind in _NUMBERS and isinstance(found, str):
        # A literal takes the type of what it is compared with; any other text may turn the column into text.
        written = node.unnest()
        is_number = isinstance(written, exp.Literal) and _INTEGER.fullmatch(found) is not None
        return int(found) if is_number else None
    if found is None or found is NOT_CONSTANT:
        return None
    if kind is TypeKind.VARCHAR:
        return found if isinstance(found, str) else None
    if isinstance(found, str) and not is_literal(node):
        return None
    if kind is TypeKind.BOOLEAN:
        return found if isinstance(found, bool) else None
    if kind is TypeKind.DATE:
        return _date(found)
    if isinstance(found, bool):
        return None
    if kind in (TypeKind.BIGINT, TypeKind.DECIMAL):
        return found if _exact(found) and isinstance(found, int | Decimal) else None
    if kind is TypeKind.DOUBLE:
        return found if isinstance(found, int | Decimal | float) else None
    return None


def is_literal(node: exp.Expr) -> bool:
    """Whether a constant takes the type of what it is compared with: other texts are compared with texts only."""
    return isinstance(node.unnest(), exp.Literal)


def _exact(found: object) -> bool:
    """DuckDB reads longer literals as DOUBLE, and finds no common DECIMAL for longer scales."""
    if isinstance(found, int):
        return len(str(abs(found))) <= _MAX_PRECISION
    if isinstance(found, Decimal):
        exponent = found.as_tuple().exponent
        scale = -exponent if isinstance(exponent, int) else _MAX_PRECISION
        return scale <= _MAX_SCALE and len(found.as_tuple().digits) <= _MAX_PRECISION
    return False


def _date(found: object) -> date | None:
    if isinstance(found, datetime):
        return found.date() if found.time() == time() else None
    if isinstance(found, str):
        return iso_date(found)
    return found if isinstance(found, date) else None
