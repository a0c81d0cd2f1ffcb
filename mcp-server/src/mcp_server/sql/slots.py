"""Which parameters and literals of a statement its plan would carry along unread, so that one plan does for all values.

That is certain of few: `column = ?`, `column BETWEEN ? AND ?`, `column IN (?, ?)` and the like, joined by AND in the
WHERE of a query that reads tables and other such queries: of the statement, of a CTE, of a subquery in FROM or in
WHERE, of a side of a set operation. In that WHERE, all conditions that speak of columns of that name are of that kind
and have no other values. Then nothing but the order of these values may decide something: which of two bounds is the
tighter one, whether there is anything between them. Anywhere else a value may: equal conditions are dropped, a LIMIT
ends reading early, a projection is named after its text, also where a subquery stands in it.

Two queries may compare one column of one table, as conditions go down into subqueries. That is seen where the plan is
made (`engine/plan_slots.py`): such a column has more values there than its slots.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.sql.gate.parse import Statement
from mcp_server.sql.lowering.conditions import Condition, conjuncts_of
from mcp_server.sql.tables import real_tables
from mcp_server.sql.trees import branches, nodes

MOST_TABLES = 4
"""References to tables of a statement with slots: how each is read may be chosen for every call."""
MOST_QUERIES = 8
"""SELECTs of a statement with slots."""
MOST_CONDITIONS = 40
"""Conditions of one: of more, which are said of a source or of a column may depend on which are equal."""

_COMPARISONS = (exp.EQ, exp.LT, exp.LTE, exp.GT, exp.GTE)
_NARROWING = ("with_", "this", "expression", "from_", "joins", "where")
"""The parts of queries whose own queries have slots; equal ones of other parts, as of GROUP BY, may count as one."""
_OTHER_SOURCES = (exp.Lateral, exp.Unnest, exp.Values, exp.Pivot)

_Node = TypeVar("_Node", bound=exp.Expr)


@dataclass(frozen=True, slots=True)
class ColumnSlots:
    """The slots that stand in one query's conditions on one column, by name; `ordered` tells that order matters."""

    names: tuple[str, ...]
    ordered: bool


def slots(statement: Statement, marks: Mapping[str, str]) -> tuple[ColumnSlots, ...]:
    """The slots of a statement in which a mark stands for each value that may be one; `marks` maps mark to name."""
    query, found = statement.expression, nodes(statement.expression)
    if not _reads_few_tables(found):
        return ()
    filters = [_filters(select) for select in _narrowing(query)]
    if len(filters) > MOST_QUERIES or sum(map(len, filters)) > MOST_CONDITIONS:
        return ()
    literals = Counter(str(node.this) for node in found if isinstance(node, exp.Literal))
    once = {mark: name for mark, name in marks.items() if literals[mark.lstrip("-")] == 1}
    return tuple(one for conditions in filters for one in _of_conditions(conditions, once))


def _of_conditions(conditions: Sequence[Condition], marks: Mapping[str, str]) -> Iterator[ColumnSlots]:
    """The slots of one query's conditions."""
    columns = Counter(fold(node.name) for one in conditions for node in _own(one.expression, exp.Column))
    compared: dict[str, list[exp.Expr]] = defaultdict(list)
    values: dict[str, list[str]] = defaultdict(list)
    for one in conditions:
        for column, others in _readings(one.expression):
            if isinstance(column, exp.Column):
                compared[fold(column.name)].append(one.expression)
                values[fold(column.name)] += [_value(other) for other in others]
    for name, those in compared.items():
        given = values[name]
        if len(those) == columns[name] and all(mark in marks for mark in given):
            yield ColumnSlots(tuple(marks[mark] for mark in given), _are_ordered(those))


def _filters(select: exp.Select) -> tuple[Condition, ...]:
    where = select.args.get("where")
    return conjuncts_of(where.this if where is not None else None)


def _own(condition: exp.Expr, kind: type[_Node]) -> Iterator[_Node]:
    """The nodes of a kind in a condition, without those of queries in it."""
    pending = [condition]
    while pending:
        node = pending.pop()
        if isinstance(node, kind):
            yield node
        if not isinstance(node, exp.Query):
            pending += branches(node)


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


def _narrowing(query: exp.Expr) -> list[exp.Select]:
    """The SELECTs of a statement whose conditions do nothing but narrow what is read, in no certain order."""
    found: list[exp.Select] = []
    pending = [query]
    while pending:
        node = pending.pop()
        found += [node] if isinstance(node, exp.Select) else []
        if isinstance(node, exp.Query):
            for part in map(node.args.get, _NARROWING):
                pending += part if isinstance(part, list) else [part] if part is not None else []
        elif isinstance(node, exp.Join):
            pending.append(node.this)
        else:
            pending += branches(node)
    return found


def _reads_few_tables(found: Sequence[exp.Expr]) -> bool:
    """Whether a statement of these nodes reads tables, a few at most, and nothing else but its own queries."""
    if not 0 < len(real_tables(found)) <= MOST_TABLES:
        return False
    return all(_is_query_or_table(node) for node in found)


def _is_query_or_table(node: exp.Expr) -> bool:
    """Whether a node is a table or a query, if it is something to read from at all."""
    if isinstance(node, exp.Table):
        return isinstance(node.this, exp.Identifier)
    return not isinstance(node, _OTHER_SOURCES) and not (isinstance(node, exp.With) and node.recursive)
