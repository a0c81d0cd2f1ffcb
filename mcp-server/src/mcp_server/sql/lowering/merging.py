"""Subqueries and CTEs that only pass rows of one table on, and what a statement would be without them.

What is read is decided as if the statement had been written so; the relational engine runs it as it is.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from mcp_server.sql.binding.references import Reference
from mcp_server.sql.lowering.rowwise import is_of_one_row
from mcp_server.sql.sources import Sources
from mcp_server.sql.trees import copied, nodes, parts

MOST_NODES = 2_000
"""Values are put in the place of their names, so that a statement may grow with every subquery."""

_PASSING = frozenset({"expressions", "from_", "where"})
_OUTERMOST = _PASSING | {"with_", "order", "limit", "offset"}
_SOURCE = frozenset({"this", "alias"})


def merged(query: exp.Query, sources: Sources, reference: Reference) -> tuple[exp.Query, Reference]:
    """A qualified statement as one SELECT over its only table, and the reference in it.

    Both are what they were where that is what it is, or where it cannot be.
    """
    blocks = passing_blocks(query)
    if len(blocks) < 2 or reference.materialise or blocks[-1].args["from_"].this is not reference.node:
        return query, reference
    read = [block.args["from_"].this for block in blocks[:-1]]
    if any(sources.uses[node.name] > 1 for node in read if isinstance(node, exp.Table)):
        return query, reference
    node = copied(reference.node)
    select = _as_one(blocks, node)
    return (select, replace(reference, node=node)) if select is not None else (query, reference)


def passing_blocks(query: exp.Query) -> list[exp.Select]:
    """The SELECTs of a statement from the outermost one in, each over the next one alone, the last one over a table.

    None at all where anything but the outermost does more than to choose and to compute, or has queries in its values.
    """
    found: list[exp.Select] = []
    with_ = query.args.get("with_")
    ctes = {cte.alias: cte for cte in with_.expressions} if isinstance(with_, exp.With) else {}
    body: exp.Expr | None = query
    while isinstance(body, exp.Select) and not parts(body) - (_PASSING if found else _OUTERMOST):
        found.append(body)
        from_ = body.args.get("from_")
        source = from_.this if from_ is not None else None
        if isinstance(source, exp.Table) and source.name not in ctes:
            return found
        if not isinstance(source, exp.Subquery | exp.Table) or parts(source) - _SOURCE:
            return []
        body = source.this if isinstance(source, exp.Subquery) else ctes.pop(source.name).this
    return []


def _as_one(blocks: list[exp.Select], node: exp.Table) -> exp.Select | None:
    """The blocks as a SELECT over the table; None where values would have to be computed more or less often."""
    outputs: Mapping[str, exp.Expr] | None = None
    conditions: list[exp.Expr] = []
    expressions: list[exp.Expr] = []
    for block in reversed(blocks):
        where = block.args.get("where")
        values = [*block.expressions, *([where.this] if where is not None else [])]
        inner = block is not blocks[0]
        if any(isinstance(one, exp.Query) or (inner and not is_of_one_row(one)) for one in _all(values)):
            return None
        if outputs is not None and not _columns(values) <= outputs.keys():
            return None
        expressions = [_in_terms_of(outputs, one) for one in block.expressions]
        conditions += [_in_terms_of(outputs, where.this)] if where is not None else []
        if len(_all([*expressions, *conditions])) > MOST_NODES:
            return None
        if inner:
            named = {one.alias_or_name: one.unalias() for one in expressions}
            if len(named) < len(expressions):
                return None
            outputs = named
    outermost = blocks[0]
    order = outermost.args.get("order")
    if order is not None and outputs is not None and not _columns([order]) <= outputs.keys():
        return None
    select = exp.Select(expressions=expressions, from_=exp.From(this=node))
    if conditions:
        select.set("where", exp.Where(this=exp.and_(*conditions, copy=False)))
    for clause in ("order", "limit", "offset"):
        if outermost.args.get(clause) is not None:
            select.set(clause, _in_terms_of(outputs, outermost.args[clause]))
    return select


def _all(values: list[exp.Expr]) -> list[exp.Expr]:
    return [node for value in values for node in nodes(value)]


def _columns(values: list[exp.Expr]) -> set[str]:
    return {one.name for one in _all(values) if isinstance(one, exp.Column) and one.table}


def _in_terms_of(outputs: Mapping[str, exp.Expr] | None, value: exp.Expr) -> exp.Expr:
    """A value with what the source puts out in the place of its columns; names of the SELECT list stay."""
    value = copied(value)
    if outputs is None:
        return value
    for column in nodes(value):
        if isinstance(column, exp.Column) and column.table:
            output = copied(outputs[column.name])
            inside = output if isinstance(output, exp.Column) else exp.Paren(this=output)
            if column is value:
                return inside
            column.replace(inside)
    return value
