"""Tells of which tables' columns the columns in a statement are, once each has its source."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import Column, Table
from mcp_server.sql.binding.spelling import Spelling
from mcp_server.sql.trees import nodes_of


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
    names = Names(query, internal)

    def column_of(node: exp.Expr) -> TableColumn | None:
        origin = names.origin(node)
        if not isinstance(origin, exp.Column):
            return None
        column = found.get(names.tables[origin.table], {}).get(origin.name)
        return TableColumn(origin.table, column) if column is not None else None

    return column_of


class Names:
    """What the names of columns stand for; `tables` are the names of tables by what the statement calls them."""

    def __init__(self, query: exp.Query, internal: Mapping[str, Table]) -> None:
        found = nodes_of(query, exp.CTE, exp.Subquery, exp.Lateral, exp.Unnest, exp.Table)
        named = {one.alias: one.this for one in found if isinstance(one, exp.CTE)}
        self._queries = {one.alias: one.this for one in found if isinstance(one, exp.Subquery) and one.alias}
        self._queries |= {one.alias: one.this.this for one in found if isinstance(one, exp.Lateral) and _is_query(one)}
        self._lists = {one.alias: one for one in found if isinstance(one, exp.Unnest) and one.alias}
        self.tables = dict[str, str]()
        for table in (one for one in found if isinstance(one, exp.Table)):
            if table.name in internal:
                self.tables[table.alias_or_name] = table.name
            elif table.name in named:
                self._queries[table.alias_or_name] = named[table.name]

    def origin(self, node: exp.Expr) -> exp.Expr | None:
        """The column of a table, or else the expression, that subqueries and CTEs hand on as the column `node`.

        Of one that comes of an unnested list in a FROM clause, that is the `Unnest`.
        """
        # A recursive CTE hands on what it got from itself, so a way through it may not end.
        for _ in range(len(self._queries) + 1):
            if not isinstance(node, exp.Column) or node.table in self.tables:
                return node
            if node.table in self._lists:
                list_ = self._lists[node.table]
                return list_ if not _counts(list_, node.name) else None
            handed_on = _output(self._queries.get(node.table), node.name)
            if handed_on is None:
                return None
            node = handed_on
        return None

    def sides(self, node: exp.Column) -> list[exp.Expr]:
        """What the sides of a set operation give as a column; none where it comes from elsewhere."""
        for _ in range(len(self._queries) + 1):
            query = self._queries.get(node.table)
            if isinstance(query, exp.SetOperation):
                return _outputs(query, node.name)
            handed_on = _output(query, node.name)
            if not isinstance(handed_on, exp.Column):
                break
            node = handed_on
        return []


def _outputs(query: exp.SetOperation, name: str) -> list[exp.Expr]:
    selects, sides = list[exp.Select](), [query.this, query.expression]
    while sides:
        side = sides.pop(0).unnest()
        if isinstance(side, exp.SetOperation):
            sides = [side.this, side.expression, *sides]
        elif isinstance(side, exp.Select):
            selects.append(side)
    if not selects:
        return []
    names = [one.alias_or_name for one in selects[0].expressions]
    if query.args.get("by_name") or names.count(name) != 1:
        return []
    place = names.index(name)
    return [select.expressions[place].unalias() for select in selects if place < len(select.expressions)]


def _counts(list_: exp.Unnest, name: str) -> bool:
    """Whether a column is what WITH ORDINALITY adds to the elements of a list."""
    ordinality = list_.args.get("offset")
    return isinstance(ordinality, exp.Identifier) and fold(str(ordinality.this)) == fold(name)


def _is_query(lateral: exp.Lateral) -> bool:
    return bool(lateral.alias) and isinstance(lateral.this, exp.Subquery)


def _output(query: exp.Expr | None, name: str) -> exp.Expr | None:
    """What a SELECT gives under a name."""
    if not isinstance(query, exp.Select):
        return None
    return next((one.unalias() for one in query.expressions if one.alias_or_name == name), None)
