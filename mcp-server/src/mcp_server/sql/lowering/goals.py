"""How few rows of a table a statement can do with: `LIMIT 10`, `ORDER BY sk DESC LIMIT 1`, `max(sk)`.

Only a plain statement over one table has a goal: each row of it makes one row of the result, or none.
"""

from dataclasses import replace

from sqlglot import exp

from mcp_server.domain.names import quoted
from mcp_server.planning.plan import Conjunct, Goal, Relation
from mcp_server.planning.predicate import IsNotNull
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.conditions import conjuncts_of
from mcp_server.sql.lowering.plain import plain_select

MAX_ROWS = 1_000_000

_CLAUSES = frozenset({"expressions", "from_", "where", "order", "limit", "offset"})
_ONE_FOR_ONE = (
    *(exp.Column, exp.Identifier, exp.Alias, exp.Literal, exp.Null, exp.Boolean, exp.Paren),
    *(exp.Cast, exp.DataType, exp.DataTypeParam, exp.Add, exp.Sub, exp.Mul, exp.DPipe, exp.Neg),
)


def goal_of(query: exp.Query, reference: Reference) -> Goal | None:
    """The goal of a qualified statement whose only table is the reference; None where it may need every row."""
    select = plain_select(query, reference, _CLAUSES)
    if select is None:
        return None
    where = select.args.get("where")
    own = frozenset({reference.node.alias_or_name})
    if not all(
        one.of_one_row and one.sources == own for one in conjuncts_of(where.this if where is not None else None)
    ):
        return None
    end = _end_of_column(select, reference)
    if end is not None:
        return end
    rows = _rows(select)
    plain = all(isinstance(node, _ONE_FOR_ONE) for projection in select.expressions for node in projection.walk())
    if rows is None or not plain:
        return None
    order = select.args.get("order")
    if order is None:
        return Goal(rows)
    if len(order.expressions) != 1:
        return None
    first = order.expressions[0]
    column = _column(_unaliased(first.this, select), reference)
    return Goal(rows, column, descending=bool(first.args.get("desc"))) if column is not None else None


def with_goal(relation: Relation, goal: Goal | None) -> Relation:
    """The relation with its goal, and with the condition that the goal itself makes."""
    column = relation.table.column(goal.order) if goal is not None and goal.order is not None else None
    if goal is None or column is None or not goal.present or not column.nullable:
        return replace(relation, goal=goal)
    present = Conjunct(f"{quoted(column.name)} IS NOT NULL", IsNotNull(column.name), True)
    known = any(one.predicate == present.predicate for one in relation.conjuncts)
    return replace(relation, goal=goal, conjuncts=relation.conjuncts + (() if known else (present,)))


def _end_of_column(query: exp.Select, reference: Reference) -> Goal | None:
    """`min(c)` or `max(c)`, alone."""
    if len(query.expressions) != 1 or any(query.args.get(clause) for clause in ("order", "limit", "offset")):
        return None
    found = query.expressions[0].unalias()
    if not isinstance(found, exp.Max | exp.Min) or any(value for part, value in found.args.items() if part != "this"):
        return None
    column = _column(found.this, reference)
    return Goal(1, column, descending=isinstance(found, exp.Max), present=True) if column is not None else None


def _rows(query: exp.Select) -> int | None:
    """LIMIT and OFFSET together."""
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
