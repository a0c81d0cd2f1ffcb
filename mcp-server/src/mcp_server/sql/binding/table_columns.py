"""Tells of which tables' columns the columns in a statement are, once each has its source."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sqlglot import exp

from mcp_server.domain.schema import Column, Table
from mcp_server.sql.binding.spelling import Spelling


class TableColumn(NamedTuple):
    """A column of a table, and what the statement calls the table where it is named."""

    source: str
    column: Column


def columns_that(
    are: Callable[[Column], bool], query: exp.Query, internal: Mapping[str, Table], spelling: Spelling
) -> Callable[[exp.Expr], TableColumn | None] | None:
    """Finds the table's column of that kind that a node is, also through subqueries and CTEs that hand it on as it is.

    None where the tables of the statement have none.
    """
    found = {
        name: {spelling.of(column.name): column for column in table.columns if are(column)}
        for name, table in internal.items()
    }
    if not any(found.values()):
        return None
    named = {cte.alias: cte.this for cte in query.find_all(exp.CTE)}
    queries = {one.alias: one.this for one in query.find_all(exp.Subquery) if one.alias}
    tables = dict[str, str]()
    for table in query.find_all(exp.Table):
        if table.name in internal:
            tables[table.alias_or_name] = table.name
        elif table.name in named:
            queries[table.alias_or_name] = named[table.name]

    def column_of(node: exp.Expr) -> TableColumn | None:
        # A recursive CTE hands on what it got from itself, so a way through it may not end.
        for _ in range(len(queries) + 1):
            if not isinstance(node, exp.Column):
                return None
            if node.table in tables:
                column = found.get(tables[node.table], {}).get(node.name)
                return TableColumn(node.table, column) if column is not None else None
            handed_on = _output(queries.get(node.table), node.name)
            if handed_on is None:
                return None
            node = handed_on
        return None

    return column_of


def _output(query: exp.Expr | None, name: str) -> exp.Expr | None:
    """What a SELECT gives under a name."""
    if not isinstance(query, exp.Select):
        return None
    return next((one.unalias() for one in query.expressions if one.alias_or_name == name), None)
