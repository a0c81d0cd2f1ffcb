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

_EXACTLY, _BY_ORDER = "DECIMAL(38, 18)", "DOUBLE"
"""As what values are compared: numbers that the first cannot hold equal none that is compared with here."""
_EQUALITIES = (exp.EQ, exp.In, exp.NullSafeEQ)
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ)


def compare_numbers(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> frozenset[tuple[str, str]]:
    """Puts TRY_CAST around mixed columns that are compared with numbers, in place. Columns have their sources.

    The answer names them: the alias of each table, and the column as the table has it.
    """
    mixed = columns_that(_is_mixed, query, internal, spelling)
    compared = set[tuple[str, str]]()
    for column, type_ in list(_compared(query)) if mixed is not None else ():
        found = mixed(column) if mixed is not None else None
        if found is not None:
            compared.add((found.source, found.column.name))
            column.replace(exp.TryCast(this=column.copy(), to=exp.DataType.build(type_)))
    return frozenset(compared)


def _is_mixed(column: Column) -> bool:
    return column.type.kind is TypeKind.VARCHAR and {AttributeType.NUMBER} < column.attribute_types


def _compared(query: exp.Query) -> Iterator[tuple[exp.Column, str]]:
    """The columns that are compared with nothing but numbers, and as what."""
    for node in query.find_all(*_COMPARISONS, exp.Between, exp.In):
        type_ = _EXACTLY if isinstance(node, _EQUALITIES) else _BY_ORDER
        match node:
            case exp.Between():
                sides = [node.args["low"], node.args["high"]]
            case exp.In():
                sides = list(node.expressions)
            case _:
                sides = [node.expression]
                if isinstance(node.expression, exp.Column) and _is_number(node.this):
                    yield node.expression, type_
        if isinstance(node.this, exp.Column) and sides and all(_is_number(side) for side in sides):
            yield node.this, type_


def _is_number(node: exp.Expr) -> bool:
    while isinstance(node, exp.Paren | exp.Neg):
        node = node.this
    return isinstance(node, exp.Literal) and not node.is_string and abs(float(node.this)) < EXACT_BELOW
