"""What a query reads from, and what the names in it stand for; of qualified statements."""

from collections.abc import Iterator

from sqlglot import exp

from mcp_server.domain.names import fold


def sources(select: exp.Select) -> Iterator[exp.Expr]:
    """The tables, subqueries and table functions that a query itself reads from."""
    from_ = select.args.get("from_")
    pending = [from_.this] if from_ is not None else []
    pending += [join.this for join in select.args.get("joins") or []]
    pending += select.args.get("laterals") or []
    while pending:
        source = pending.pop()
        yield source
        pending += [join.this for join in source.args.get("joins") or []]
        if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Table | exp.Subquery) and not source.alias:
            pending.append(source.this)


def source_of(column: exp.Column) -> exp.Expr | None:
    """What a qualified column comes from: the nearest enclosing query that has a source of that alias."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        for source in sources(select):
            if source.alias_or_name == column.table:
                return source
        select = select.find_ancestor(exp.Select)
    return None


def cte_of(table: exp.Table) -> exp.CTE | None:
    """The CTE that a table reference names, or None if it names a table.

    A CTE is in scope in the query it belongs to and in the CTEs after it; in itself only when recursive.
    """
    if table.db or not isinstance(table.this, exp.Identifier):
        return None
    name = fold(table.name)
    below: exp.Expr = table
    above = table.parent
    while above is not None:
        if isinstance(below, exp.CTE) and isinstance(above, exp.With):
            position = above.expressions.index(below)
            visible = above.expressions[: position + 1] if above.recursive else above.expressions[:position]
        else:
            with_ = above.args.get("with_")
            visible = with_.expressions if with_ is not None and with_ is not below else []
        for cte in reversed(visible):
            if fold(cte.alias) == name:
                assert isinstance(cte, exp.CTE)
                return cte
        below, above = above, above.parent
    return None
