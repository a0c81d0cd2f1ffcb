"""Where the values of a column come from: a table's column, or constants, whatever rows are left out on the way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from mcp_server.domain.schema import Table
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.conditions import ColumnName, column_name, conjuncts_of
from mcp_server.sql.lowering.constant_columns import Constants, columns_of, of_values, projected
from mcp_server.sql.lowering.output_types import output_names, query_of
from mcp_server.sql.sources import Block, Sources
from mcp_server.sql.trees import holds

MOST_TABLES = 8
"""Tables that the values of one column may come from; of more, nothing is told."""

_ENDS = (exp.Max, exp.Min, exp.AnyValue)
_PLAIN = frozenset({"expressions", "from_", "joins", "laterals", "where", "distinct", "order", "with_"})


@dataclass(frozen=True, slots=True)
class Origin:
    """A column of a table, by the number of the reference to it.

    `row` tells of which row: values that came the same way, through the same sources, are of one row. It is None where
    an aggregate chose the value. A column of the table's own key is `present` in every row, as is a part
    of an attribute.
    """

    number: int
    column: str
    type: str
    is_key: bool
    row: tuple[int, ...] | None
    present: bool


@dataclass(frozen=True, slots=True)
class Either:
    """The columns of several tables, from any of which a value may come: both sides of a UNION, of one SQL type."""

    origins: tuple[Origin, ...]
    type: str
    row: tuple[int, ...] | None


AnyOrigin = Origin | Either | Constants


class Origins:
    """Finds the columns of tables that columns of queries take their values from, whatever rows they leave out."""

    def __init__(self, sources: Sources, references: Sequence[Reference]) -> None:
        self._sources = sources
        self._references = {id(reference.node): (number, reference) for number, reference in enumerate(references)}
        self._blocks = {id(block.select): block for block in sources.blocks}
        self._keys = [_key_names(reference.table) for reference in references]
        self._visited: set[int] = set()

    def of(self, block: Block, column: ColumnName) -> AnyOrigin | None:
        """The origin of a column that a query sees; None where it is computed."""
        source = block.source(column.source)
        if source is None or source.args.get("pivots"):
            return None
        found = self._references.get(id(source))
        if found is not None:
            number, reference = found
            name = reference.spelt.get(column.name)
            known = reference.table.column(name) if name is not None and name in reference.columns else None
            if known is None:
                return None
            table = reference.table
            present = name == table.hash_key.name or (table.range_key is not None and name == table.range_key.name)
            present = present or (table.virtual is not None and name in table.virtual.slots)
            return Origin(number, known.name, known.type.sql, name in self._keys[number], (id(source),), present)
        given = columns_of(source)
        if given:
            return given.get(column.name)
        body, renamed = query_of(source, self._sources)
        if body is None or id(source) in self._visited:
            return None
        names = output_names(body)
        names = [*renamed, *names[len(renamed) :]]
        if names.count(column.name) != 1:
            return None
        self._visited.add(id(source))
        try:
            inner = self.of_output(body, names.index(column.name))
        finally:
            self._visited.discard(id(source))
        return replace(inner, row=(id(source), *inner.row)) if inner is not None and inner.row is not None else inner

    def of_output(self, body: exp.Expr, place: int) -> AnyOrigin | None:
        """The origin of a query's output column: itself one, or the largest or least of it."""
        while isinstance(body, exp.Subquery):
            body = body.this
        if isinstance(body, exp.Values):
            return of_values(body, place)
        if isinstance(body, exp.SetOperation):
            return self._of_sides(body, place)
        block = self._blocks.get(id(body))
        if block is None or place >= len(block.select.expressions):
            return None
        node = block.select.expressions[place].unalias().unnest()
        is_end = isinstance(node, _ENDS) and not any(value for part, value in node.args.items() if part != "this")
        if is_end:
            node = node.this.unnest()
        if not isinstance(node, exp.Column):
            return projected(node, None if is_end or block.sources else (id(body),))
        if isinstance(node.this, exp.Star):
            return None
        found = self.of(block, column_name(node))
        return replace(found, row=None) if found is not None and is_end else found

    def _of_sides(self, body: exp.SetOperation, place: int) -> AnyOrigin | None:
        """What both sides have, if nothing has to be converted; only a UNION has rows of its second side."""
        if body.args.get("by_name"):
            return None
        left, right = self.of_output(body.this, place), self.of_output(body.expression, place)
        if left is None or right is None or left.type != right.type:
            return None
        if not isinstance(body, exp.Union):
            return left
        row = (*left.row, *right.row) if left.row is not None and right.row is not None else None
        if isinstance(left, Constants) and isinstance(right, Constants):
            return Constants((*left.values, *right.values), left.type, row)
        if isinstance(left, Constants) or isinstance(right, Constants):
            return None
        several = (*tables_of(left), *tables_of(right))
        return Either(several, left.type, row) if len(several) <= MOST_TABLES else None

    def of_rows(self, block: Block, select: exp.Select) -> Iterator[tuple[ColumnName, AnyOrigin]]:
        """For `EXISTS (SELECT … WHERE own = outer)`: the outer columns, with the origins of what they equal."""
        inner = self._blocks.get(id(select))
        if inner is None or any(value for part, value in select.args.items() if part not in _PLAIN):
            return
        if any(holds(projection, exp.AggFunc, exp.Anonymous) for projection in select.expressions):
            return  # without a GROUP BY, it has a row in any case
        where = select.args.get("where")
        for one in conjuncts_of(where.this if where is not None else None):
            node = one.expression
            if not isinstance(node, exp.EQ):
                continue
            for own, outer in ((node.this, node.expression), (node.expression, node.this)):
                if not isinstance(own, exp.Column) or not isinstance(outer, exp.Column):
                    continue
                if own.table in inner.sources and outer.table in block.sources and outer.table not in inner.sources:
                    found = self.of(inner, column_name(own))
                    if found is not None:
                        yield column_name(outer), found


def tables_of(origin: Origin | Either) -> tuple[Origin, ...]:
    """The columns that a value may come from."""
    return origin.origins if isinstance(origin, Either) else (origin,)


def _key_names(table: Table) -> frozenset[str]:
    """The columns that are keys, of the table or of an index, or parts of one in a virtual table."""
    names = {key.name for key in table.key}
    for index in table.indexes:
        names.update(key.name for key in (*index.hash_keys, *index.range_keys))
    templates = table.virtual.templates if table.virtual is not None else ()
    return frozenset(names).union(*[template.slots for attribute, template in templates if attribute in names])
