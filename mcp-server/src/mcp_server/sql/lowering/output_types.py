"""The columns that a query puts out: which column of its sources each is, and of which SQL type.

A condition on an output may be checked further in only where it then compares the same values: of one SQL type on all
sides of a set operation, since otherwise DuckDB converts them to a common one first.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.conditions import ColumnName, column_name
from mcp_server.sql.lowering.constant_columns import columns_of, projected
from mcp_server.sql.sources import Block, Sources

_TYPES = {
    exp.DType.BIGINT: "BIGINT",
    exp.DType.VARCHAR: "VARCHAR",
    exp.DType.TEXT: "VARCHAR",
    exp.DType.DOUBLE: "DOUBLE",
    exp.DType.DATE: "DATE",
    exp.DType.BOOLEAN: "BOOLEAN",
}
_DECIMAL_PARTS = 2


class OutputTypes:
    """Finds the SQL types of columns, as far as they are certain. Types are written as DuckDB writes them."""

    def __init__(self, sources: Sources, references: Iterable[Reference]) -> None:
        self._sources = sources
        self._references = {id(reference.node): reference for reference in references}
        self._blocks = {id(block.select): block for block in sources.blocks}
        self._outputs: dict[int, Mapping[str, str | None]] = {}

    def column(self, block: Block, column: ColumnName) -> str | None:
        """The type of a column as a query sees it."""
        source = block.source(column.source)
        if source is None:
            return None
        found = self._references.get(id(source))
        if found is not None and not source.args.get("pivots"):
            name = found.spelt.get(column.name)
            known = found.table.column(name) if name is not None and name in found.columns else None
            return known.type.sql if known is not None else None
        if id(source) not in self._outputs:
            self._outputs[id(source)] = {}  # a recursive CTE comes by here again
            self._outputs[id(source)] = self._of_source(source)
        return self._outputs[id(source)].get(column.name)

    def _of_source(self, source: exp.Expr) -> Mapping[str, str | None]:
        """The types of the columns, by name, of a FROM item that is no table of the catalogue."""
        given = columns_of(source)
        if given:
            return {name: column.type if column is not None else None for name, column in given.items()}
        body, renamed = query_of(source, self._sources)
        if body is None:
            return {}
        names = output_names(body)
        names = [*renamed, *names[len(renamed) :]]
        types = self.outputs(body)
        return dict(zip(names, types, strict=True)) if len(set(names)) == len(names) == len(types) else {}

    def outputs(self, body: exp.Expr) -> list[str | None]:
        """The types of a query's output columns, in their order."""
        if isinstance(body, exp.Subquery):
            return self.outputs(body.this)
        if isinstance(body, exp.SetOperation):
            left, right = self.outputs(body.this), self.outputs(body.expression)
            if len(left) != len(right) or body.args.get("by_name"):
                return [None] * len(left)
            return [one if one == other else None for one, other in zip(left, right, strict=True)]
        if isinstance(body, exp.Select) and id(body) in self._blocks:
            block = self._blocks[id(body)]
            return [self._projection(block, projection.unalias()) for projection in body.expressions]
        return []

    def _projection(self, block: Block, projection: exp.Expr) -> str | None:
        if isinstance(projection, exp.Paren):
            return self._projection(block, projection.this)
        if isinstance(projection, exp.Column):
            return self.column(block, column_name(projection))
        if isinstance(projection, exp.Cast):
            return _type(projection.to)
        found = projected(projection)
        return found.type if found is not None else None


def body_of(source: exp.Expr, sources: Sources) -> exp.Expr | None:
    """The query behind a FROM item, that of a subquery or of a CTE, whose columns have the names it gives them."""
    body, renamed = query_of(source, sources)
    return body if not renamed else None


def query_of(
    source: exp.Expr, sources: Sources, *, before_pivot: bool = False
) -> tuple[exp.Expr | None, Sequence[str]]:
    """The query behind a FROM item, and the names that its first columns have instead of those it gives them.

    Of one with a PIVOT there is none, or the one that is pivoted, under the names that it has within.
    """
    if source.args.get("pivots") and not before_pivot:
        return None, ()
    if isinstance(source, exp.Subquery):
        return (source if isinstance(source.this, exp.Query) else None), _renamed(source)
    if isinstance(source, exp.Table):
        cte = sources.cte(source)
        if cte is not None:
            outside, within = _renamed(source), _renamed(cte)
            return cte.this, [*outside, *within[len(outside) :]]
    return None, ()


def _renamed(source: exp.Expr) -> list[str]:
    alias = source.args.get("alias") if not source.args.get("pivots") else None
    return [column.name for column in alias.args.get("columns") or []] if alias is not None else []


def output_names(body: exp.Expr) -> list[str]:
    """The names of a query's output columns: of a set operation, its first side's."""
    while isinstance(body, exp.SetOperation | exp.Subquery):
        body = body.this
    return [projection.alias_or_name for projection in body.expressions] if isinstance(body, exp.Select) else []


def _type(to: exp.DataType) -> str | None:
    if to.this == exp.DType.DECIMAL and len(to.expressions) == _DECIMAL_PARTS:
        return f"DECIMAL({to.expressions[0].name},{to.expressions[1].name})"
    return _TYPES.get(to.this) if not to.expressions else None
