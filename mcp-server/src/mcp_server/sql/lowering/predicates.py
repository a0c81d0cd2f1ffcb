"""Reads conditions of SQL as predicates of planning's algebra, true of at least the rows that the condition is true of.

The traps are in DuckDB's conversions: text against a number converts the column, a DOUBLE operand rounds it, and IN
and BETWEEN convert all operands to one type. What is not sure to compare exactly becomes no predicate at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from sqlglot import exp

from mcp_server.domain.dates import iso_date
from mcp_server.domain.schema import Column, TypeKind
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
from mcp_server.sql.constants import NOT_CONSTANT, Constant, constant
from mcp_server.sql.lowering.patterns import pattern_pieces

ColumnOf = Callable[[exp.Column], Column | None]

_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_MIRRORED: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED: dict[Operator, Operator] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

_KEPT: dict[TypeKind, frozenset[exp.DType]] = {
    TypeKind.DATE: frozenset({exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ}),
    TypeKind.VARCHAR: frozenset({exp.DType.VARCHAR, exp.DType.TEXT}),
    TypeKind.BIGINT: frozenset({exp.DType.BIGINT}),
    TypeKind.BOOLEAN: frozenset({exp.DType.BOOLEAN}),
}
_KNOWN_PARTS = frozenset({"this", "expression", "expressions", "low", "high", "negate"})
_MAX_SCALE = 18
_MAX_PRECISION = 38


@dataclass(frozen=True, slots=True)
class Reading:
    """What the algebra can say of a condition; `faithful` when that is all of it."""

    predicate: Predicate
    faithful: bool


def read_condition(node: exp.Expr, column_of: ColumnOf, *, negated: bool = False) -> Reading | None:
    """The condition (or its negation) as a predicate, or None where nothing can be said.

    Negations go down to the comparisons: in three-valued logic too, NOT (a AND b) is true where NOT a OR NOT b is.
    """
    match node:
        case exp.Paren():
            return read_condition(node.this, column_of, negated=negated)
        case exp.Not():
            return read_condition(node.this, column_of, negated=not negated)
        case exp.And() | exp.Or():
            parts = [read_condition(part, column_of, negated=negated) for part in node.flatten()]
            return _all(parts) if isinstance(node, exp.And) != negated else _any(parts)
        case exp.Column():
            column = _target(node, column_of)
            if column is None or column.type.kind is not TypeKind.BOOLEAN:
                return None
            return Reading(Comparison(column.name, "=", not negated), True)
    reader = _READERS.get(type(node))
    # A part that is not known here would change what the condition means.
    if reader is None or any(value for part, value in node.args.items() if part not in _KNOWN_PARTS):
        return None
    return reader(node, column_of, negated != bool(node.args.get("negate")))


def _all(parts: Sequence[Reading | None]) -> Reading | None:
    said = [part for part in parts if part is not None]
    if not said:
        return None
    faithful = len(said) == len(parts) and all(part.faithful for part in said)
    return Reading(AllOf(tuple(part.predicate for part in said)), faithful)


def _any(parts: Sequence[Reading | None]) -> Reading | None:
    said = [part for part in parts if part is not None]
    if len(said) < len(parts):
        return None
    return Reading(AnyOf(tuple(part.predicate for part in said)), all(part.faithful for part in said))


def _target(node: exp.Expr, column_of: ColumnOf) -> Column | None:
    """The column that an operand is, through casts that change nothing."""
    if isinstance(node, exp.Paren):
        return _target(node.this, column_of)
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast):
        column = _target(node.this, column_of)
        return column if column is not None and _keeps(node.to, column) else None
    return column_of(node) if isinstance(node, exp.Column) else None


def _keeps(to: exp.DataType, column: Column) -> bool:
    """Whether a cast leaves all comparisons as they are. A DATE as a TIMESTAMP is its midnight."""
    kept = _KEPT.get(column.type.kind, frozenset())
    return not to.expressions and to.this in kept


def _value(found: Constant, column: Column) -> Value | None:
    """A constant as a value that compares with the column exactly as DuckDB compares the two, or None."""
    kind = column.type.kind
    if found is None or found is NOT_CONSTANT:
        return None
    if kind is TypeKind.VARCHAR:
        return found if isinstance(found, str) else None
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


def _comparison(node: exp.Expr, column_of: ColumnOf, negated: bool) -> Reading | None:
    operator = _OPERATORS[type(node)]
    if isinstance(node.expression, exp.Any | exp.All):
        return None
    column, other = _target(node.this, column_of), node.expression
    if column is None:
        column, other, operator = _target(node.expression, column_of), node.this, _MIRRORED[operator]
    if column is None:
        return None
    operator = _NEGATED[operator] if negated else operator
    found = constant(other)
    if column.type.kind is TypeKind.DATE and isinstance(found, datetime) and found.time() != time():
        # A date lies before a moment of a day exactly when it is at most that day.
        within: Operator | None = "<=" if operator in ("<", "<=") else ">" if operator in (">", ">=") else None
        return Reading(Comparison(column.name, within, found.date()), True) if within is not None else None
    value = _value(found, column)
    return Reading(Comparison(column.name, operator, value), True) if value is not None else None


def _is(node: exp.Expr, column_of: ColumnOf, negated: bool) -> Reading | None:
    column = _target(node.this, column_of)
    if column is None:
        return None
    if isinstance(node.expression, exp.Null):
        return Reading(IsNotNull(column.name) if negated else IsNull(column.name), True)
    if isinstance(node.expression, exp.Boolean) and column.type.kind is TypeKind.BOOLEAN:
        wanted = Comparison(column.name, "=", bool(node.expression.this))
        other = Comparison(column.name, "=", not node.expression.this)
        return Reading(AnyOf((other, IsNull(column.name))) if negated else wanted, True)
    return None


def _null_safe(node: exp.Expr, column_of: ColumnOf, negated: bool) -> Reading | None:
    distinct = isinstance(node, exp.NullSafeNEQ) != negated
    column, other = _target(node.this, column_of), node.expression
    if column is None:
        column, other = _target(node.expression, column_of), node.this
    if column is None:
        return None
    found = constant(other)
    if found is None:
        return Reading(IsNotNull(column.name) if distinct else IsNull(column.name), True)
    value = _value(found, column)
    if value is None:
        return None
    if distinct:
        return Reading(AnyOf((Comparison(column.name, "<>", value), IsNull(column.name))), True)
    return Reading(Comparison(column.name, "=", value), True)


def _between(node: exp.Expr, column_of: ColumnOf, negated: bool) -> Reading | None:
    column = _target(node.this, column_of)
    if column is None:
        return None
    low, high = _value(constant(node.args["low"]), column), _value(constant(node.args["high"]), column)
    if low is None or high is None:
        return None
    if negated:
        return Reading(AnyOf((Comparison(column.name, "<", low), Comparison(column.name, ">", high))), True)
    return Reading(Between(column.name, low, high), True)


def _in(node: exp.Expr, column_of: ColumnOf, negated: bool) -> Reading | None:
    column = _target(node.this, column_of)
    if column is None or not node.expressions:
        return None
    constants = [constant(item) for item in node.expressions]
    values = [_value(found, column) for found in constants if found is not None]
    told = tuple(value for value in values if value is not None)
    if len(told) < len(values) or not told:
        return None
    if not negated:
        return Reading(OneOf(column.name, told), True)
    # NOT IN a list with NULL is never true, which implies the same.
    return Reading(AllOf(tuple(Comparison(column.name, "<>", value) for value in told)), None not in constants)


def _like(node: exp.Expr, column_of: ColumnOf, negated: bool) -> Reading | None:
    escape = ""
    if isinstance(node, exp.Escape):
        found = constant(node.expression)
        if not isinstance(found, str) or len(found) > 1 or not isinstance(node.this, exp.Like):
            return None
        node, escape, negated = node.this, found, negated != bool(node.this.args.get("negate"))
    column = _target(node.this, column_of)
    pattern = constant(node.expression)
    if column is None or column.type.kind is not TypeKind.VARCHAR or not isinstance(pattern, str):
        return None
    return _like_reading(column, pattern, escape, negated)


def _like_reading(column: Column, pattern: str, escape: str, negated: bool) -> Reading | None:
    pieces = pattern_pieces(pattern, escape)
    if pieces is None:
        return None
    shape = [piece.wildcard or "text" for piece in pieces]
    literal = "".join(piece.text for piece in pieces)
    if shape in ([], ["text"]):
        return Reading(Comparison(column.name, "<>" if negated else "=", literal), True)
    if negated:
        return Reading(IsNotNull(column.name), False)
    if shape == ["%", "text", "%"]:
        return Reading(Contains(column.name, literal), True)
    if shape[0] == "text":
        return Reading(StartsWith(column.name, pieces[0].text), shape == ["text", "%"])
    longest = max((piece.text for piece in pieces), key=len)
    return Reading(Contains(column.name, longest) if longest else IsNotNull(column.name), False)


def _part(node: exp.Expr, column_of: ColumnOf, negated: bool) -> Reading | None:
    column = _target(node.this, column_of)
    part = constant(node.expression)
    if column is None or column.type.kind is not TypeKind.VARCHAR or not isinstance(part, str):
        return None
    if negated or not part:
        return Reading(IsNotNull(column.name), not negated)
    if isinstance(node, exp.StartsWith):
        return Reading(StartsWith(column.name, part), True)
    return Reading(Contains(column.name, part), True)


_READERS: dict[type[exp.Expr], Callable[[exp.Expr, ColumnOf, bool], Reading | None]] = {
    exp.Is: _is,
    **dict.fromkeys(_OPERATORS, _comparison),
    exp.NullSafeEQ: _null_safe,
    exp.NullSafeNEQ: _null_safe,
    exp.Between: _between,
    exp.In: _in,
    exp.Like: _like,
    exp.Escape: _like,
    exp.StartsWith: _part,
    exp.Contains: _part,
}
