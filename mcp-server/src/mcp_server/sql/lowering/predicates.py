"""Reads conditions of SQL as predicates of planning's algebra, true of at least the rows that the condition is true of.

The traps are in DuckDB's conversions: text against a number converts the column, a DOUBLE operand rounds it, and IN
and BETWEEN convert all operands to one type. What is not sure to compare exactly becomes no predicate at all.
"""

from collections.abc import Callable
from datetime import datetime, time

from sqlglot import exp

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
    StartsWith,
    TextPattern,
)
from mcp_server.sql.constants import constant
from mcp_server.sql.fields import ColumnOf
from mcp_server.sql.lowering.constant_columns import elements
from mcp_server.sql.lowering.operands import OperandOf, Reading, all_of, any_of, plain_target, target, value_of
from mcp_server.sql.lowering.parts import Operands
from mcp_server.sql.lowering.patterns import glob_pieces, matching, pattern_pieces
from mcp_server.sql.lowering.rows import equal_rows
from mcp_server.sql.lowering.terms import read_term

OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_MIRRORED: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED: dict[Operator, Operator] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}

_Reader = Callable[[exp.Expr, OperandOf, bool], Reading | None]
_KNOWN_PARTS = frozenset({"this", "expression", "expressions", "low", "high", "negate"})


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
            return all_of(parts) if isinstance(node, exp.And) != negated else any_of(parts)
    operands = Operands(column_of)
    if isinstance(node, exp.Column | exp.Dot | exp.Bracket):
        return operands.placed(_truth(node, operands, negated))
    reader = _READERS.get(type(node))
    # A part that is not known here would change what the condition means.
    if reader is None or any(value for part, value in node.args.items() if part not in _KNOWN_PARTS):
        return None
    return operands.placed(reader(node, operands, negated != bool(node.args.get("negate"))))


def _truth(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    column = target(node, column_of)
    if column is None or column.type.kind is not TypeKind.BOOLEAN:
        return None
    return Reading(Comparison(column.name, "=", not negated), True)


def _comparison(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    operator = OPERATORS[type(node)]
    if isinstance(node.expression, exp.Any) and operator == "=" and not negated:
        return _among(node.this, node.expression.this, column_of)
    if isinstance(node.expression, exp.Any | exp.All):
        return None
    if isinstance(node.this, exp.Tuple):
        return equal_rows(node.this, node.expression, column_of) if operator == "=" and not negated else None
    operator = _NEGATED[operator] if negated else operator
    column, other = plain_target(node.this, column_of), node.expression
    if column is None:
        column, other, mirrored = plain_target(node.expression, column_of), node.this, _MIRRORED[operator]
        if column is None:
            term = read_term(node.this, operator, node.expression, column_of)
            return term or read_term(node.expression, mirrored, node.this, column_of)
        operator = mirrored
    found = constant(other)
    if column.type.kind is TypeKind.DATE and isinstance(found, datetime) and found.time() != time():
        # A date lies before a moment of a day exactly when it is at most that day.
        within: Operator | None = "<=" if operator in ("<", "<=") else ">" if operator in (">", ">=") else None
        return Reading(Comparison(column.name, within, found.date()), True) if within is not None else None
    value = value_of(other, column)
    return Reading(Comparison(column.name, operator, value), True) if value is not None else None


def _is(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    column = target(node.this, column_of)
    if column is None:
        return None
    if isinstance(node.expression, exp.Null):
        return Reading(IsNotNull(column.name) if negated else IsNull(column.name), True)
    if isinstance(node.expression, exp.Boolean) and column.type.kind is TypeKind.BOOLEAN:
        wanted = Comparison(column.name, "=", bool(node.expression.this))
        other = Comparison(column.name, "=", not node.expression.this)
        return Reading(AnyOf((other, IsNull(column.name))) if negated else wanted, True)
    return None


def _null_safe(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    distinct = isinstance(node, exp.NullSafeNEQ) != negated
    column, other = target(node.this, column_of), node.expression
    if column is None:
        column, other = target(node.expression, column_of), node.this
    if column is None:
        return None
    found = constant(other)
    if found is None:
        return Reading(IsNotNull(column.name) if distinct else IsNull(column.name), True)
    value = value_of(other, column)
    if value is None:
        return None
    if distinct:
        return Reading(AnyOf((Comparison(column.name, "<>", value), IsNull(column.name))), True)
    return Reading(Comparison(column.name, "=", value), True)


def _between(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    column = plain_target(node.this, column_of)
    if column is None:
        ends: tuple[Operator, Operator] = ("<", ">") if negated else (">=", "<=")
        parts = [
            read_term(node.this, operator, node.args[end], column_of)
            for operator, end in zip(ends, ("low", "high"), strict=True)
        ]
        return any_of(parts) if negated else all_of(parts)
    low, high = value_of(node.args["low"], column), value_of(node.args["high"], column)
    if low is None or high is None:
        return None
    if negated:
        return Reading(AnyOf((Comparison(column.name, "<", low), Comparison(column.name, ">", high))), True)
    return Reading(Between(column.name, low, high), True)


def _in(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    if not node.expressions:
        return None
    if isinstance(node.this, exp.Tuple):
        return any_of([equal_rows(node.this, row, column_of) for row in node.expressions]) if not negated else None
    column = plain_target(node.this, column_of)
    items = [item for item in node.expressions if constant(item) is not None]
    if column is None:
        return _term_in(node.this, items, column_of) if not negated else None
    values = [value_of(item, column) for item in items]
    told = tuple(value for value in values if value is not None)
    if len(told) < len(values) or not told:
        return None
    if not negated:
        return Reading(OneOf(column.name, told), True)
    # NOT IN a list with NULL is never true, which implies the same.
    faithful = len(items) == len(node.expressions)
    return Reading(AllOf(tuple(Comparison(column.name, "<>", value) for value in told)), faithful)


def _term_in(term: exp.Expr, items: list[exp.Expr], column_of: OperandOf) -> Reading | None:
    return any_of([read_term(term, "=", item, column_of) for item in items]) if items else None


def _like(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    escape = ""
    if isinstance(node, exp.Escape):
        found = constant(node.expression)
        if not isinstance(found, str) or len(found) > 1 or not isinstance(node.this, exp.Like):
            return None
        node, escape, negated = node.this, found, negated != bool(node.this.args.get("negate"))
    column = target(node.this, column_of)
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
        positive = _like_reading(column, pattern, escape, False)
        return Reading(IsNotNull(column.name), False, left_out=positive.predicate if positive is not None else None)
    if shape == ["%", "text", "%"]:
        return Reading(Contains(column.name, literal), True)
    if shape[0] == "text":
        return Reading(StartsWith(column.name, pieces[0].text), shape == ["text", "%"])
    longest = max((piece.text for piece in pieces), key=len)
    return Reading(Contains(column.name, longest) if longest else IsNotNull(column.name), False)


def _other_pattern(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    """ILIKE and GLOB, of which DynamoDB could only be told that there is a text."""
    column, pattern = target(node.this, column_of), constant(node.expression)
    if column is None or column.type.kind is not TypeKind.VARCHAR or not isinstance(pattern, str):
        return None
    ignore_case = isinstance(node, exp.ILike)
    pieces = pattern_pieces(pattern, "") if ignore_case else glob_pieces(pattern)
    if pieces is None:
        return Reading(IsNotNull(column.name), False)
    texts = TextPattern(column.name, matching(pieces, ignore_case=ignore_case).pattern, ignore_case)
    there = IsNotNull(column.name)
    return Reading(there, False, left_out=texts) if negated else Reading(there, False, matched=texts)


def _contains(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    """`list_contains(['a', 'b'], c)`."""
    return _among(node.expression, node.this, column_of) if not negated else None


def _among(operand: exp.Expr, listed: exp.Expr, column_of: OperandOf) -> Reading | None:
    """A column among the elements of a list, which are of its own type: others might have it converted."""
    column, found = target(operand, column_of), elements(listed)
    if column is None or found is None or column.type.sql != found.type:
        return None
    values = [value_of(part, column) for part in found.values if part is not None]
    told = tuple(value for value in values if value is not None)
    return Reading(OneOf(column.name, told), True) if len(told) == len(values) else None


def _part(node: exp.Expr, column_of: OperandOf, negated: bool) -> Reading | None:
    if isinstance(node.this.unnest(), exp.Array):
        return _contains(node, column_of, negated)
    column = target(node.this, column_of)
    part = constant(node.expression)
    if column is None or column.type.kind is not TypeKind.VARCHAR or not isinstance(part, str):
        return None
    if not part:
        return Reading(IsNotNull(column.name), not negated)
    found = StartsWith(column.name, part) if isinstance(node, exp.StartsWith) else Contains(column.name, part)
    return Reading(IsNotNull(column.name), False, left_out=found) if negated else Reading(found, True)


_READERS: dict[type[exp.Expr], _Reader] = {
    exp.Is: _is,
    **dict.fromkeys(OPERATORS, _comparison),
    exp.NullSafeEQ: _null_safe,
    exp.NullSafeNEQ: _null_safe,
    exp.Between: _between,
    exp.In: _in,
    exp.Like: _like,
    exp.Escape: _like,
    **dict.fromkeys((exp.ILike, exp.Glob), _other_pattern),
    exp.StartsWith: _part,
    exp.Contains: _part,
    exp.ArrayContains: _contains,
}
