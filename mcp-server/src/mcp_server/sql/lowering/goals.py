"""How few rows of a table a statement can do with: `LIMIT 10`, `ORDER BY sk LIMIT 1`, `min(sk), max(sk)`, `EXISTS (…)`.

Only a plain statement over one table has a goal, or such a subquery of EXISTS: each row makes one row of the result, or
none.
"""

from dataclasses import replace

from sqlglot import exp

from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Column
from mcp_server.planning.plan import Conjunct, Goal, Relation
from mcp_server.planning.predicate import IsNotNull
from mcp_server.sql.binding.direct import certain_conditions
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.gate.allowed_functions import AGGREGATES
from mcp_server.sql.lowering.conditions import conjuncts_of
from mcp_server.sql.lowering.plain import plain_select
from mcp_server.sql.trees import nodes, parts

MAX_ROWS = 1_000_000

_CLAUSES = frozenset({"expressions", "from_", "where", "order", "limit", "offset"})
_EXISTS_CLAUSES = frozenset({"expressions", "from_", "where"})
_NOT_ONE_FOR_ONE = (
    exp.Query,
    exp.Exists,
    exp.AggFunc,
    exp.Window,
    exp.Filter,
    exp.WithinGroup,
    exp.Unnest,
    exp.Explode,
)
_AGGREGATES = frozenset(AGGREGATES.split())


def goal_of(query: exp.Query, reference: Reference, relation: Relation) -> Goal | None:
    """The goal of a qualified statement whose only table is the reference; None where it may need every row."""
    select = plain_select(query, reference, _CLAUSES)
    if select is None:
        return None
    if not _is_about_its_rows(select, reference):
        return None
    end = _end_of_column(select, reference)
    if end is not None:
        return end
    rows = rows_wanted(select)
    if rows is None or not _is_one_for_one(select):
        return None
    order = select.args.get("order")
    if order is None:
        return Goal(rows, conditions=certain_conditions(select, reference, relation))
    if len(order.expressions) != 1:
        return None
    first = order.expressions[0]
    column = _column(_unaliased(first.this, select), reference)
    return Goal(rows, column, descending=bool(first.args.get("desc"))) if column is not None else None


def goal_of_exists(reference: Reference, relation: Relation) -> Goal | None:
    """One row, where the reference is all that a subquery of EXISTS reads, whatever the row around it."""
    from_ = reference.node.parent
    inner = from_.parent if isinstance(from_, exp.From) else None
    if not isinstance(inner, exp.Select) or not isinstance(inner.parent, exp.Exists):
        return None
    select = plain_select(inner, reference, _EXISTS_CLAUSES)
    if select is None or not _is_about_its_rows(select, reference) or not _is_one_for_one(select):
        return None
    return Goal(1, conditions=certain_conditions(select, reference, relation))


def _is_about_its_rows(select: exp.Select, reference: Reference) -> bool:
    """Whether each condition is one on single rows of the reference."""
    where = select.args.get("where")
    own = frozenset({reference.node.alias_or_name})
    conditions = conjuncts_of(where.this if where is not None else None)
    return all(one.of_one_row and one.sources == own for one in conditions)


def _is_one_for_one(select: exp.Select) -> bool:
    """Whether each row makes one row of the result."""
    return not any(_joins_rows(node) for projection in select.expressions for node in nodes(projection))


def _joins_rows(node: exp.Expr) -> bool:
    """Whether it makes one row of many, or many of one, as far as it is not sure that it does not."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() in _AGGREGATES
    return isinstance(node, _NOT_ONE_FOR_ONE)


def with_goal(relation: Relation, goal: Goal | None) -> Relation:
    """The relation with its goal, and with the condition that the goal itself makes."""
    if goal is None:
        return relation
    column = relation.table.column(goal.order) if goal.order is not None else None
    if column is None or not goal.present:
        return replace(relation, goal=goal)
    return replace(with_present(relation, column), goal=goal)


def with_present(relation: Relation, column: Column) -> Relation:
    """The relation, whose rows count only where they have the column."""
    present = Conjunct(f"{quoted(column.name)} IS NOT NULL", IsNotNull(column.name), True)
    if not column.nullable or any(one.predicate == present.predicate for one in relation.conjuncts):
        return relation
    return replace(relation, conjuncts=(*relation.conjuncts, present))


def _end_of_column(query: exp.Select, reference: Reference) -> Goal | None:
    """`min(c)` or `max(c)`, alone or both."""
    if any(query.args.get(clause) for clause in ("order", "limit", "offset")):
        return None
    columns, ends = set[str | None](), set[bool]()
    for projection in query.expressions:
        found = projection.unalias()
        if not isinstance(found, exp.Max | exp.Min) or parts(found) != {"this"}:
            return None
        columns.add(_column(found.this, reference))
        ends.add(isinstance(found, exp.Max))
    if len(columns) != 1 or (column := columns.pop()) is None:
        return None
    return Goal(1, column, descending=ends == {True}, present=True, both_ends=len(ends) == 2)


def rows_wanted(query: exp.Select) -> int | None:
    """LIMIT and OFFSET together, where both are numbers and some rows are wanted."""
    limit, offset = query.args.get("limit"), query.args.get("offset")
    if not isinstance(limit, exp.Limit) or any(value for part, value in limit.args.items() if part != "expression"):
        return None
    numbers = [limit.expression, *([offset.expression] if offset is not None else [])]
    if not all(isinstance(number, exp.Literal) and number.name.isdecimal() for number in numbers):
        return None
    rows = sum(int(number.name) for number in numbers)
    return rows if 0 < rows <= MAX_ROWS else None


def _unaliased(node: exp.Expr, query: exp.Select) -> exp.Expr:
    """What a name of the SELECT list stands for."""
    if isinstance(node, exp.Column) and not node.table:
        named = [one for one in query.expressions if one.alias_or_name == node.name]
        return named[0].unalias() if len(named) == 1 else node
    return node


def _column(node: exp.Expr, reference: Reference) -> str | None:
    if not isinstance(node, exp.Column) or node.table != reference.node.alias_or_name:
        return None
    return reference.spelt.get(node.name)
