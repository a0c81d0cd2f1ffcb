"""How much work binding a statement is, told before it is done."""

from collections.abc import Mapping

from sqlglot import exp

from mcp_server.domain.schema import Table
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.sources import from_items
from mcp_server.sql.tables import TableName, cte_of, table_name

MAX_WEIGHT = 1_000_000
"""Weights are not told apart beyond this, since stars over CTEs can double with every CTE."""


def weight(statement: Statement, tables: Mapping[TableName, Table]) -> int:
    """The nodes of a statement's tree, and twice the columns that its stars stand for at most.

    A thousand take about 50 ms to bind.
    """
    columns = _Columns(tables)
    stars = sum(2 * columns.of(node) for node in statement.nodes if isinstance(node, exp.Select))
    return min(len(statement.nodes) + stars, MAX_WEIGHT)


class _Columns:
    """Counts the columns of queries, each once; never too few."""

    def __init__(self, tables: Mapping[TableName, Table]) -> None:
        self._tables = tables
        self._known: dict[int, int] = {}

    def of(self, query: exp.Expr) -> int:
        """The columns of a query's result, its stars' among them."""
        if id(query) not in self._known:
            self._known[id(query)] = 0  # a recursive CTE reads itself
            self._known[id(query)] = min(self._count(query), MAX_WEIGHT)
        return self._known[id(query)]

    def _count(self, query: exp.Expr) -> int:
        if isinstance(query, exp.Subquery):
            return self.of(query.this)
        if isinstance(query, exp.SetOperation):
            # BY NAME adds up the columns of both sides.
            return self.of(query.this) + self.of(query.expression)
        if isinstance(query, exp.Values):
            return len(query.expressions[0].expressions) if query.expressions else 0
        if not isinstance(query, exp.Select):
            return 2  # of `unnest(…) WITH ORDINALITY`; other functions have one
        stars: int = sum(projection.is_star for projection in query.expressions)
        read = sum(self._source(source) for source in from_items(query)) if stars else 0
        return len(query.expressions) - stars + stars * read

    def _source(self, source: exp.Expr) -> int:
        pivoted = sum(len(pivot.args.get("columns") or ()) for pivot in source.args.get("pivots") or ())
        if isinstance(source, exp.Table):
            cte = cte_of(source)
            if cte is not None:
                return self.of(cte.this) + pivoted
            table = self._tables.get(table_name(source)) if isinstance(source.this, exp.Identifier) else None
            return (_columns_of(table) if table is not None else 1) + pivoted
        return self.of(source) + pivoted


def _columns_of(table: Table) -> int:
    """How many columns the star of a table stands for at most, or that of one of its structs."""
    return max([len(table.columns), *(len(column.type.fields) for column in table.columns)])
