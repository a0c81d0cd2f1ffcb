"""The texts that columns and subqueries have by themselves: `(SELECT 'open')`, `VALUES ('open')`, CTEs of them."""

from collections.abc import Iterator, Sequence

from sqlglot import exp

from mcp_server.sql.constants import constant
from mcp_server.sql.lowering.output_types import output_names, query_of
from mcp_server.sql.sources import Block, Sources

MOST_STEPS = 8
"""Columns of subqueries and CTEs that are followed to a text."""


class ConstantRelations:
    """Finds the constant texts behind an expression."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._blocks = {id(block.select): block for block in sources.blocks}

    def is_read(self, column: exp.Column, block: Block) -> bool:
        """Whether the column is a stored table's, so that it has no constants."""
        source = block.source(column.table)
        return source is None or (type(source) is exp.Table and source.name not in self._sources.ctes)

    def of(self, node: exp.Expr, block: Block) -> Sequence[exp.Expr]:
        """The constant texts that an expression may be, if those are all, else the expression itself."""
        inner = node.unnest()
        if not isinstance(inner, exp.Column | exp.Query):
            return (node,)
        found = list(self._values(inner, block, MOST_STEPS))
        return [one for one in found if one is not None] if None not in found else (node,)

    def _values(self, node: exp.Expr, block: Block, steps: int) -> Iterator[exp.Expr | None]:
        """The texts, with a None where there is something else."""
        if isinstance(node, exp.Query) and steps:
            yield from self._outputs(node, 0, steps) if len(output_names(node)) == 1 else (None,)
        elif isinstance(node, exp.Column) and steps:
            yield from self._column(node, block, steps)
        else:
            yield node if isinstance(constant(node), str) else None

    def _column(self, column: exp.Column, block: Block, steps: int) -> Iterator[exp.Expr | None]:
        source = block.source(column.table)
        if source is None or self.is_read(column, block) or source.args.get("pivots"):
            yield None
            return
        body: exp.Expr | None = source
        if isinstance(source, exp.Values):
            names = [one.name for one in source.args["alias"].columns]
        else:
            body, renamed = query_of(source, self._sources)
            written = output_names(body) if body is not None else []
            names = [*renamed, *written[len(renamed) :]]
        if body is None or names.count(column.name) != 1:
            yield None
            return
        yield from self._outputs(body, names.index(column.name), steps - 1)

    def _outputs(self, body: exp.Expr, place: int, steps: int) -> Iterator[exp.Expr | None]:
        match body:
            case exp.Subquery():
                yield from self._outputs(body.this, place, steps)
            case exp.SetOperation() if not body.args.get("by_name"):
                for side in (body.this, body.expression):
                    yield from self._outputs(side, place, steps)
            case exp.Values():
                for row in body.expressions:
                    value = row.expressions[place] if isinstance(row, exp.Tuple) else row
                    yield value if isinstance(constant(value), str) else None
            case exp.Select() if place < len(body.expressions) and id(body) in self._blocks:
                yield from self._values(body.expressions[place].unalias(), self._blocks[id(body)], steps)
            case _:
                yield None
