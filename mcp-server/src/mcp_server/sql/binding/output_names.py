"""Names of a result's columns: as the statement gives them, else as DuckDB would."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.sql.binding.spelling import SPELLING, Spelling
from mcp_server.sql.dialect import CALLED, TIME_WORDS, Dialect
from mcp_server.sql.sources import from_items
from mcp_server.sql.tables import cte_of
from mcp_server.sql.trees import copied

_NAMED = (exp.Alias, exp.Aliases, exp.Column, exp.Star, exp.Dot)
"""Projections that have a name or several."""
_NAMED_ALONE = frozenset({exp.Alias, exp.Column})


def name_projections(found: Sequence[exp.Expr]) -> bool:
    """Gives every unnamed projection an alias, in place: its own text, as DuckDB does, so `sum(x)`, `count_star()`.

    `found` are all nodes of a statement. Tells whether any of them was changed.
    """
    changed = False
    selects: list[exp.Select] = []
    for values in found:
        if isinstance(values, exp.Select):
            selects.append(values)
        if not isinstance(values, exp.Values):
            continue
        changed = True
        alias = values.args.get("alias") or exp.TableAlias(this=exp.to_identifier("valueslist"))
        if isinstance(values.parent, exp.From | exp.Join) and not alias.columns and values.expressions:
            alias.set("columns", [exp.to_identifier(f"col{place}") for place in range(_width(values))])
            values.set("alias", alias)
    for select in selects:
        for projection in select.expressions:
            if type(projection) in _NAMED_ALONE:
                continue
            if isinstance(projection, exp.Subquery) and projection.alias:
                changed = True
                alias = projection.args["alias"].this
                projection.set("alias", None)
                projection.replace(exp.Alias(this=copied(projection), alias=alias))
            elif not (isinstance(projection, _NAMED) or projection.is_star):
                changed = True
                name = _text(projection)
                projection.replace(exp.Alias(this=copied(projection), alias=exp.to_identifier(name, quoted=True)))
    return changed


def _width(values: exp.Values) -> int:
    first = values.expressions[0]
    return len(first.expressions) if isinstance(first, exp.Tuple) else 1


def _text(projection: exp.Expr) -> str:
    if isinstance(projection, exp.Count) and isinstance(projection.this, exp.Star):
        return "count_star()"
    if type(projection) in TIME_WORDS:
        return TIME_WORDS[type(projection)][0]
    return _NAMES.generate(copied(projection), copy=False, normalize_functions="lower", comments=False)


def _joined_texts(generator: Dialect.Generator, call: exp.GroupConcat) -> str:
    """`string_agg(x, ',' ORDER BY y)`, whose order the parser holds around its first argument."""
    order = call.this if isinstance(call.this, exp.Order) else None
    arguments = [call.this if order is None else order.this, call.args.get("separator")]
    texts = ", ".join(generator.sql(argument) for argument in arguments if argument is not None)
    ordered = "" if order is None else generator.sql(exp.Order(expressions=order.expressions))
    return generator.func(call.meta.get(CALLED, "string_agg"), f"{texts}{ordered}")


class _Names(Dialect):
    """The dialect as names of columns are written in it."""

    class Generator(Dialect.Generator):
        """Its generator, which calls an aggregate of several names as the statement does, and adds no argument."""

        TRANSFORMS: ClassVar[dict[type[exp.Expr], Any]] = {
            **Dialect.Generator.TRANSFORMS,
            exp.ArrayAgg: lambda self, call: self.func(call.meta.get(CALLED, "array_agg"), call.this),
            exp.GroupConcat: _joined_texts,
        }


_NAMES = _Names()


def star_renames(stars: Iterable[exp.Star]) -> dict[str, str]:
    """The new names in `* RENAME (old AS new)`, by their folded form."""
    return {fold(alias.alias): alias.alias for star in stars for alias in star.args.get("rename") or []}


def starred_sources(query: exp.Query) -> frozenset[str]:
    """The aliases of the sources whose columns are in the result by a `*`, which is not expanded yet.

    Also of those that a subquery, a CTE or the sides of a UNION hand on by one.
    """
    found = set[str]()
    handing_on: list[exp.Expr] = [query]
    while handing_on:
        one = handing_on.pop().unnest()
        match one:
            case exp.Union():
                handing_on += [one.this, one.expression]
            case exp.SetOperation():
                handing_on.append(one.this)
            case exp.Select():
                for source in _starred(one):
                    name = source.alias_or_name
                    if name in found:  # of a CTE that reads itself
                        continue
                    found |= {name} - {""}
                    cte = cte_of(source) if isinstance(source, exp.Table) else None
                    inner = cte.this if cte is not None else source.this
                    if isinstance(inner, exp.Query) and not source.args.get("pivots"):
                        handing_on.append(inner)
    return frozenset(found)


def _starred(select: exp.Select) -> list[exp.Expr]:
    """The sources of a SELECT that one of its stars stands for."""
    stars = [one for one in select.expressions if isinstance(one, exp.Star)]
    of_one = [one.table for one in select.expressions if isinstance(one, exp.Column) and isinstance(one.this, exp.Star)]
    return [source for source in from_items(select) if stars or source.alias_or_name in of_one]


def restore_names(
    query: exp.Query,
    spelling: Spelling,
    renamed: Mapping[str, str],
    column_name: Callable[[exp.Column], str | None],
) -> None:
    """Spells the result's columns as the statement does, in place; `column_name` spells a column of the catalogue."""
    left: exp.Expr = query
    while isinstance(left, exp.SetOperation | exp.Subquery):
        left = left.this
    if not isinstance(left, exp.Select):
        return
    for projection in left.expressions:
        if not isinstance(projection, exp.Alias):
            continue
        alias, inner = projection.args["alias"], projection.this
        if alias.meta_get(SPELLING) is not None:
            name = alias.meta[SPELLING]
        elif isinstance(inner, exp.Column) and inner.name == alias.name:
            name = column_name(inner) or spelling.catalogue_name(alias.name)
        else:
            name = renamed.get(fold(alias.name), spelling.catalogue_name(alias.name))
        alias.set("this", name)
