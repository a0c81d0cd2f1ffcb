"""The names that are visible at one place of a statement, before it is qualified; compared without regard to case."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mcp_server.domain.names import fold


@dataclass(frozen=True, slots=True)
class NamedCte:
    """A CTE's internal name, and the folded names of its columns where they are known."""

    name: str
    columns: frozenset[str] | None


@dataclass(slots=True)
class Source:
    """A FROM item. `name` and `schema` are folded, `schema` only set for tables that may be written with it.

    `alias` is the internal one; None where the item keeps its own, because parser and engine name its columns after it.
    `columns` are folded, None where they are not known.
    """

    name: str
    schema: str | None
    alias: str | None
    columns: frozenset[str] | None
    visible: bool = True


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT, as far as they are visible; what is around it; and the CTEs in reach."""

    outer: "Scope | None"
    ctes: Mapping[str, NamedCte]
    sources: list[Source] = field(default_factory=list)

    def called(self, name: str, schema: str | None = None) -> Source | None:
        """The visible source of a name; of a table of that schema where one is given."""
        for source in self.sources:
            if source.visible and source.name == name and (schema is None or source.schema == schema):
                return source
        return None

    def has_column(self, name: str) -> bool:
        """Whether a visible source is known to have a column of that name."""
        return any(one.visible and one.columns is not None and name in one.columns for one in self.sources)

    def columns(self) -> frozenset[str] | None:
        """The names that `*` stands for, None if one of the sources is not known."""
        names: frozenset[str] = frozenset()
        for source in self.sources:
            if source.visible:
                if source.columns is None:
                    return None
                names |= source.columns
        return names

    def is_known(self) -> bool:
        """Whether the columns of every source, here and around, are known."""
        return all(source.columns is not None for level in self.outwards() for source in level.sources)

    def outwards(self) -> "Iterator[Scope]":
        """This scope and those around it, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer


def folded(names: Iterator[str]) -> frozenset[str]:
    """Names as they are compared."""
    return frozenset(fold(name) for name in names)
