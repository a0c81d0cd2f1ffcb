"""What a call touches, as data, before anything is read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableAccess:
    """One table and the columns of it that a query names; `_doc` stands for every attribute."""

    schema: str
    name: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Footprint:
    """All that a query reads."""

    tables: tuple[TableAccess, ...]
