"""Lets JSON's operators and functions work on structs and lists, which were JSON before their shape was known."""

from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.schema import Table, TypeKind
from mcp_server.sql.binding.spelling import Spelling

_OPERATORS = (exp.JSONExtract, exp.JSONExtractScalar)
_NESTED = frozenset({TypeKind.STRUCT, TypeKind.LIST})


def read_nested_as_json(query: exp.Query, internal: Mapping[str, Table], spelling: Spelling) -> None:
    """Puts `to_json` around nested columns, and parts of them, where JSON is asked for. Columns have their sources."""
    nested = {
        name: {spelling.of(column.name) for column in table.columns if column.type.kind in _NESTED}
        for name, table in internal.items()
    }
    if not any(nested.values()):
        return
    sources = {table.alias_or_name: table.name for table in query.find_all(exp.Table)}
    for node in list(query.find_all(*_OPERATORS, exp.Anonymous)):
        operand = _operand(node)
        root = operand
        while isinstance(root, exp.Dot | exp.Bracket):
            root = root.this
        if operand is None or not isinstance(root, exp.Column):
            continue
        if root.name in nested.get(sources.get(root.table, ""), ()):
            operand.replace(exp.Anonymous(this="to_json", expressions=[operand.copy()]))


def _operand(node: exp.Expr) -> exp.Expr | None:
    """What the operator or function reads as JSON."""
    if isinstance(node, exp.Anonymous):
        is_of_json = str(node.this).lower().startswith("json_") and node.expressions
        return node.expressions[0] if is_of_json else None
    found = node.this
    return found if isinstance(found, exp.Expr) else None
