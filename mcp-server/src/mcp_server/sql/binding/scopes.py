"""The names that are visible at one place of a statement, before it is qualified; compared without regard to case."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from mcp_server.domain.names import fold

Columns = Mapping[str, bool | None]
"""Columns by their folded names: whether a column has fields, None where that is not known."""


@dataclass(frozen=True, slots=True)
class NamedCte:
    """A CTE's internal name, and its columns where they are known."""

    name: str
    columns: Columns | None


@dataclass(slots=True)
class Source:
    """A FROM item. `name` and `schema` are folded, `schema` only set for tables that may be written with it.

    `alias` is the internal one; None where the item keeps its own, because parser and engine name its columns after it.
    `columns` are None where they are not known.
    """

    name: str
    schema: str | None
    alias: str | None
    columns: Columns | None
    visible: bool = True

    def may_have(self, column: exp.Expr) -> bool:
        """Whether a column can be one of this source; `*` always is."""
        return self.columns is None or isinstance(column, exp.Star) or fold(column.name) in self.columns


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT, as far as they are visible; what is around it; and the CTEs in reach.

    A `part` of a FROM clause, which is what stands between two commas or in parentheses, has a scope of its own: its
    join conditions see its own sources and columns first, then those that come before it. `merged` are the columns that
    USING and NATURAL have made one.
    """

    outer: "Scope | None"
    ctes: Mapping[str, NamedCte]
    sources: list[Source] = field(default_factory=list)
    part: bool = False
    merged: set[str] = field(default_factory=set)

    def new_part(self) -> "Scope":
        """The scope of the next part of this FROM clause."""
        return Scope(Scope(self.outer, self.ctes, list(self.sources), self.part), self.ctes, part=True)

    def twin(self, name: str) -> Source | None:
        """The visible source of a name in the whole of the FROM clause, as far as it has been read."""
        found = self.called(name)
        return self.outer.twin(name) if found is None and self.part and self.outer is not None else found

    def called(self, name: str, schema: str | None = None) -> Source | None:
        """The visible source of a name; of a table of that schema where one is given."""
        for source in self.sources:
            if source.visible and source.name == name and (schema is None or source.schema == schema):
                return source
        return None

    def holding(self, name: str) -> list[Source]:
        """The visible sources that are known to have a column of that name."""
        return [one for one in self.sources if one.visible and one.columns is not None and name in one.columns]

    def has_fields(self, name: str) -> bool | None:
        """Whether a column of that name has fields; None where that is not known."""
        return joined([source.columns for source in self.holding(name) if source.columns is not None]).get(name)

    def columns(self) -> Columns | None:
        """What `*` stands for, None if one of the sources is not known."""
        found = [source.columns for source in self.sources if source.visible]
        known = [columns for columns in found if columns is not None]
        return joined(known) if len(known) == len(found) else None

    def is_known(self) -> bool:
        """Whether the columns of every source, here and around, are known."""
        return all(source.columns is not None for level in self.outwards() for source in level.sources)

    def outwards(self) -> "Iterator[Scope]":
        """This scope and those around it, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def joined(found: Iterable[Columns]) -> Columns:
    """The columns of several sources together; of those with one name it is only known what holds of all."""
    together: dict[str, bool | None] = {}
    for columns in found:
        for name, has_fields in columns.items():
            together[name] = has_fields if together.get(name, has_fields) is has_fields else None
    return together


def unknown(names: Iterable[str]) -> Columns:
    """Columns of which only the names are known."""
    return {fold(name): None for name in names}
