"""What random statements speak of: tables, their columns, and FROM items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Column:
    """A column; only those of one `kind` are compared.

    Kinds are number, text, date, boolean, instant (TIMESTAMPTZ), iso, millis and seconds (other times), mixed, binary,
    json and struct. `literals` are SQL; those at the `edges` of the column's type are drawn more often. It `refers` to
    the key of another table.
    """

    name: str
    kind: str
    literals: Sequence[str]
    edges: Sequence[str] = ()
    refers: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first of its columns tells its rows apart. `keys` are those that it is read by, in pairs.

    `paths` lead into its maps (`address.city`); `lists` have the parts of their members: `.sku`, or the member itself.
    A key of `several` attributes has those of its partition key, and those of its sort key in their order. Of lists of
    unlike values, `untyped` has an element, and the fields that some elements have.
    """

    name: str
    columns: Sequence[Column]
    keys: Sequence[tuple[str, str]] = ()
    paths: Sequence[Column] = ()
    lists: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    several: Sequence[tuple[Sequence[str], Sequence[str]]] = ()
    untyped: Mapping[str, tuple[Column, Sequence[Column]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A FROM item: its text, and its columns by their qualified names."""

    text: str
    columns: Mapping[str, Column]


def either(name: str, left: Column, right: Column) -> Column:
    """A column that holds the values of two."""
    return Column(name, left.kind, [*left.literals, *right.literals], [*left.edges, *right.edges])


def beginning(literal: str, length: int) -> str:
    """A pattern for texts that begin like one."""
    return "'" + literal[1:-1].replace("''", "")[:length] + "%'"
