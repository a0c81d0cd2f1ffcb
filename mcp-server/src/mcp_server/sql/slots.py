"""Which parameters and literals of a statement its plan would carry along unread, so that one plan does for all values.

That is certain of few: `column = ?`, `column BETWEEN ? AND ?`, `column IN (?, ?)` and the like, joined by AND in the
WHERE of a plain statement over one table or a few, where all conditions that speak of columns of that name are of that
kind and have no other values. Then nothing but the order of these values may decide something: which of two bounds is
the tighter one, whether there is anything between them. Anywhere else a value may: equal conditions are dropped, a
LIMIT ends reading early, a projection is named after its text.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.lowering.conditions import conjuncts_of
from mcp_server.sql.trees import nodes, nodes_of

MOST_TABLES = 4
"""References to tables of a statement with slots: how each is read may be chosen for every call."""

_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE)


@dataclass(frozen=True, slots=True)
class ColumnSlots:
    """The slots that stand in conditions on one column, by name; `ordered` tells that their order matters."""

    names: tuple[str, ...]
    ordered: bool


def slots(statement: Statement, marks: Mapping[str, str]) -> tuple[ColumnSlots, ...]:
    """The slots of a statement in which a mark stands for each value that may be one; `marks` maps mark to name."""
    query = statement.expression
    if not isinstance(query, exp.Select) or not _plain(query):
        return ()
    where = query.args.get("where")
    conditions = [one.expression for one in conjuncts_of(where.this if where is not None else None)]
    literals = Counter(str(node.this) for node in nodes_of(query, exp.Literal))
    columns = Counter(fold(node.name) for one in conditions for node in nodes_of(one, exp.Column))
    compared: dict[str, list[exp.Expr]] = defaultdict(list)
    values: dict[str, list[str]] = defaultdict(list)
    for one in conditions:
        for column, others in _readings(one):
            if isinstance(column, exp.Column):
                compared[fold(column.name)].append(one)
                values[fold(column.name)] += [_value(other) for other in others]
    found: list[ColumnSlots] = []
    for name, those in compared.items():
        given = values[name]
        if len(those) == columns[name] and all(mark in marks and literals[mark.lstrip("-")] == 1 for mark in given):
            found.append(ColumnSlots(tuple(marks[mark] for mark in given), _are_ordered(those)))
    return tuple(found)


def _readings(condition: exp.Expr) -> Sequence[tuple[exp.Expr, Sequence[exp.Expr]]]:
    """What a condition compares with what, seen from either side."""
    match condition:
        case exp.Between() if _only(condition, "this", "low", "high"):
            return [(condition.this, (condition.args["low"], condition.args["high"]))]
        case exp.In() if _only(condition, "this", "expressions"):
            return [(condition.this, condition.expressions)]
    if not isinstance(condition, _COMPARISONS):
        return []
    left, right = condition.this, condition.expression
    return [(left, (right,)), (right, (left,))]


def _only(node: exp.Expr, *parts: str) -> bool:
    return all(part in parts for part, value in node.args.items() if value)


def _value(node: exp.Expr) -> str:
    """A literal as a mark is written, a negative number with its sign; empty for anything else."""
    inner = node.this if isinstance(node, exp.Paren) else node  # as a negative parameter stands
    negative = isinstance(inner, exp.Neg)
    literal = inner.this if negative else node
    return ("-" if negative else "") + str(literal.this) if isinstance(literal, exp.Literal) else ""


def _are_ordered(conditions: Sequence[exp.Expr]) -> bool:
    """Whether more is asked than which of the values are equal."""
    return len(conditions) > 1 or isinstance(conditions[0], exp.Between)


def _plain(query: exp.Select) -> bool:
    """Whether it reads tables, a few at most, and nothing else."""
    from_ = query.args.get("from_")
    if from_ is None:
        return False
    tables = [from_.this, *(join.this for join in query.args.get("joins") or ())]
    if len(tables) > MOST_TABLES or not all(_is_named(table) for table in tables):
        return False
    sources = sum(isinstance(node, exp.Query | exp.Table | exp.Lateral | exp.Unnest) for node in nodes(query))
    return sources == 1 + len(tables)


def _is_named(table: exp.Expr) -> bool:
    return isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier)
