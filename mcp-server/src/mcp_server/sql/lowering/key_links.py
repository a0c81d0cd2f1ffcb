"""Which keys of a table the rows of another table name: `a.x = b.pk`, `pk IN (SELECT x …)`, `pk = (SELECT max(x) …)`.

Such a link is a condition on one source, "the column is among the values that were read of that table's column". It is
necessary wherever the equality is: a value that an expression takes from a table came with one of the rows read of it.
NULLs equal nothing, so they name no key. Both columns have one SQL type in which equality means the same value.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from mcp_server.domain.schema import Table
from mcp_server.planning.plan import KeyLink
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.conditions import ColumnName, Condition, conjuncts_of
from mcp_server.sql.lowering.equalities import EqualityClass, TypeOf, equality_classes, is_exact
from mcp_server.sql.lowering.output_types import output_names, query_of
from mcp_server.sql.sources import Block, Sources

MAX_LINKS = 50
"""Links derived at one join; what lies beyond is not used."""

_VALUES_OF = "values of"
_ENDS = (exp.Max, exp.Min, exp.AnyValue)
_PLAIN = frozenset({"expressions", "from_", "joins", "laterals", "where", "distinct", "order", "with_"})

OriginOf = Callable[[ColumnName], "Origin | None"]
"""The table's column that a column of some query takes its values from."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A column of a table, by the number of the reference to it.

    `row` tells of which row: values that came the same way, through the same sources, are of one row. It is None where
    an aggregate chose the value. A column of the table's own key is `present` in every row.
    """

    number: int
    column: str
    type: str
    is_key: bool
    row: tuple[int, ...] | None
    present: bool


class Origins:
    """Finds the columns of tables that columns of queries take their values from, whatever rows they leave out."""

    def __init__(self, sources: Sources, references: Sequence[Reference]) -> None:
        self._sources = sources
        self._references = {id(reference.node): (number, reference) for number, reference in enumerate(references)}
        self._blocks = {id(block.select): block for block in sources.blocks}
        self._keys = [_key_names(reference.table) for reference in references]
        self._visited: set[int] = set()

    def of(self, block: Block, column: ColumnName) -> Origin | None:
        """The origin of a column that a query sees; None where it is computed, or of more than one column."""
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
            present = known.name in {key.name for key in reference.table.key}
            return Origin(number, known.name, known.type.sql, known.name in self._keys[number], (id(source),), present)
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

    def of_output(self, body: exp.Expr, place: int) -> Origin | None:
        """The origin of a query's output column: itself one, or the largest or least of it."""
        while isinstance(body, exp.Subquery):
            body = body.this
        block = self._blocks.get(id(body))
        if block is None or place >= len(block.select.expressions):
            return None
        node = block.select.expressions[place].unalias().unnest()
        is_end = isinstance(node, _ENDS) and not any(value for part, value in node.args.items() if part != "this")
        if is_end:
            node = node.this.unnest()
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return None
        found = self.of(block, ColumnName(node.table, node.name))
        return replace(found, row=None) if found is not None and is_end else found

    def of_rows(self, block: Block, select: exp.Select) -> Iterator[tuple[ColumnName, Origin]]:
        """For `EXISTS (SELECT … WHERE own = outer)`: the outer columns, with the origins of what they equal."""
        inner = self._blocks.get(id(select))
        if inner is None or any(value for part, value in select.args.items() if part not in _PLAIN):
            return
        if any(projection.find(exp.AggFunc, exp.Anonymous) is not None for projection in select.expressions):
            return  # without a GROUP BY, it has a row in any case
        for one in _clause(select, "where"):
            node = one.expression
            if not isinstance(node, exp.EQ):
                continue
            for own, outer in ((node.this, node.expression), (node.expression, node.this)):
                if not isinstance(own, exp.Column) or not isinstance(outer, exp.Column):
                    continue
                if own.table in inner.sources and outer.table in block.sources and outer.table not in inner.sources:
                    found = self.of(inner, ColumnName(own.table, own.name))
                    if found is not None:
                        yield ColumnName(outer.table, outer.name), found


def crossing(
    classes: Iterable[EqualityClass], left: frozenset[str], right: frozenset[str], origin_of: OriginOf
) -> list[Condition]:
    """The links that equalities between two sides make, in both directions."""
    named: list[tuple[ColumnName, Origin]] = []
    for one in classes:
        origins = {column: origin_of(column) for column in one.columns if column.source in left | right}
        for column, key in origins.items():
            if key is None or not key.is_key:
                continue
            for other, origin in origins.items():
                if origin is None or origin.number == key.number or (other.source in left) == (column.source in left):
                    continue
                named.append((column, origin))
    return _links(named)


def from_around(
    block: Block, aliases: frozenset[str], filters: Sequence[Condition], type_of: TypeOf, origins: Origins
) -> list[Condition]:
    """The links that a query's filters make with the query around it, and with the queries in them."""
    made: list[Condition] = []
    correlated = [one for one in filters if one.of_one_row and not one.sources <= aliases]
    outer = frozenset(source for one in correlated for source in one.sources - aliases)
    if outer:

        def origin_of(column: ColumnName) -> Origin | None:
            return origins.of(block, column)

        classes = equality_classes(correlated, type_of)
        made += [one for one in crossing(classes, aliases, outer, origin_of) if one.sources <= aliases]
    for one in filters:
        named: list[tuple[ColumnName, Origin]] = []
        is_row = isinstance(one.expression, exp.In) and isinstance(one.expression.this.unnest(), exp.Tuple)
        for column, origin in _from_subquery(block, one.expression, origins):
            key = origins.of(block, column) if column.source in aliases else None
            if key is None or not key.is_key or key.number == origin.number:
                continue
            # DuckDB takes NULLs in rows for equal, so that a row without a key might be found by one without values.
            if key.type == origin.type and is_exact(key.type) and (key.present or not is_row):
                named.append((column, origin))
        made += _links(named)
    return made[:MAX_LINKS]


def _links(named: Sequence[tuple[ColumnName, Origin]]) -> list[Condition]:
    """A link of each column, and one of those whose values are all of one row."""
    made = [_link([column], [origin]) for column, origin in named]
    rows: dict[tuple[str, tuple[int, ...]], dict[ColumnName, Origin]] = {}
    for column, origin in named:
        if origin.row is not None:
            rows.setdefault((column.source, origin.row), {})[column] = origin
    made += [_link(list(columns), list(columns.values())) for columns in rows.values() if len(columns) > 1]
    return made[:MAX_LINKS]


def _from_subquery(block: Block, node: exp.Expr, origins: Origins) -> Iterable[tuple[ColumnName, Origin]]:
    """The columns that a condition compares with a query's outputs, with the origins of those."""
    if isinstance(node, exp.Exists) and isinstance(node.this, exp.Select):
        return list(origins.of_rows(block, node.this))
    sides: list[tuple[exp.Expr, exp.Expr | None]] = []
    if isinstance(node, exp.In):
        sides = [(node.this, node.args.get("query"))]
    elif isinstance(node, exp.EQ):
        sides = [(node.this, _compared(node.expression)), (node.expression, _compared(node.this))]
    for side, query in sides:
        operand = side.unnest()
        columns = operand.expressions if isinstance(operand, exp.Tuple) else [operand]
        if isinstance(query, exp.Subquery | exp.Select) and len(output_names(query)) == len(columns):
            found = [(column, origins.of_output(query, place)) for place, column in enumerate(columns)]
            return [
                (ColumnName(column.table, column.name), origin)
                for column, origin in found
                if isinstance(column, exp.Column) and origin is not None
            ]
    return []


def _compared(node: exp.Expr) -> exp.Expr:
    """The query behind an operand: `= ANY (SELECT …)` is `IN (SELECT …)`."""
    return node.this.unnest() if isinstance(node, exp.Any) and isinstance(node.this, exp.Expr) else node


def _link(columns: Sequence[ColumnName], origins: Sequence[Origin]) -> Condition:
    """The link as a condition: `column IN (a marker)`, which goes where conditions of one source go."""
    nodes = [
        exp.Column(this=exp.to_identifier(one.name, True), table=exp.to_identifier(one.source, True)) for one in columns
    ]
    names = tuple(origin.column for origin in origins)
    marker = exp.Placeholder(this=f"{origins[0].number}{names!r}")
    marker.meta[_VALUES_OF] = (origins[0].number, names)
    node = exp.In(this=nodes[0] if len(nodes) == 1 else exp.Tuple(expressions=nodes), expressions=[marker])
    sources = frozenset(one.source for one in columns)
    says = (origins[0].number, names)
    return Condition(node, frozenset(columns), sources, of_one_row=True, repeatable=True, says=says)


def is_link(one: Condition) -> bool:
    """Whether a condition is a link."""
    node = one.expression
    return isinstance(node, exp.In) and any(_VALUES_OF in part.meta for part in node.expressions)


def links_of(number: int, reference: Reference, conditions: Iterable[Condition]) -> tuple[KeyLink, ...]:
    """The links among the conditions on a reference, itself of that number; of those to one source, the widest."""
    found: dict[tuple[str, tuple[str, ...]], KeyLink] = {}
    for one in conditions:
        node = one.expression
        if not is_link(one):
            continue
        source, names = node.expressions[0].meta[_VALUES_OF]
        nodes = node.this.expressions if isinstance(node.this, exp.Tuple) else [node.this]
        columns = tuple(reference.spelt[column.name] for column in nodes if column.name in reference.spelt)
        if source != number and len(columns) == len(nodes):
            link = KeyLink(columns, f"r{source}", names)
            found[link.source, link.columns + names] = link
    return tuple(found.values())


def _clause(select: exp.Select, name: str) -> tuple[Condition, ...]:
    clause = select.args.get(name)
    return conjuncts_of(clause.this if clause is not None else None)


def _key_names(table: Table) -> frozenset[str]:
    keys = [*table.key, *(key for index in table.indexes for key in (*index.hash_keys, *index.range_keys))]
    return frozenset(key.name for key in keys)
