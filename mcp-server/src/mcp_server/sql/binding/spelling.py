"""Spells alike all names that DuckDB takes for the same one, and apart those that DynamoDB holds apart.

DuckDB compares names without regard to case, DynamoDB with. Once every name has one spelling, the rest of binding can
compare exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from mcp_server.domain.names import fold
from mcp_server.domain.schema import DOCUMENT, DOCUMENT_COLUMN, Table

SPELLING = "spelling"
"""Key of an identifier's `meta` that keeps how the statement spelt it."""

_WITH_FIELDS = (exp.PropertyEQ, exp.ColumnDef)


@dataclass(frozen=True, slots=True)
class Spelling:
    """How names of columns are to be spelled.

    `apart` maps the exact names of columns that differ only in case in one table to unlike names; `usual` maps the
    folded form of every other name to the spelling that all its forms get.
    """

    apart: Mapping[str, str]
    usual: Mapping[str, str]

    def of(self, name: str) -> str:
        """The one spelling of a name."""
        return self.apart.get(name) or self.usual.get(fold(name), name)

    def catalogue_name(self, name: str) -> str:
        """The exact name of the column that got this spelling, if its own is shared."""
        return next((exact for exact, spelling in self.apart.items() if spelling == name), name)


def spelling_of(tables: Iterable[Table], identifiers: Sequence[exp.Identifier]) -> Spelling:
    """Chooses spellings: a column's own where there is one, otherwise the first one in the statement."""
    usual: dict[str, str] = {}
    apart: dict[str, str] = {}
    written: dict[str, str] = {}
    for name in (identifier.this for identifier in identifiers):
        written.setdefault(fold(name), name)
    listed = list(tables)
    taken = set(written) | {fold(column.name) for table in listed for column in table.columns}
    for table in listed:
        by_folded: dict[str, list[str]] = {}
        for column in table.columns:
            by_folded.setdefault(fold(column.name), []).append(column.name)
        for folded, names in by_folded.items():
            if len(names) == 1:
                usual.setdefault(folded, names[0])
                continue
            for name in names:
                apart.setdefault(name, _free(f"{name}_{len(apart) + 1}", taken))
    usual.setdefault(fold(DOCUMENT_COLUMN), DOCUMENT_COLUMN)
    return Spelling(apart, written | usual)


def spelt_columns(table: Table, spelling: Spelling) -> dict[str, str]:
    """The columns of a table, the document's too, by their spelling."""
    return {spelling.of(column.name): column.name for column in (*table.columns, DOCUMENT)}


def _free(wanted: str, taken: set[str]) -> str:
    name = wanted
    while fold(name) in taken:
        name += "_"
    taken.add(fold(name))
    return name


def respell(identifiers: Iterable[exp.Identifier], spelling: Spelling) -> None:
    """Gives names their one spelling, in place. Fields of structs keep theirs, and so do internal names."""
    for identifier in identifiers:
        parent = identifier.parent
        if isinstance(parent, _WITH_FIELDS) and identifier.arg_key == "this":
            continue
        if isinstance(parent, exp.Dot) and identifier.arg_key == "expression":
            continue
        if identifier.meta_get(SPELLING) is None:
            name = identifier.this
            identifier.meta[SPELLING] = name
            identifier.set("this", spelling.of(name))
