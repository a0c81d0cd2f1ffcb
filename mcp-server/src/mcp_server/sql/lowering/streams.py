"""Whether a statement makes of each item of its one table a row of its own, or none, and nothing of them together."""

from collections.abc import Iterable
from dataclasses import replace

from sqlglot import exp

from mcp_server.planning.streaming import Stream
from mcp_server.sql.binding.references import Reference
from mcp_server.sql.dialect import to_sql
from mcp_server.sql.lowering.plain import plain_select
from mcp_server.sql.trees import parts

_CLAUSES = frozenset({"expressions", "from_", "where", "order"})
_PLAIN = frozenset(
    {
        *(exp.Column, exp.Identifier, exp.Alias, exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Tuple),
        *(exp.Cast, exp.TryCast, exp.DataType, exp.DataTypeParam, exp.Case, exp.If, exp.Coalesce),
        *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.In, exp.Between),
        *(exp.NullSafeEQ, exp.NullSafeNEQ, exp.Like, exp.ILike, exp.Escape, exp.StartsWith, exp.EndsWith),
        *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe, exp.Abs, exp.Round),
        *(exp.Upper, exp.Lower, exp.Length, exp.Trim, exp.Concat, exp.Substring, exp.Left, exp.Right),
        *(exp.JSONExtract, exp.JSONExtractScalar, exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey),
        *(exp.JSONPathSubscript, exp.Bracket, exp.Dot),
    }
)
"""What gives one value for one row, the same today and tomorrow. Whatever else there is makes a statement none."""


def stream_of(query: exp.Query, reference: Reference) -> Stream | None:
    """The stream of a qualified statement whose only table is the reference, without its text; None if it is none."""
    select = plain_select(query, reference, _CLAUSES)
    if select is None:
        return None
    where = select.args.get("where")
    values = [*select.expressions, *([where.this] if where is not None else [])]
    if not all(type(node) in _PLAIN for value in values for node in value.walk()):
        return None
    computed = _computed(values, reference)
    order = select.args.get("order")
    if order is None:
        return Stream("", computed=computed)
    column = _ordering(order, select, reference)
    descending = bool(order.expressions[0].args.get("desc"))
    return Stream("", column, descending, computed) if column is not None else None


def _computed(values: Iterable[exp.Expr], reference: Reference) -> frozenset[str]:
    """The table's columns of which something is made, or asked, rather than that they are handed out as they are."""
    used = (
        one for value in values if not isinstance(value.unalias(), exp.Column) for one in value.find_all(exp.Column)
    )
    return frozenset(name for one in used if (name := reference.spelt.get(one.name)) is not None)


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

    It has no order, and one column more, as its relation has: the items' numbers.
    """
    if stream is None:
        return None
    numbered = query.copy()
    numbered.set("order", None)
    alias = numbered.args["from_"].this.args["alias"]
    taken = " ".join(node.name for node in numbered.find_all(exp.Identifier))
    number = "item§"
    while number in taken:
        number += "§"
    alias.append("columns", exp.to_identifier(number, quoted=True))
    numbered.append("expressions", exp.column(exp.to_identifier(number, quoted=True), table=alias.this.copy()))
    return replace(stream, statement=to_sql(numbered))
