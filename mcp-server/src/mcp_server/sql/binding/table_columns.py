"""Tells of which tables' columns the columns in a statement are, once each has its source."""

from collections.abc import Callable, Mapping

from sqlglot import exp

from mcp_server.domain.schema import Column, Table
from mcp_server.sql.binding.spelling import Spelling


def columns_that(
    are: Callable[[Column], bool], query: exp.Query, internal: Mapping[str, Table], spelling: Spelling
) -> Callable[[exp.Expr], Column | None] | None:
    """Finds the table's column of that kind that a node is; None where the tables of the statement have none."""
    found = {
        name: {spelling.of(column.name): column for column in table.columns if are(column)}
        for name, table in internal.items()
    }
    if not any(found.values()):
        return None
    sources = {table.alias_or_name: found.get(table.name, {}) for table in query.find_all(exp.Table)}
    return lambda node: sources.get(node.table, {}).get(node.name) if isinstance(node, exp.Column) else None
