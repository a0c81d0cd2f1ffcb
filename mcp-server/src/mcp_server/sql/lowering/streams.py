"""Whether a statement makes of each item of its one table a row of its own, or none, and nothing of them together."""

from collections.abc import Iterable
from dataclasses import replace

from sqlglot import exp

from mcp_server.planning.streaming import Stream
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.dialect import to_sql
from mcp_server.sql.lowering.goals import rows_wanted
from mcp_server.sql.lowering.merging import passing_blocks
from mcp_server.sql.lowering.plain import plain_select
from mcp_server.sql.lowering.rowwise import is_of_one_row
from mcp_server.sql.trees import nodes, nodes_of, parts

_CLAUSES = frozenset({"expressions", "from_", "where", "order", "limit", "offset"})
_CALCULATIONS = frozenset(
    {
        *(exp.Alias, exp.Paren, exp.And, exp.Or, exp.Not, exp.Is, exp.In, exp.Between, exp.NullSafeEQ, exp.NullSafeNEQ),
        *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Abs, exp.Round),
    }
)
"""What makes the same of a number whichever type holds it."""


def stream_of(query: exp.Query, reference: Reference) -> Stream | None:
    """The stream of a qualified statement whose only table is the reference, without its text; None if it is none."""
    select = plain_select(query, reference, _CLAUSES)
    if select is None:
        return None
    where = select.args.get("where")
    values = [*select.expressions, *([where.this] if where is not None else [])]
    if not all(is_of_one_row(node) for value in values for node in nodes(value)):
        return None
    limit, offset = rows_wanted(select), select.args.get("offset")
    if limit is None and (select.args.get("limit") is not None or offset is not None):
        return None
    skipped = int(offset.expression.name) if offset is not None else 0
    computed, calculated = _used(values, reference)
    order = select.args.get("order")
    if order is None:
        return Stream("", computed=computed, calculated=calculated, limit=limit, offset=skipped)
    column = _ordering(order, select, reference)
    descending = bool(order.expressions[0].args.get("desc"))
    return Stream("", column, descending, computed, calculated, limit, skipped) if column is not None else None


def _used(values: Iterable[exp.Expr], reference: Reference) -> tuple[frozenset[str], frozenset[str]]:
    """The table's columns of which something is made, or asked, and of these those that are only calculated with."""
    computed, calculated = set[str](), set[str]()
    for value in values:
        if isinstance(value, exp.Alias) and isinstance(value.this, exp.Column):
            continue  # it is handed out as it is
        for node in nodes(value):
            name = reference.spelt.get(node.name) if isinstance(node, exp.Column) else None
            if name is not None:
                (calculated if _is_calculation(node, value) else computed).add(name)
    return frozenset(computed), frozenset(calculated - computed)


def _is_calculation(column: exp.Expr, value: exp.Expr) -> bool:
    """Whether nothing but calculations is made of a column in a value."""
    node = column
    while node is not value and node.parent is not None:
        node = node.parent
        if type(node) not in _CALCULATIONS:
            return False
    return True


def _ordering(order: exp.Order, query: exp.Select, reference: Reference) -> str | None:
    """The one column that the rows are ordered by."""
    if len(order.expressions) != 1 or parts(order) != {"expressions"}:
        return None
    node = order.expressions[0].this
    if isinstance(node, exp.Column) and not node.table:
        named = [one for one in query.expressions if one.alias_or_name == node.name]
        node = named[0].unalias() if len(named) == 1 else node
    if not isinstance(node, exp.Column) or node.table != reference.node.alias_or_name:
        return None
    return reference.spelt.get(node.name)


def with_statement(stream: Stream | None, query: exp.Query) -> Stream | None:
    """The stream with its text: that of the bound statement, of relations by their own names and columns.

    It has neither order nor limit, and one column more, as its relation has: the items' numbers.
    """
    if stream is None:
        return None
    numbered = query.copy()
    numbered.set("order", None)
    numbered.set("limit", None)
    numbered.set("offset", None)
    taken = " ".join(node.name for node in nodes_of(numbered, exp.Identifier))
    number = "item§"
    while number in taken:
        number += "§"
    blocks = passing_blocks(numbered)
    blocks[-1].args["from_"].this.args["alias"].append("columns", exp.to_identifier(number, quoted=True))
    for block in blocks:
        alias = block.args["from_"].this.args["alias"].this
        block.append("expressions", exp.column(exp.to_identifier(number, quoted=True), table=alias.copy()))
    return replace(stream, statement=to_sql(numbered))
