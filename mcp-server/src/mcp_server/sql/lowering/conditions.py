"""Conditions of a qualified statement, and what can be told of each by its shape."""

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sqlglot import exp

from mcp_server.sql.constants import HOLDS, constant
from mcp_server.sql.trees import branches

_COMPARISONS = (*HOLDS, exp.Like)
_STRICT = (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Cast)
_NOT_OF_ONE_ROW = (exp.Query, exp.Exists, exp.AggFunc, exp.Window, exp.Unnest, exp.Explode)
_NOT_REPEATABLE = (exp.Rand, exp.Uuid, exp.Anonymous)
_OF_ONE_ROW = frozenset({*HOLDS, exp.And, exp.Or, exp.Not, exp.Paren, exp.In, exp.Between, exp.Like})
"""The frequent kinds of nodes that are none of those."""


class ColumnName(NamedTuple):
    """A column of a source, by the source's alias."""

    source: str
    name: str


def column_name(node: exp.Column) -> ColumnName:
    """The column that a node names."""
    source, name = node.args.get("table"), node.args["this"]
    if type(source) is type(name) is exp.Identifier:
        return ColumnName(source.args["this"], name.args["this"])
    return ColumnName(node.table, node.name)


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A conjunct: the columns in it, and whether it speaks of one row only, without subqueries and aggregates.

    `repeatable` tells that it has the same value wherever its columns have; `equates` are the two columns that it
    holds equal, if that is all it says; `says` is what conditions share that say the same of a column each.
    """

    expression: exp.Expr
    columns: frozenset[ColumnName]
    sources: frozenset[str]
    of_one_row: bool
    repeatable: bool
    equates: tuple[ColumnName, ColumnName] | None = None
    says: Hashable = None

    def rejects_nulls(self, sources: Collection[str]) -> bool:
        """Whether it cannot be true where all columns of the sources are NULL."""
        return rejects_nulls(self.expression, sources)

    def is_same(self, other: "AnyCondition") -> bool:
        """Whether it is the same condition, on the same columns."""
        return (
            isinstance(other, Condition) and self.columns == other.columns and bool(self.expression == other.expression)
        )


RowsNamed = tuple[tuple[int, tuple[str, ...]], ...]
"""Rows of tables that name keys: the number of the reference to each, and the columns that do."""


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A condition that no expression says: the values of some columns are those of a row of one of the tables.

    `names` are the columns in the order of those in `says`.
    """

    names: tuple[ColumnName, ...]
    says: RowsNamed
    columns: frozenset[ColumnName]
    sources: frozenset[str]
    of_one_row: ClassVar[bool] = True
    repeatable: ClassVar[bool] = True
    equates: ClassVar[None] = None

    def rejects_nulls(self, sources: Collection[str]) -> bool:
        """Whether it cannot be true where all columns of the sources are NULL; of several columns that is not told."""
        return len(self.names) == 1 and self.names[0].source in sources

    def is_same(self, other: "AnyCondition") -> bool:
        """Whether it is the same link of the same columns."""
        return isinstance(other, Link) and self.names == other.names and self.says == other.says


AnyCondition = Condition | Link


def link(names: Sequence[ColumnName], says: RowsNamed) -> Link:
    """The link of these columns with those rows."""
    return Link(tuple(names), says, frozenset(names), frozenset([name.source for name in names]))


def condition(expression: exp.Expr) -> Condition:
    """Looks a conjunct through, in one walk."""
    named: list[ColumnName] = []
    of_one_row = repeatable = True
    walked = [expression]
    for node in walked:  # which grows as it goes
        if isinstance(node, exp.Column):
            named.append(column_name(node))
            if isinstance(node.args["this"], exp.Identifier):
                continue  # nothing but names is below it
        elif type(node) not in _OF_ONE_ROW:
            of_one_row = of_one_row and not isinstance(node, _NOT_OF_ONE_ROW)
            repeatable = repeatable and not isinstance(node, _NOT_REPEATABLE)
        walked += branches(node)
    columns, sources = frozenset(named), frozenset([column.source for column in named])
    equates = None
    if isinstance(expression, exp.EQ) and len(columns) == len(named) == 2 and len(walked) == 3:
        equates = named[0], named[1]
    return Condition(expression, columns, sources, of_one_row, repeatable and of_one_row, equates)


def conjuncts_of(clause: exp.Expr | None) -> tuple[Condition, ...]:
    """A WHERE or ON condition, taken apart at its ANDs."""
    return tuple(condition(part) for part in _parts(clause)) if clause is not None else ()


def _parts(clause: exp.Expr) -> Iterable[exp.Expr]:
    found: list[exp.Expr] = []
    pending = [clause]
    while pending:
        node = pending.pop()
        if isinstance(node, exp.And):
            pending += (node.args["expression"], node.args["this"])
        elif isinstance(node, exp.Paren):
            pending.append(node.args["this"])
        else:
            found.append(node)
    return found


def is_never_true(node: exp.Expr) -> bool:
    """Whether a condition is false or NULL of every row, as far as constants tell."""
    match node:
        case exp.Paren():
            return is_never_true(node.this)
        case exp.And():
            return any(is_never_true(part) for part in node.flatten())
        case exp.Or():
            return all(is_never_true(part) for part in node.flatten())
        case exp.Boolean():
            return not node.this
        case exp.Null():
            return True
        case exp.EQ() | exp.NEQ() | exp.LT() | exp.LTE() | exp.GT() | exp.GTE():
            left, right = constant(node.this), constant(node.expression)
            if left is None or right is None:
                return not isinstance(node.expression, exp.Any | exp.All)
            return type(left) is int and type(right) is int and not HOLDS[type(node)](left, right)
    return False


def rejects_nulls(node: exp.Expr, sources: Collection[str]) -> bool:
    """Whether a condition cannot be true where all columns of the sources are NULL.

    Every form that is not known not to be is taken to be true: `NOT (NULL IN (SELECT …))` is, of an empty result.
    """
    if isinstance(node, exp.Paren):
        return rejects_nulls(node.this, sources)
    if isinstance(node, exp.And):
        return any(rejects_nulls(part, sources) for part in node.flatten())
    if isinstance(node, exp.Or):
        return all(rejects_nulls(part, sources) for part in node.flatten())
    if isinstance(node, exp.Not):
        inner = node.this.unnest()
        if isinstance(inner, exp.Is):
            return isinstance(inner.expression, exp.Null) and _is_null(inner.this, sources)
        return _is_null_condition(inner, sources)
    return _is_null_condition(node, sources)


def _is_null_condition(node: exp.Expr, sources: Collection[str]) -> bool:
    """Whether a condition, and so its negation, is NULL where all columns of the sources are."""
    if isinstance(node, exp.In):
        return bool(node.expressions) and _is_null(node.this, sources)
    if isinstance(node, exp.Between):
        return _is_null(node.this, sources)
    if isinstance(node, _COMPARISONS):
        if isinstance(node.expression, exp.Any | exp.All):
            return False
        return _is_null(node.this, sources) or _is_null(node.expression, sources)
    return isinstance(node, exp.Column) and _is_null(node, sources)


def _is_null(operand: exp.Expr, sources: Collection[str]) -> bool:
    if isinstance(operand, exp.Column):
        return operand.table in sources
    return isinstance(operand, _STRICT) and any(
        _is_null(part, sources) for part in (operand.this, operand.args.get("expression")) if part is not None
    )
