"""Rows of columns compared with rows of constants: `(pk, sk) IN (('a', 1), ('b', 2))`."""

from datetime import date

from sqlglot import exp

from mcp_server.domain.schema import Column, TypeKind
from mcp_server.planning.predicate import Comparison, Predicate, Value
from mcp_server.sql.lowering.operands import OperandOf, Reading, all_of, target, value_of

_TAKEN: dict[TypeKind, type] = {
    TypeKind.VARCHAR: str,
    TypeKind.BIGINT: int,
    TypeKind.DATE: date,
}


def equal_rows(columns: exp.Expr, constants: exp.Expr, column_of: OperandOf) -> Reading | None:
    """`(a, b) = (1, 2)`: every column has its constant. DuckDB takes NULLs in rows for equal, so none may be there."""
    if not isinstance(constants, exp.Tuple) or len(columns.expressions) != len(constants.expressions):
        return None
    pairs = zip(columns.expressions, constants.expressions, strict=True)
    parts = [_equal(left, right, column_of) for left, right in pairs]
    return all_of([Reading(part, True) for part in parts if part is not None]) if None not in parts else None


def _equal(left: exp.Expr, right: exp.Expr, column_of: OperandOf) -> Predicate | None:
    column = target(left, column_of)
    value = _value(right, column) if column is not None else None
    return Comparison(column.name, "=", value) if column is not None and value is not None else None


def _value(node: exp.Expr, column: Column) -> Value | None:
    """All rows take common types, so only what is of the column's own type is sure to be compared as it is."""
    kind = column.type.kind
    written = node.unnest()
    if kind is TypeKind.BIGINT and isinstance(written, exp.Literal) and written.is_string:
        return None
    value = value_of(node, column)
    return value if kind in _TAKEN and isinstance(value, _TAKEN[kind]) else None
