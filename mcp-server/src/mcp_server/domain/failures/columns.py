"""Columns that a statement cannot mean. Names are as the statement has them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode
from mcp_server.domain.schema import Path


@dataclass(frozen=True, slots=True)
class NearColumns:
    """The names of columns that are near, best first."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnquotedColumn:
    """The name is the beginning of a column's that SQL has to quote, as `gift` of `gift-note`."""

    column: str


@dataclass(frozen=True, slots=True)
class FieldsOfColumns:
    """Fields of maps have that name; `paths` are how SQL reaches them, as `address.city` or `unnest(lines).sku`."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuotedText:
    """A text is meant, and stands in double or in typographic quotes; `literal` is how SQL writes it."""

    literal: str
    typographic: bool


@dataclass(frozen=True, slots=True)
class OutOfReach:
    """A table of the statement has that column, but not where the name stands."""


class Pseudocolumn(StrEnum):
    """What other databases know under a name that looks like a column's."""

    ROWNUM = "rownum"
    SYSDATE = "sysdate"
    SYSTIMESTAMP = "systimestamp"
    MISSING = "missing"
    LEVEL = "level"


Hint = NearColumns | UnquotedColumn | FieldsOfColumns | QuotedText | OutOfReach | Pseudocolumn
"""What may be meant by the name of a column that does not exist."""


@dataclass(frozen=True, slots=True)
class UnknownColumn:
    """No table is known to have that column; `table` is the only one of the statement, as SQL writes it."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_COLUMN
    name: str
    hint: Hint | None
    table: str | None


@dataclass(frozen=True, slots=True)
class UnknownField:
    """No map of a column, or of a part of it, is known to have that field; `near` are the names of fields, best first.

    `path` leads from the column to these maps, with None for the elements of a list. `table` is the only one of the
    statement, as SQL writes it.
    """

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_COLUMN
    name: str
    column: str
    path: Path
    near: tuple[str, ...]
    table: str | None


@dataclass(frozen=True, slots=True)
class NoOutput:
    """The result has no column of that number."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_COLUMN
    number: int


@dataclass(frozen=True, slots=True)
class AmbiguousColumn:
    """Several sources have that column; `choices` are its names with theirs, as SQL writes them."""

    code: ClassVar[FailureCode] = FailureCode.AMBIGUOUS_NAME
    name: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AmbiguousSpelling:
    """The name differs only in case from those of several columns."""

    code: ClassVar[FailureCode] = FailureCode.AMBIGUOUS_NAME
    name: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AmbiguousMerge:
    """Several sources to the left of a join that merges a column have it."""

    code: ClassVar[FailureCode] = FailureCode.AMBIGUOUS_NAME
    name: str


ColumnFact = UnknownColumn | UnknownField | NoOutput | AmbiguousColumn | AmbiguousSpelling | AmbiguousMerge
