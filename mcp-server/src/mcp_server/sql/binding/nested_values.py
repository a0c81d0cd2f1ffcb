"""Lets JSON's operators and functions work on structs and lists, which were JSON before their shape was known."""

from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.schema import Column, Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.binding.table_columns import columns_that
from mcp_server.sql.fields import text_field
from mcp_server.sql.trees import nodes_of

_OPERATORS = (exp.JSONExtract, exp.JSONExtractScalar)
_NESTED = frozenset({TypeKind.STRUCT, TypeKind.LIST})


def read_nested_as_json(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> None:
    """Puts `to_json` around nested columns, and parts of them, where JSON is asked for. Columns have their sources.

    A text in a struct is the same text in its JSON, so `address->>'city'` becomes `address.city`.
    """
    nested = columns_that(lambda column: column.type.kind in _NESTED, query, internal, spelling)
    if nested is None:
        return

    def column_of(node: exp.Expr) -> Column | None:
        found = nested(node)
        return found.column if found is not None else None

    for node in nodes_of(query, *_OPERATORS, exp.Anonymous):
        operand = _operand(node)
        root = operand
        while isinstance(root, exp.Dot | exp.Bracket):
            root = root.this
        if operand is None or root is None or column_of(root) is None:
            continue
        field = text_field(node, column_of)
        if field is not None:
            node.replace(field)
        else:
            operand.replace(exp.Anonymous(this="to_json", expressions=[operand.copy()]))


def _operand(node: exp.Expr) -> exp.Expr | None:
    """What the operator or function reads as JSON."""
    if isinstance(node, exp.Anonymous):
        is_of_json = str(node.this).lower().startswith("json_") and node.expressions
        return node.expressions[0] if is_of_json else None
    found = node.this
    return found if isinstance(found, exp.Expr) else None
