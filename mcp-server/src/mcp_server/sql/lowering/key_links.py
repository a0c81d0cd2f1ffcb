"""Which keys of a table the rows of another name: `a.x = b.pk`, `pk IN (SELECT x …)`, `pk = (SELECT max(x) …)`.

Such a link is a condition on one source, "the column is among the values that were read of that table's column". It is
necessary wherever the equality is: a value that an expression takes from a table came with one of the rows read of it.
NULLs equal nothing, so they name no key. Both columns have one SQL type in which equality means the same value.
Where the other rows are constants, the keys are known at once: that is a condition like `pk IN ('a', 'b')`.
"""

from collections.abc import Callable, Iterable, Sequence

from sqlglot import exp

from mcp_server.planning.plan import KeyLink, KeySource
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.constants import constant
from mcp_server.sql.lowering.conditions import AnyCondition, ColumnName, Condition, Link, column_name, condition, link
from mcp_server.sql.lowering.constant_columns import MAX_VALUES, Constants
from mcp_server.sql.lowering.equalities import EqualityClass, TypeOf, equality_classes, is_exact
from mcp_server.sql.lowering.origins import AnyOrigin, Either, Origin, Origins, tables_of
from mcp_server.sql.lowering.output_types import output_names
from mcp_server.sql.sources import Block
from mcp_server.sql.trees import copied

MAX_LINKS = 50
"""Links derived at one join; what lies beyond is not used."""

OriginOf = Callable[[ColumnName], AnyOrigin | None]
"""Where a column that some query sees takes its values from."""

_Named = tuple[ColumnName, AnyOrigin]
"""A key, and where its values are named."""


def crossing(
    classes: Iterable[EqualityClass], left: frozenset[str], right: frozenset[str], origin_of: OriginOf
) -> list[AnyCondition]:
    """The links that equalities between two sides make, in both directions."""
    named: list[_Named] = []
    for one in classes:
        on_right = [column for column in one.columns if column.source in right]
        on_left = [column for column in one.columns if column.source in left] if on_right else ()
        if not on_left:
            continue
        origins = {column: origin_of(column) for column in one.columns}
        for column in one.columns:
            key = origins[column]
            if isinstance(key, Origin) and key.is_key:
                across = on_right if column in on_left else on_left if column in on_right else ()
                named += [
                    (column, origin)
                    for other in across
                    if (origin := origins[other]) is not None and _names(origin, key)
                ]
    return _links(named)


def from_around(
    block: Block, aliases: frozenset[str], filters: Sequence[AnyCondition], type_of: TypeOf, origins: Origins
) -> list[AnyCondition]:
    """The links that a query's filters make with the query around it, and with the queries in them."""
    made: list[AnyCondition] = []
    correlated = [one for one in filters if one.of_one_row and not one.sources <= aliases]
    outer = frozenset(source for one in correlated for source in one.sources - aliases)
    if outer:

        def origin_of(column: ColumnName) -> AnyOrigin | None:
            return origins.of(block, column)

        classes = equality_classes(correlated, type_of)
        made += [one for one in crossing(classes, aliases, outer, origin_of) if one.sources <= aliases]
    for one in filters:
        if isinstance(one, Link) or one.equates is not None:  # two columns
            continue
        named: list[_Named] = []
        is_row = isinstance(one.expression, exp.In) and isinstance(one.expression.this.unnest(), exp.Tuple)
        for column, origin in _from_subquery(block, one.expression, origins):
            key = origins.of(block, column) if column.source in aliases else None
            if not isinstance(key, Origin) or not key.is_key or not _names(origin, key):
                continue
            # DuckDB takes NULLs in rows for equal, so that a row without a key might be found by one without values.
            if key.type == origin.type and is_exact(key.type) and (key.present or not is_row):
                named.append((column, origin))
        made += _links(named)
    return made[:MAX_LINKS]


def _names(origin: AnyOrigin, key: Origin) -> bool:
    """Whether values come from elsewhere than the rows whose key they name."""
    return isinstance(origin, Constants) or all(one.number != key.number for one in tables_of(origin))


def _links(named: Sequence[_Named]) -> list[AnyCondition]:
    """A link of each column, and one of those whose values are all of one row."""
    if not named:
        return []
    made: list[AnyCondition] = []
    rows: dict[tuple[str, tuple[int, ...]], dict[ColumnName, Origin | Either]] = {}
    given: dict[tuple[str, tuple[int, ...]], dict[ColumnName, Constants]] = {}
    for column, origin in named:
        if not isinstance(origin, Constants):
            made.append(_link([column], [origin]))
            if origin.row is not None:
                rows.setdefault((column.source, origin.row), {})[column] = origin
        else:
            made += _among([column], [origin])
            if origin.row is not None:
                given.setdefault((column.source, origin.row), {})[column] = origin
    made += [_link(list(columns), list(columns.values())) for columns in rows.values() if len(columns) > 1]
    for constants in given.values():
        made += _among(list(constants), list(constants.values())) if len(constants) > 1 else []
    return made[:MAX_LINKS]


def _among(columns: Sequence[ColumnName], constants: Sequence[Constants]) -> list[Condition]:
    """The condition that the columns have the values of one of the rows; NULL equals nothing."""
    rows = [row for row in zip(*(one.values for one in constants), strict=True) if None not in row]
    different = {tuple(constant(part) for part in row if part is not None): row for row in rows}
    if not 0 < len(different) <= MAX_VALUES:
        return []
    values = [[copied(part) for part in row if part is not None] for row in different.values()]
    if len(columns) == 1:
        return [condition(exp.In(this=_column(columns[0]), expressions=[value for (value,) in values]))]
    row = exp.Tuple(expressions=[_column(column) for column in columns])
    return [condition(exp.In(this=row, expressions=[exp.Tuple(expressions=value) for value in values]))]


def _column(name: ColumnName) -> exp.Column:
    this, table = (exp.Identifier(this=one, quoted=True) for one in (name.name, name.source))
    return exp.Column(this=this, table=table)


def _from_subquery(block: Block, node: exp.Expr, origins: Origins) -> Iterable[_Named]:
    """The columns that a condition compares with a query's outputs, with the origins of those."""
    if isinstance(node, exp.Exists) and isinstance(node.this, exp.Select):
        return list(origins.of_rows(block, node.this))
    sides: list[tuple[exp.Expr, exp.Expr | None]] = []
    if isinstance(node, exp.In):
        query = node.args.get("query")
        sides = [(node.this, query if query is not None or len(node.expressions) != 1 else node.expressions[0])]
    elif isinstance(node, exp.EQ):
        sides = [(node.this, _compared(node.expression)), (node.expression, _compared(node.this))]
    for side, query in sides:
        operand = side.unnest()
        columns = operand.expressions if isinstance(operand, exp.Tuple) else [operand]
        if isinstance(query, exp.Query | exp.Values) and _width(query) == len(columns):
            found = [(column, origins.of_output(query, place)) for place, column in enumerate(columns)]
            return [
                (column_name(column), origin)
                for column, origin in found
                if isinstance(column, exp.Column) and origin is not None
            ]
    return []


def _width(query: exp.Expr) -> int:
    """How many columns it puts out."""
    inner = query.unnest()
    rows = inner.expressions if isinstance(inner, exp.Values) else []
    return len(rows[0].expressions) if rows and isinstance(rows[0], exp.Tuple) else len(output_names(query))


def _compared(node: exp.Expr) -> exp.Expr:
    """The query behind an operand: `= ANY (SELECT …)` is `IN (SELECT …)`."""
    return node.this.unnest() if isinstance(node, exp.Any) and isinstance(node.this, exp.Expr) else node


def _link(columns: Sequence[ColumnName], origins: Sequence[Origin | Either]) -> Link:
    rows = zip(*map(tables_of, origins), strict=True)  # values of one row come from the same tables
    return link(columns, tuple([(row[0].number, tuple([one.column for one in row])) for row in rows]))


def links_of(number: int, reference: Reference, conditions: Iterable[AnyCondition]) -> tuple[KeyLink, ...]:
    """The links among the conditions on a reference, itself of that number."""
    found: list[KeyLink] = []
    for one in conditions:
        if not isinstance(one, Link) or any(source == number for source, _ in one.says):
            continue
        columns = tuple(reference.spelt[column.name] for column in one.names if column.name in reference.spelt)
        if len(columns) == len(one.names):
            found.append(KeyLink(columns, tuple([KeySource(f"r{source}", names) for source, names in one.says])))
    return tuple(dict.fromkeys(found)) if len(found) > 1 else tuple(found)
