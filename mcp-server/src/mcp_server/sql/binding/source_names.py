"""Gives every table, CTE and FROM item of a statement a name of its own, and says of every dotted name what it means.

DuckDB's rule: of `a.b`, a is the nearest source of that name that has a column b, unless a nearer query, or its own,
has a column called a whose type has fields; then b is a field of it. Once every source has a name that nothing else in
the statement and no attribute has, nothing that is done to the statement later can take one for another.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.columns import AmbiguousMerge
from mcp_server.domain.failures.sources import SameName, UncertainName, UnknownQualifier
from mcp_server.domain.names import fold
from mcp_server.domain.schema import DOCUMENT, Column, Table, TypeKind
from mcp_server.sql.binding.scopes import Columns, NamedCte, Scope, Source, joined, unknown
from mcp_server.sql.binding.spelling import SPELLING
from mcp_server.sql.binding.unshaped_maps import may_hold_maps
from mcp_server.sql.positions import position_of
from mcp_server.sql.sources import FIELD, SOURCE, is_comma
from mcp_server.sql.tables import TableName, table_name
from mcp_server.sql.trees import branches, children

_UNNAMED = "subquery"


class InternalNames:
    """Makes names that end in a mark and a number; the mark occurs nowhere in the statement and its tables."""

    def __init__(self, taken: Iterable[str]) -> None:
        self.mark = "\N{SECTION SIGN}"
        texts = [text for text in taken if self.mark in text]
        while any(self.mark in text for text in texts):
            self.mark += "\N{SECTION SIGN}"
        self._numbers = count()

    def new(self, name: str) -> str:
        """A name nobody has, which shows the given one."""
        return f"{name}{self.mark}{next(self._numbers)}"


_WITH_FIELDS = frozenset({TypeKind.JSON, TypeKind.STRUCT})


def name_sources(
    query: exp.Query, text: str, default_schema: str, known: Mapping[TableName, Table], names: InternalNames
) -> dict[str, Table]:
    """Names the sources of a statement, in place; the tables under their internal names.

    Raises Failure: ambiguous_name, syntax_not_supported.
    """
    internal = {name: names.new(name.name) for name in known}
    _Naming(text, default_schema, known, internal, names).query(query, None, {})
    return {internal[name]: table for name, table in known.items()}


class _Naming:
    def __init__(
        self,
        text: str,
        default_schema: str,
        known: Mapping[TableName, Table],
        internal: Mapping[TableName, str],
        names: InternalNames,
    ) -> None:
        self._text = text
        self._default_schema = default_schema
        self._internal = internal
        self._names = names
        self._columns = {
            name: joined({fold(column.name): _may_have_fields(column)} for column in (*table.columns, DOCUMENT))
            for name, table in known.items()
        }

    def query(self, node: exp.Expr, outer: Scope | None, ctes: Mapping[str, NamedCte]) -> Columns | None:
        """Names what is in a query; its columns, as far as they are known."""
        with_ = node.args.get("with_")
        if isinstance(with_, exp.With):
            ctes = self._with(with_, outer, ctes)
        if isinstance(node, exp.Select):
            return self._select(node, outer, ctes)
        columns = None
        rest = Scope(outer, ctes)
        for part, value in node.args.items():
            if part == "this" and isinstance(node, exp.SetOperation | exp.Subquery):
                columns = self.query(value, outer, ctes)
            elif part == "expression" and isinstance(node, exp.SetOperation):
                right = self.query(value, outer, ctes)
                by_name = bool(node.args.get("by_name"))
                columns = joined([columns, right]) if by_name and columns is not None and right is not None else columns
            elif part != "with_":
                self._walk(value, rest)
        return columns

    def _with(self, with_: exp.With, outer: Scope | None, ctes: Mapping[str, NamedCte]) -> Mapping[str, NamedCte]:
        visible = dict(ctes)
        for cte in with_.expressions:
            written, listed = cte.args["alias"].this, cte.args["alias"].columns
            own = NamedCte(self._names.new(written.name), unknown(one.name for one in listed) if listed else None)
            within = visible | {fold(written.name): own} if with_.recursive else dict(visible)
            columns = self.query(cte.this, outer, within)
            visible[fold(written.name)] = own if listed else NamedCte(own.name, columns)
            _rename(written, own.name)
        return visible

    def _select(self, select: exp.Select, outer: Scope | None, ctes: Mapping[str, NamedCte]) -> Columns | None:
        scope = Scope(outer, ctes)
        from_ = select.args.get("from_")
        if from_ is not None:
            self._from([from_, *(select.args.get("joins") or []), *(select.args.get("laterals") or [])], scope)
        columns = _outputs(select, scope)
        for part, value in list(select.args.items()):
            if part not in ("with_", "from_", "joins", "laterals"):
                self._walk(value, scope)
        return columns

    def _from(self, items: Iterable[exp.Expr], scope: Scope) -> None:
        part = scope
        for item in items:
            if isinstance(item, exp.Join) and not is_comma(item):
                self._join(item, part)
                continue
            scope.sources += part.sources if part is not scope else []
            part = scope.new_part()
            self._item(item if isinstance(item, exp.Lateral) else item.this, part)
        scope.sources += part.sources

    def _join(self, join: exp.Join, scope: Scope) -> None:
        before = len(scope.sources)
        self._item(join.this, scope)
        self._merge(join, scope, before)
        for part, value in list(join.args.items()):
            if part != "this":
                self._walk(value, scope)
        if join.kind in ("SEMI", "ANTI"):
            # Of the right side only the condition may speak.
            for source in scope.sources[before:]:
                source.visible = False

    def _merge(self, join: exp.Join, scope: Scope, before: int) -> None:
        """Marks the columns that a join merges."""
        using = [fold(column.name) for column in join.args.get("using") or []]
        if join.method == "NATURAL":
            using = [name for right in scope.sources[before:] for name in right.columns or ()]
        for name in using:
            left = [source for source in scope.holding(name) if source not in scope.sources[before:]]
            if len(left) > 1 and name not in scope.merged:
                raise Failure(AmbiguousMerge(name), position=position_of(self._text, join.this))
            if left:
                scope.merged.add(name)

    def _item(self, node: exp.Expr, scope: Scope) -> None:
        if isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table | exp.Subquery) and not node.alias:
            part = scope.new_part()
            self._item(node.this, part)
            scope.sources += part.sources
        elif isinstance(node, exp.Subquery):
            self._add(node, scope, _UNNAMED, _listed(node, self._derived(node, scope)))
        else:
            self._walk([value for part, value in node.args.items() if part != "alias"], scope)
            keeps_names = not isinstance(node, exp.Lateral) or not isinstance(node.this, exp.Subquery)
            keeps_names = keeps_names and not (isinstance(node, exp.Values) and node.alias)
            self._add(node, scope, node.name or type(node).__name__.lower(), _listed(node, None), keep=keeps_names)
        for join in node.args.get("joins") or []:
            self._join(join, scope)

    def _derived(self, node: exp.Subquery, scope: Scope) -> Columns | None:
        if not isinstance(node.this, exp.Table | exp.Subquery):
            return self.query(node.this, scope, scope.ctes)
        # `(a JOIN b ON …) AS j` hides the names a and b.
        inside = Scope(scope, scope.ctes)
        self._item(node.this, inside)
        return inside.columns()

    def _table(self, node: exp.Table, scope: Scope) -> None:
        self._walk(node.args.get("pivots"), scope)
        if not isinstance(node.this, exp.Identifier):
            self._walk(node.this, scope)
            self._add(node, scope, node.this.sql_name().lower(), None, keep=True)
            return
        cte = scope.ctes.get(fold(node.name)) if not node.db else None
        if cte is not None:
            written = node.name
            _rename(node.this, cte.name)
            self._add(node, scope, written, _listed(node, cte.columns))
            return
        name = table_name(node)
        schema = fold(name.schema or self._default_schema) if not node.alias else None
        _rename(node.this, self._internal[name])
        node.set("db", None)
        self._add(node, scope, name.name, self._columns[name], schema=schema)

    def _add(
        self,
        node: exp.Expr,
        scope: Scope,
        unaliased: str,
        columns: Columns | None,
        *,
        schema: str | None = None,
        keep: bool = False,
    ) -> None:
        """Makes a FROM item a source of the scope, under an alias of its own unless it is to keep what it has."""
        pivots = node.args.get("pivots")
        written = node.alias or unaliased
        if pivots:
            keep, columns, written = True, None, pivots[-1].alias or written
            if not node.alias:
                node.set("alias", exp.TableAlias(this=exp.to_identifier(unaliased, quoted=True)))
        if (twin := scope.twin(fold(written))) is not None:
            apart = twin.schema is not None and schema is not None and twin.schema != schema
            raise Failure(SameName(written, apart), position=position_of(self._text, node))
        alias = None if keep else self._names.new(written)
        scope.sources.append(Source(fold(written), schema, alias, columns))
        if alias is not None:
            kept = node.args.get("alias") or exp.TableAlias()
            identifier = kept.this if kept.this is not None else exp.to_identifier(written)
            _rename(identifier, alias)
            kept.set("this", identifier)
            node.set("alias", kept)

    def _walk(self, value: object, scope: Scope) -> None:
        if isinstance(value, list):
            for one in value:
                self._walk(one, scope)
        elif isinstance(value, exp.Column):
            if value.args.get("table") is not None:
                self._mean(value, scope)
            if isinstance(value.this, exp.Star):
                self._walk(children(value.this), scope)
        elif isinstance(value, exp.Query):
            self.query(value, scope, scope.ctes)
        elif isinstance(value, exp.Expr):
            for child in branches(value):
                self._walk(child, scope)

    def _mean(self, column: exp.Column, scope: Scope) -> None:
        """Replaces a dotted name by a column of a source, or by a field of a column, as DuckDB reads it."""
        parts = [part for part in column.parts if isinstance(part, exp.Identifier | exp.Star)]
        if len(parts) == 1:
            return
        names = [fold(part.name) for part in parts]
        lacking: Source | None = None
        for level in scope.outwards():
            if len(parts) > 2 and (source := level.called(names[1], names[0])) is not None:
                _qualify(column, source, parts[1], parts[2:])
                return
            if (source := level.called(names[0])) is not None:
                if source.may_have(parts[1]):
                    _qualify(column, source, parts[0], parts[1:])
                    return
                lacking = lacking or source
            held = level.holding(names[0])
            if not held or isinstance(column.this, exp.Star):
                continue
            has_fields = level.has_fields(names[0])
            rivals = [rival for outer in level.outwards() if (rival := outer.called(names[0])) is not None]
            if has_fields is None and any(rival.may_have(parts[1]) for rival in rivals):
                written = ".".join(part.name for part in parts)
                raise Failure(UncertainName(written), position=position_of(self._text, column))
            if has_fields is not False:
                alias = held[0].alias if len(held) == 1 else None
                _replace(column, exp.Column(this=parts[0], table=_internal(alias)), parts[1:])
                return
        if lacking is not None:
            _qualify(column, lacking, parts[0], parts[1:])
        elif len(parts) > 2 and scope.is_known():
            named = f"{column.db}.{column.table}"
            raise Failure(UnknownQualifier(named), position=position_of(self._text, column))


def _may_have_fields(column: Column) -> bool:
    return column.type.kind in _WITH_FIELDS or may_hold_maps(column)


def _listed(node: exp.Expr, columns: Columns | None) -> Columns | None:
    """The columns of a FROM item: those that its alias lists come in place of the first of its own."""
    alias = node.args.get("alias")
    listed = unknown(column.name for column in alias.columns) if alias is not None and alias.columns else {}
    if not listed:
        return columns
    return joined([columns, listed]) if columns is not None else listed


def _outputs(select: exp.Select, scope: Scope) -> Columns | None:
    found: list[Columns] = []
    for projection in select.expressions:
        if isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star):
            source = scope.called(fold(projection.table))
            columns = source.columns if source is not None else None
        elif isinstance(projection, exp.Star):
            columns = scope.columns()
        elif projection.is_star or isinstance(projection, exp.Columns | exp.Aliases):
            columns = None
        else:
            columns = {fold(projection.alias_or_name): _has_fields(projection.unalias(), scope)}
        if columns is None:
            return None
        found.append(columns)
    return joined(found)


def _has_fields(projection: exp.Expr, scope: Scope) -> bool | None:
    """Whether a value has fields; None where that is not known."""
    if isinstance(projection, exp.Literal | exp.Boolean | exp.Null):
        return False
    if not isinstance(projection, exp.Column):
        return None
    name, source = fold(projection.name), scope.called(fold(projection.table))
    if projection.table:
        return source.columns.get(name) if source is not None and source.columns is not None else None
    return scope.has_fields(name)


def _qualify(column: exp.Column, source: Source, qualifier: exp.Expr, rest: Sequence[exp.Expr]) -> None:
    if source.alias is not None:
        _rename(qualifier, source.alias)
        rest[0].meta[SOURCE] = source.alias
    if len(rest) == 1 and len(column.parts) == 2:
        return
    _replace(column, exp.Column(this=rest[0], table=qualifier), rest[1:])


def _replace(column: exp.Column, root: exp.Column, fields: Sequence[exp.Expr]) -> None:
    for name in fields:
        name.meta[FIELD] = True
    column.replace(exp.Dot.build([root, *fields]) if fields else root)


def _internal(alias: str | None) -> exp.Identifier | None:
    """An identifier for a source's internal name, which no respelling touches."""
    if alias is None:
        return None
    identifier = exp.to_identifier(alias, quoted=True)
    identifier.meta[SPELLING] = alias
    return identifier


def _rename(identifier: exp.Expr, name: str) -> None:
    identifier.meta[SPELLING] = identifier.name
    identifier.set("this", name)
    identifier.set("quoted", True)
