"""How conditions on what a query puts out go down to what it reads.

They may where the query gives the same rows that meet them, if it never sees the others. Anything not known to be so
is taken to be otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from mcp_server.sql.lowering.conditions import AnyCondition, Link, column_name, condition, link
from mcp_server.sql.lowering.output_types import OutputTypes, output_names
from mcp_server.sql.trees import copied, holds, nodes

MAX_HANDED_DOWN = 50

_PASSING_PARTS = frozenset(
    {"expressions", "from_", "joins", "laterals", "where", "group", "having", "distinct", "order", "with_", "kind"}
)
"""Clauses of a SELECT that let conditions on plain output columns through; not LIMIT, QUALIFY and the like."""
_PASSING_SETS = frozenset({"this", "expression", "distinct", "with_", "order"})
_PASSING_WRAPPERS = frozenset({"this", "alias", "with_", "order"})
_AGGREGATES = (exp.AggFunc, exp.Anonymous, exp.Filter, exp.WithinGroup)
# Of functions the parser does not know it cannot be said that they are not aggregates.


def handed_down(
    body: exp.Expr, conditions: Sequence[AnyCondition], types: OutputTypes
) -> Iterator[tuple[exp.Select, AnyCondition]]:
    """The conditions on a query's output in terms of what each of its SELECTs reads."""
    yield from _push(body, conditions[:MAX_HANDED_DOWN], output_names(body), types)


def _push(
    body: exp.Expr, conditions: Sequence[AnyCondition], names: Sequence[str], types: OutputTypes
) -> Iterator[tuple[exp.Select, AnyCondition]]:
    if not conditions or len(set(names)) < len(names):
        return
    if isinstance(body, exp.Subquery) and _only(body, _PASSING_WRAPPERS):
        yield from _push(body.this, conditions, names, types)
    elif isinstance(body, exp.SetOperation) and _only(body, _PASSING_SETS):
        alike = {name for name, type_ in zip(names, types.outputs(body), strict=False) if type_ is not None}
        kept = [one for one in conditions if all(column.name in alike for column in one.columns)]
        yield from _push(body.this, kept, names, types)
        yield from _push(body.expression, kept, names, types)
    elif isinstance(body, exp.Select) and _only(body, _PASSING_PARTS):
        outputs = _passing_outputs(body, names)
        for one in conditions:
            if one.repeatable and all(column.name in outputs for column in one.columns):
                yield body, _inside(one, outputs)


def _only(node: exp.Expr, parts: frozenset[str]) -> bool:
    return all(part in parts for part, value in node.args.items() if value)


def _passing_outputs(select: exp.Select, names: Sequence[str]) -> Mapping[str, exp.Column]:
    """The output columns on which a condition may as well be checked before all else, and what they are inside."""
    distinct, group = select.args.get("distinct"), select.args.get("group")
    if len(names) != len(select.expressions) or (distinct is not None and distinct.args.get("on") is not None):
        return {}
    if group is not None and not _only(group, frozenset({"expressions"})):
        return {}
    aggregates = select.args.get("having") is not None
    outputs: dict[str, exp.Column] = {}
    for name, projection in zip(names, select.expressions, strict=True):
        inner = projection.unalias()
        if isinstance(inner, exp.Column):
            if not isinstance(inner.this, exp.Star):
                outputs[name] = inner
        elif holds(inner, exp.Window):
            return {}
        else:
            aggregates = aggregates or holds(inner, *_AGGREGATES)
    if group is not None:
        return {name: inner for name, inner in outputs.items() if inner in group.expressions}
    return {} if aggregates else outputs


def _inside(one: AnyCondition, outputs: Mapping[str, exp.Column]) -> AnyCondition:
    if isinstance(one, Link):
        inner = [outputs[column.name] for column in one.names]
        return link([column_name(column) for column in inner], one.says)
    expression = copied(one.expression)
    if isinstance(expression, exp.Column):
        return condition(copied(outputs[expression.name]))
    for column in nodes(expression):
        if isinstance(column, exp.Column):
            column.replace(copied(outputs[column.name]))
    return condition(expression)
