"""Spellings that are rewritten as soon as they are parsed, so that later steps meet one form of each thing only.

A rewrite changes one node of a statement that has not been checked yet.
"""

from collections.abc import Callable

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.syntax import FetchOtherwise, PivotGroups
from mcp_server.domain.names import fold
from mcp_server.sql.positions import position_of
from mcp_server.sql.trees import copied, nodes


def rewrite(expression: exp.Expr, text: str) -> exp.Expr:
    """The statement in the forms that the gate knows. Raises syntax_not_supported."""
    for node in nodes(expression):
        if type(node) in REWRITES:
            REWRITES[type(node)](node, text)
    return expression


def _fetch_as_limit(fetch: exp.Expr, text: str) -> None:
    """`FETCH FIRST 3 ROWS ONLY` is `LIMIT 3`, and without a number `LIMIT 1`."""
    options = fetch.args.get("limit_options")
    if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
        raise Failure(FetchOtherwise(), position=position_of(text, fetch))
    fetch.replace(exp.Limit(expression=fetch.args.get("count") or exp.Literal.number(1)))


def _with_rollup(group: exp.Expr, _text: str) -> None:
    """`GROUP BY a, b WITH ROLLUP` is `GROUP BY ROLLUP (a, b)`; the same for CUBE."""
    for kind, name in ((exp.Rollup, "rollup"), (exp.Cube, "cube")):
        trailing = group.args.get(name)
        if trailing and not trailing[0].expressions:
            group.set(name, None)
            group.set("expressions", [kind(expressions=group.expressions)])


def _table(table: exp.Expr, text: str) -> None:
    _grouped_pivot(table, text)
    _renamed_columns(table, text)
    _named_elements(table, text)


def _renamed_columns(table: exp.Expr, _text: str) -> None:
    """`t AS d(x, y)` is `(SELECT * FROM t) AS d(x, y)`: the first columns of a table under other names."""
    alias = table.args.get("alias")
    if alias is None or not alias.columns or not isinstance(table.this, exp.Identifier):
        return
    inner = exp.Table(**{part: table.args.get(part) for part in ("this", "db", "catalog")})
    subquery = exp.select("*").from_(inner, copy=False).subquery(copy=False)
    subquery.set("alias", alias)
    for part in ("joins", "pivots", "sample"):
        subquery.set(part, table.args.get(part))
    table.replace(subquery)


def _named_elements(source: exp.Expr, _text: str) -> None:
    """`unnest(tags) AS tag` is `unnest(tags) AS tag(tag)`: DuckDB calls the only column like its source, too.

    Where the statement uses the function's own name, as in `tag.unnest`, it stays that; `FROM unnest(tags)` without a
    name is `unnest(tags) AS unnest(unnest)`; and what WITH ORDINALITY adds is called `ordinality`.
    """
    if isinstance(source.parent, exp.Lateral | exp.Table):
        return
    alias, function = source.args.get("alias"), source if isinstance(source, exp.Unnest) else source.this
    if isinstance(function, exp.Unnest):
        own = "unnest" if len(function.expressions) == 1 else None
    elif isinstance(function, exp.GenerateSeries):
        own = "range" if function.args.get("is_end_exclusive") else "generate_series"
    else:
        own = None
    if own is None:
        return
    if function.args.get("offset") is True:
        function.set("offset", exp.to_identifier("ordinality"))
    if alias is None or alias.this is None:
        alias = exp.TableAlias(this=exp.to_identifier(own))
        source.set("alias", alias)
    if not alias.columns:
        is_used = any(fold(column.name) == own for column in source.root().find_all(exp.Column))
        alias.set("columns", [exp.to_identifier(own) if is_used else alias.this.copy()])


def _subquery(subquery: exp.Expr, text: str) -> None:
    _grouped_pivot(subquery, text)
    _named_join(subquery, text)


def _named_join(subquery: exp.Expr, _text: str) -> None:
    """`(a JOIN b USING (x)) AS j` is `(SELECT * FROM a JOIN b USING (x)) AS j`."""
    first = subquery.this
    joins = first.args.get("joins") or [] if isinstance(first, exp.Table) and subquery.alias else []
    if any(join.args.get("using") or join.method == "NATURAL" for join in joins):
        first.set("joins", None)
        select = exp.select("*").from_(first, copy=False)
        select.set("joins", joins)
        subquery.set("this", select)


def _rows_alone(exists: exp.Expr, _text: str) -> None:
    """`EXISTS (SELECT * FROM t)` is `EXISTS (SELECT 1 FROM t)`, which needs no columns to be read."""
    select = exists.this
    if not isinstance(select, exp.Select) or any(value for part, value in select.args.items() if part not in _ROWS):
        return
    if [type(projection) for projection in select.expressions] == [exp.Star] and select.args.get("from_") is not None:
        star = select.expressions[0]
        if not any(star.args.values()):
            star.replace(exp.Literal.number(1))


def _grouped_pivot(source: exp.Expr, text: str) -> None:
    """`t PIVOT (sum(a) FOR b IN (…) GROUP BY c)` is `(SELECT c, a, b FROM t) PIVOT (sum(a) FOR b IN (…))`.

    Without GROUP BY, a PIVOT groups by every column that it does not name otherwise.
    """
    pivots = source.args.get("pivots") or []
    group = pivots[0].args.get("group") if pivots else None
    if group is None:
        return
    pivot = pivots[0]
    grouped = {fold(column.name): column for column in group.expressions if isinstance(column, exp.Column)}
    named = (column for part in (*pivot.expressions, *pivot.args["fields"]) for column in part.find_all(exp.Column))
    used = {fold(column.name): column for column in named}
    if len(pivots) > 1 or len(grouped) != len(group.expressions) or grouped.keys() & used.keys():
        raise Failure(PivotGroups(), position=position_of(text, group))
    pivot.set("group", None)
    inner = source.copy()
    inner.set("pivots", None)
    columns = [exp.column(column.this.copy()) for column in (*grouped.values(), *used.values())]
    subquery = exp.select(*columns).from_(inner).subquery(copy=False)
    subquery.set("pivots", [pivot])
    source.replace(subquery)


def _own_scale(call: exp.Expr, _text: str) -> None:
    """The scale of `make_timestamp`, for which the parser has one node in all statements."""
    scale = call.args.get("scale")
    call.set("scale", copied(scale) if scale is not None else None)


_ROWS = frozenset({"with_", "expressions", "from_", "joins", "laterals", "where"})
"""Clauses beside which it makes no difference to the number of rows what a query selects."""

REWRITES: dict[type[exp.Expr], Callable[[exp.Expr, str], None]] = {
    exp.Fetch: _fetch_as_limit,
    exp.Group: _with_rollup,
    exp.Table: _table,
    exp.Subquery: _subquery,
    exp.Unnest: _named_elements,
    exp.Lateral: _named_elements,
    exp.Exists: _rows_alone,
    exp.UnixToTime: _own_scale,
}
"""What is done to each node of a kind."""
