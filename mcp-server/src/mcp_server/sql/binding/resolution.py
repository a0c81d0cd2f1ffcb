"""Gives the columns of plain statements their sources. The parser's resolver does the same at several times the cost.

A statement is plain where each column is one of exactly one source, be it of its own query or, in a subquery that is
a value, of a query around it; and where nothing is put in the place of anything: no `*`, no alias that stands for its
expression, no column that a join merges, no position. Whatever else there is, is left to the resolver.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlglot import exp

from mcp_server.sql.sources import from_items
from mcp_server.sql.trees import branches, copied, parts

_CLAUSES = frozenset(
    {"with_", "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct"}
)
_OF_SETS = frozenset({"with_", "this", "expression", "distinct", "order", "limit", "offset"})
_OF_JOINS = frozenset({"this", "on", "side", "kind"})
_OF_SOURCES = frozenset({"this", "alias"})
_WALKED = ("expressions", "where", "group", "limit", "offset")
"""Clauses whose columns are columns of sources, whatever the SELECT list calls something."""
_UNPLAIN = (exp.UDTF, exp.Lambda, exp.Comprehension, exp.Aliases, exp.Columns, exp.TableColumn, exp.Pivot)


class _NotPlain(Exception):
    """The statement is left to the resolver."""


class _Source(NamedTuple):
    """A FROM item: the identifier of its alias, and the names of its columns."""

    alias: exp.Identifier
    columns: Collection[str]


class _Outputs(NamedTuple):
    """The names that a query gives its columns, and the columns in it that none of its own sources has."""

    names: Sequence[str]
    open: Sequence[exp.Column]


def resolve(query: exp.Query, tables: Mapping[str, Collection[str]]) -> bool:
    """Qualifies a plain statement as the resolver does, in place; of any other it answers False and changes nothing.

    Every source has an alias of its own. `tables` are the names of the columns of each table, by its internal name.
    """
    search = _Search(tables)
    try:
        if search.query(query, {}, ()).open:
            return False
    except _NotPlain:
        return False
    for column, alias in search.found:
        column.set("table", copied(alias))
    for select, names in search.selects:
        _name_outputs(select, names)
    for listing in search.listings:
        listing.set("columns", None)
    return True


class _Search:
    """Goes through a statement without changing it; the columns that it `found`, each with its source's alias.

    `selects` come with the names that are listed for their columns outside of them, in `listings`.
    """

    def __init__(self, tables: Mapping[str, Collection[str]]) -> None:
        self._tables = tables
        self.found: list[tuple[exp.Column, exp.Identifier]] = []
        self.selects: list[tuple[exp.Select, Sequence[str]]] = []
        self.listings: list[exp.TableAlias] = []

    def query(self, node: exp.Expr, ctes: Mapping[str, Collection[str]], listed: Sequence[str]) -> _Outputs:
        """Looks a query through. Raises _NotPlain."""
        with_ = node.args.get("with_")
        if with_ is not None:
            ctes = self._with(with_, ctes)
        if isinstance(node, exp.Select):
            return self._select(node, ctes, listed)
        if isinstance(node, exp.SetOperation) and not parts(node) - _OF_SETS:
            _check_ends(node)
            left, right = (self.query(side, ctes, listed) for side in (node.this, node.expression))
            return _Outputs(left.names, [*left.open, *right.open])
        if isinstance(node, exp.Subquery) and parts(node) == {"this"}:
            return self.query(node.this, ctes, listed)
        raise _NotPlain

    def _with(self, with_: exp.With, ctes: Mapping[str, Collection[str]]) -> Mapping[str, Collection[str]]:
        if with_.recursive:
            raise _NotPlain
        visible = dict(ctes)
        for cte in with_.expressions:
            visible[cte.alias] = self._apart(cte.this, visible, cte.args["alias"])
        return visible

    def _apart(self, node: exp.Expr, ctes: Mapping[str, Collection[str]], alias: exp.TableAlias) -> Sequence[str]:
        """The names of the columns of a query that cannot see the sources around it."""
        self.listings.append(alias)
        names, open_ = self.query(node, ctes, alias.columns and [column.name for column in alias.columns])
        if open_:
            raise _NotPlain
        return names

    def _select(self, select: exp.Select, ctes: Mapping[str, Collection[str]], listed: Sequence[str]) -> _Outputs:
        if parts(select) - _CLAUSES or not all(isinstance(one, exp.Alias | exp.Column) for one in select.expressions):
            raise _NotPlain
        named = [projection.alias_or_name for projection in select.expressions]
        aliases = {projection.alias for projection in select.expressions if isinstance(projection, exp.Alias)}
        if "" in named or len(listed) > len(named):
            raise _NotPlain
        self.selects.append((select, listed))
        level = _Level(self, self._sources(select, ctes), aliases, ctes)
        level.walk(join.args["on"] for join in select.args.get("joins") or [] if join.args.get("on") is not None)
        for part in _WALKED:
            value = select.args.get(part)
            level.walk(value if isinstance(value, list) else [value] if value is not None else [])
        _check_group(select.args.get("group"))
        _check_distinct(select.args.get("distinct"))
        having, order = select.args.get("having"), select.args.get("order")
        if having is not None:
            within = _Level(self, level.sources, aliases, ctes)
            within.walk([having], apart_from=aliases)
            if within.open:  # the resolver looks for it in no query around
                raise _NotPlain
        if order is not None:
            if listed:
                raise _NotPlain
            # A name of the result stays what it is; beside GROUP BY, whole expressions of the SELECT list become names.
            others = [one.this for one in order.expressions if not _is_name(one.this, named)]
            if (others and select.args.get("group") is not None) or any(isinstance(one, exp.Literal) for one in others):
                raise _NotPlain
            level.walk(others, apart_from=set(named))
        return _Outputs([*listed, *named[len(listed) :]], level.open)

    def _sources(self, select: exp.Select, ctes: Mapping[str, Collection[str]]) -> dict[str, _Source]:
        for join in select.args.get("joins") or []:
            if parts(join) - _OF_JOINS or join.kind in ("SEMI", "ANTI"):
                raise _NotPlain
        found: dict[str, _Source] = {}
        for item in from_items(select):
            alias = item.args.get("alias")
            if parts(item) - _OF_SOURCES or alias is None or not isinstance(alias.this, exp.Identifier):
                raise _NotPlain
            if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier) and not alias.columns:
                columns = ctes.get(item.name) or self._tables.get(item.name)
            elif isinstance(item, exp.Subquery) and isinstance(item.this, exp.Select | exp.SetOperation):
                columns = self._apart(item.this, ctes, alias)
            else:
                raise _NotPlain
            if not columns:
                raise _NotPlain
            found[alias.name] = _Source(alias.this, columns)
        return found


class _Level:
    """One SELECT: its sources, and the columns that are left `open`."""

    def __init__(
        self,
        search: _Search,
        sources: Mapping[str, _Source],
        aliases: Collection[str],
        ctes: Mapping[str, Collection[str]],
    ) -> None:
        self._search, self.sources, self._aliases, self._ctes = search, sources, aliases, ctes
        self.open: list[exp.Column] = []

    def walk(self, trees: Iterable[exp.Expr], *, apart_from: Collection[str] = ()) -> None:
        """Finds the sources of the columns in some trees. Raises _NotPlain, also where one has a name `apart_from`."""
        pending = list(trees)
        while pending:
            node = pending.pop()
            if isinstance(node, exp.Column):
                if apart_from and not node.table and node.name in apart_from:
                    raise _NotPlain
                self._place(node)
            elif isinstance(node, exp.Query):
                for column in self._search.query(node, self._ctes, ()).open:
                    self._place(column)
            elif isinstance(node, _UNPLAIN) or (isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count)):
                raise _NotPlain
            else:
                pending += branches(node)

    def _place(self, column: exp.Column) -> None:
        name, table = column.name, column.table
        if not isinstance(column.this, exp.Identifier) or column.args.get("db"):
            raise _NotPlain
        if table:
            source = self.sources.get(table)
            if source is None:
                self.open.append(column)
            elif name not in source.columns:
                raise _NotPlain
            return
        holding = [source for source in self.sources.values() if name in source.columns]
        if len(holding) == 1:
            self._search.found.append((column, holding[0].alias))
        elif holding or name in self._aliases:
            raise _NotPlain
        else:
            self.open.append(column)


def _is_name(node: exp.Expr, names: Collection[str]) -> bool:
    return isinstance(node, exp.Column) and not node.table and node.name in names


def _check_ends(node: exp.SetOperation) -> None:
    """Raises _NotPlain where the end of a set operation has more than names of its result, and numbers."""
    order = node.args.get("order")
    for one in order.expressions if order is not None else ():
        if not isinstance(one.this, exp.Column) or one.this.table:
            raise _NotPlain
    for end in (node.args.get("limit"), node.args.get("offset")):
        if end is not None and not isinstance(end.expression, exp.Literal):
            raise _NotPlain


def _check_group(group: exp.Group | None) -> None:
    """Raises _NotPlain of GROUP BY with positions, or more than expressions."""
    if group is not None and (
        parts(group) - {"expressions"} or any(isinstance(one, exp.Literal) for one in group.expressions)
    ):
        raise _NotPlain


def _check_distinct(distinct: exp.Distinct | None) -> None:
    """Raises _NotPlain of DISTINCT ON."""
    if distinct is not None and parts(distinct):
        raise _NotPlain


def _name_outputs(select: exp.Select, listed: Sequence[str]) -> None:
    """Gives each column of a SELECT list an alias, that which is listed outside or its own name."""
    named: list[exp.Expr] = []
    for place, projection in enumerate(select.expressions):
        output = projection
        if isinstance(projection, exp.Column):
            identifier = exp.to_identifier(projection.name)
            if projection.this.quoted:
                identifier.set("quoted", True)
            output = exp.Alias(this=projection, alias=identifier)
        if place < len(listed):
            output.set("alias", exp.to_identifier(listed[place]))
        named.append(output)
    select.set("expressions", named)
