"""Columns that USING and NATURAL merge, as DuckDB merges them.

The parser's resolver writes COALESCE for every merged column, and joins a further table to the first one that has it.
DuckDB takes the left column, or the right one of a RIGHT JOIN; where a FULL JOIN took part it takes the first that is
not NULL, of the common type; and a further table is joined to just that. The last column of an ASOF JOIN is compared
with >=.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.sources import UncertainMerge
from mcp_server.sql.binding.spelling import SPELLING
from mcp_server.sql.positions import position_of
from mcp_server.sql.sources import is_comma
from mcp_server.sql.trees import nodes_of


@dataclass(frozen=True, slots=True)
class Merging:
    """A query and those of its joins that merge columns."""

    select: exp.Select
    joins: Sequence[exp.Join]


@dataclass(frozen=True, slots=True)
class _Merged:
    """The sources whose columns became one, and the source that it is taken from; None if from the first non-NULL."""

    sources: tuple[str, ...]
    primary: str | None

    def joined(self, join: exp.Join) -> "_Merged":
        """The column after one more join has merged into it."""
        if join.kind in ("SEMI", "ANTI"):
            return self
        primary = {"RIGHT": join.alias_or_name, "FULL": None}.get(join.side, self.primary)
        return _Merged((*self.sources, join.alias_or_name), primary)

    def expression(self, name: str) -> exp.Expr:
        """The column's value."""
        first, *rest = [_column(name, source) for source in ([self.primary] if self.primary else self.sources)]
        return exp.Coalesce(this=first, expressions=rest) if rest else first


def merging_queries(joins: Iterable[exp.Join], text: str) -> list[Merging]:
    """The queries with joins that merge columns. Raises syntax_not_supported where it is not certain which."""
    found: dict[int, Merging] = {}
    for join in joins:
        if not join.args.get("using") and join.method != "NATURAL":
            continue
        select = join.parent
        if not isinstance(select, exp.Select) or not _plain(select):
            raise _uncertain(join, text)
        merging = found.get(id(select))
        found[id(select)] = Merging(select, [*(merging.joins if merging is not None else ()), join])
    return list(found.values())


def _uncertain(join: exp.Join, text: str) -> Failure:
    return Failure(UncertainMerge(), position=position_of(text, join.this))


def _plain(select: exp.Select) -> bool:
    joins = select.args["joins"]
    items = [select.args["from_"].this, *(join.this for join in joins)]
    return not any(is_comma(join) for join in joins) and not any(
        item.args.get("joins")
        or (isinstance(item, exp.Subquery) and isinstance(item.this, exp.Table | exp.Subquery) and not item.alias)
        for item in items
    )


def merge_columns(queries: Sequence[Merging], text: str) -> None:
    """Corrects the merged columns of qualified queries, in place. Raises syntax_not_supported."""
    for merging in queries:
        merged: dict[str, _Merged] = {}
        for join in merging.select.args["joins"]:
            if any(join is one for one in merging.joins):
                _join(join, merged, text)
            elif join.args.get("on") is not None:
                _replace(join.args["on"], merged)
        _replace(merging.select, merged)
        having = merging.select.args.get("having")
        for column in nodes_of(having, exp.Column) if having is not None else ():
            if not column.table and column.name in merged:
                column.replace(merged[column.name].expression(column.name))


def _join(join: exp.Join, merged: dict[str, _Merged], text: str) -> None:
    comparisons = list(_comparisons(join.args.get("on")))
    for comparison in comparisons:
        name = comparison.expression.name
        if name in merged:
            comparison.set("this", merged[name].expression(name))
        elif isinstance(comparison.this, exp.Column) and comparison.this.table:
            merged[name] = _Merged((comparison.this.table,), comparison.this.table)
        else:
            raise _uncertain(join, text)
        merged[name] = merged[name].joined(join)
    if join.method == "ASOF" and comparisons:
        last = comparisons[-1]
        last.replace(exp.GTE(this=last.this, expression=last.expression))


def _comparisons(on: exp.Expr | None) -> Iterator[exp.EQ]:
    """What the resolver wrote for USING: a comparison per column."""
    if isinstance(on, exp.And):
        for part in on.flatten():
            yield from _comparisons(part)
    elif isinstance(on, exp.Paren):
        yield from _comparisons(on.this)
    elif isinstance(on, exp.EQ):
        yield on


def _replace(within: exp.Expr, merged: dict[str, _Merged]) -> None:
    for node in nodes_of(within, exp.Coalesce):
        first = node.this
        if isinstance(first, exp.Column) and first.this.meta_get(SPELLING) is None and first.name in merged:
            found = merged[first.name]
            if first.table in found.sources:
                node.replace(found.expression(first.name))


def _column(name: str, source: str) -> exp.Column:
    identifier = exp.to_identifier(name, quoted=True)
    identifier.meta[SPELLING] = name  # it is not to be merged once more
    return exp.column(identifier, exp.to_identifier(source, quoted=True))
