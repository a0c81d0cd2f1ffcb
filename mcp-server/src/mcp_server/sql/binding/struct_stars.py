"""Puts the fields of a struct in the place of `address.*`, as DuckDB does.

Names of such fields are no aliases for the rest of the query, unlike those of other projections: where it has one of
them, the table's column is meant.
"""

from collections.abc import Iterable, Mapping

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import Column, Table, TypeKind
from mcp_server.sql.binding.spelling import SPELLING, Spelling
from mcp_server.sql.fields import ALL_FIELDS
from mcp_server.sql.sources import from_items
from mcp_server.sql.trees import children

_Known = Mapping[str, Mapping[str, Column]]
"""The columns of the tables that a query reads from, as they are spelt, by the alias of the table."""


def spread_structs(selects: Iterable[exp.Select], internal: Mapping[str, Table], spelling: Spelling) -> None:
    """Spreads the structs of a query's selects, in place; names are spelt alike, and columns have no sources yet.

    A star stays as it is where it is not sure to be that of one column of a table, and then cannot be resolved.
    """
    for select in selects:
        if any(map(_is_qualified_star, select.expressions)):
            _spread(select, internal, spelling)


def _is_qualified_star(projection: exp.Expr) -> bool:
    return (
        isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star) and not projection.args.get("db")
    )


def _spread(select: exp.Select, internal: Mapping[str, Table], spelling: Spelling) -> None:
    items = list(from_items(select))
    known = {
        item.alias_or_name: {spelling.of(column.name): column for column in internal[item.name].columns}
        for item in items
        if isinstance(item, exp.Table) and item.name in internal and not _lists_columns(item)
    }
    certain = len(known) == len(items)
    spread: list[exp.Expr] = []
    named: set[str] = set()
    for projection in select.expressions:
        fields = _fields(projection, known, spelling, certain) if _is_qualified_star(projection) else None
        spread += [projection] if fields is None else fields
        named |= {field.alias for field in fields or ()}
    if named and _keep_apart(select, named, known if certain else {}):
        select.set("expressions", spread)


def _lists_columns(item: exp.Table) -> bool:
    alias = item.args.get("alias")
    return alias is not None and bool(alias.columns)


def _fields(star: exp.Expr, known: _Known, spelling: Spelling, certain: bool) -> list[exp.Expr] | None:
    """The fields that a star stands for, each by its name; None where it is not that of a struct.

    Where it is not `certain` that no other source has such a column, the resolver is to see to it.
    """
    whole = star.args["table"]
    holding = [alias for alias, columns in known.items() if whole.name in columns]
    if whole.name in known or len(holding) != 1:
        return None
    type_ = known[holding[0]][whole.name].type
    options = star.this.args
    left_out = {fold(_written(one)) for one in options.get("except_") or ()}
    replaced = {fold(_written(one.args["alias"])): one for one in options.get("replace") or ()}
    renamed = {fold(_written(one.this)): one.args["alias"] for one in options.get("rename") or ()}
    there = {fold(name) for name, _ in type_.fields}
    if (
        type_.kind is not TypeKind.STRUCT
        or not left_out | replaced.keys() | renamed.keys() <= there
        or there == left_out
    ):
        return None
    if not certain and fold(whole.name) in there:
        return None
    found: list[exp.Expr] = []
    for name, _ in type_.fields:
        folded = fold(name)
        if folded in left_out:
            continue
        source = exp.to_identifier(holding[0], quoted=True) if certain else None
        column = exp.column(whole.copy(), table=source)
        column.this.meta[ALL_FIELDS] = True
        value: exp.Expr = exp.Dot(this=column, expression=exp.to_identifier(name, quoted=True))
        output = _written(renamed[folded]) if folded in renamed else name
        if folded in replaced:
            value, output = replaced[folded].this, _written(replaced[folded].args["alias"])
        alias = exp.to_identifier(spelling.of(output), quoted=True)
        alias.meta[SPELLING] = output
        found.append(exp.Alias(this=value, alias=alias))
    return found


def _written(name: exp.Expr) -> str:
    """A name as the statement spells it."""
    identifier = name.this if isinstance(name, exp.Column) else name
    return str(identifier.meta.get(SPELLING, identifier.name))


def _keep_apart(select: exp.Select, named: Iterable[str], known: _Known) -> bool:
    """Gives columns with the name of a field their source; False where it is not sure that they are columns."""
    names = set(named)
    aliases = {one.alias for one in select.expressions if isinstance(one, exp.Alias)}
    meant: list[tuple[exp.Column, str]] = []
    pending = [part for part in children(select) if part.arg_key not in ("from_", "with_")]
    while pending:
        node = pending.pop()
        if isinstance(node, exp.Column) and not node.table and isinstance(node.this, exp.Identifier):
            holding = [alias for alias, columns in known.items() if node.name in columns]
            if node.name in names and (node.name in aliases or len(holding) != 1):
                return False
            if node.name in names:
                meant.append((node, holding[0]))
        pending += [] if isinstance(node, exp.Query) else children(node)
    for column, alias in meant:
        column.set("table", exp.to_identifier(alias, quoted=True))
    return True
