"""Lets a column that holds numbers and texts be compared with numbers, value by value.

Such a column is text. To compare it with a number, DuckDB would convert every text, and fail at the first that is none.
"""

from collections.abc import Iterator, Mapping

from sqlglot import exp

from mcp_server.domain.schema import AttributeType, Column, Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import columns_that

EXACT_BELOW = 2**53
"""Below it DOUBLE, as which the order of values is found, carries every integer."""

_EXACT, _ORDERED = exp.DataType.build("DECIMAL(38, 18)"), exp.DataType.build("DOUBLE")
_BEYOND = exp.Literal.number("99999999999999999999")
"""Stands for the numbers that DECIMAL(38, 18) cannot hold: like them, it equals none that is compared with here."""
_EQUALITIES = (exp.EQ, exp.NEQ, exp.In, exp.NullSafeEQ, exp.NullSafeNEQ)
_COMPARISONS = (*_EQUALITIES, exp.LT, exp.LTE, exp.GT, exp.GTE)


def compare_numbers(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> frozenset[tuple[str, str]]:
    """Puts TRY_CAST around mixed columns that are compared with numbers, in place. Columns have their sources.

    The answer names them: the alias of each table, and the column as the table has it.
    """
    mixed = columns_that(_is_mixed, query, internal, spelling)
    compared = set[tuple[str, str]]()
    for column, exactly in list(_compared(query)) if mixed is not None else ():
        found = mixed(column) if mixed is not None else None
        if found is not None:
            compared.add((found.source, found.column.name))
            column.replace(_exact(column) if exactly else _by_order(column))
    return frozenset(compared)


def _is_mixed(column: Column) -> bool:
    return column.type.kind is TypeKind.VARCHAR and {AttributeType.NUMBER} < column.attribute_types


def _exact(column: exp.Column) -> exp.Expr:
    """The number that a value is, to 18 decimal places. NULL, which is not turned round by NOT, only if it is none."""
    is_number = exp.Not(this=exp.Is(this=_by_order(column), expression=exp.Null()))
    return exp.Coalesce(
        this=exp.TryCast(this=column.copy(), to=_EXACT.copy()),
        expressions=[exp.Case(ifs=[exp.If(this=is_number, true=_BEYOND.copy())])],
    )


def _by_order(column: exp.Column) -> exp.Expr:
    return exp.TryCast(this=column.copy(), to=_ORDERED.copy())


def _compared(query: exp.Query) -> Iterator[tuple[exp.Column, bool]]:
    """The columns that are compared with nothing but numbers, and whether for equality."""
    for node in query.find_all(*_COMPARISONS, exp.Between):
        exactly = isinstance(node, _EQUALITIES)
        match node:
            case exp.Between():
                sides = [node.args["low"], node.args["high"]]
            case exp.In():
                sides = list(node.expressions)
            case _:
                sides = [node.expression]
                if isinstance(node.expression, exp.Column) and _is_number(node.this):
                    yield node.expression, exactly
        if isinstance(node.this, exp.Column) and sides and all(_is_number(side) for side in sides):
            yield node.this, exactly


def _is_number(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren | exp.Neg):
        node = node.this
    return isinstance(node, exp.Literal) and not node.is_string and abs(float(node.this)) < EXACT_BELOW
