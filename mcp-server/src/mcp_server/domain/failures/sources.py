"""What names in a statement cannot stand for, given the items of its FROM clauses. Names are as the statement has them.

A *source* is any FROM item.
"""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class UnknownSource:
    """No source is called so; `near` is the likeliest name, if one is near."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_TABLE
    name: str
    near: str | None


@dataclass(frozen=True, slots=True)
class UnknownQualifier:
    """A column is named by the schema and table, `schema.table.column`, of none of the sources."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_TABLE
    name: str


@dataclass(frozen=True, slots=True)
class SameName:
    """Two sources of one FROM clause have that name; `apart` says that they are tables of unlike schemas."""

    code: ClassVar[FailureCode] = FailureCode.AMBIGUOUS_NAME
    name: str
    apart: bool


@dataclass(frozen=True, slots=True)
class UncertainName:
    """A name may mean two things."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED
    name: str


@dataclass(frozen=True, slots=True)
class WholeRow:
    """A table's name stands where a value has to."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED
    table: str


@dataclass(frozen=True, slots=True)
class UnexpandedStar:
    """It is not known which columns a `*` stands for."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class UncertainMerge:
    """USING or NATURAL stand beside commas or joins in parentheses."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class NaturalWithDocument:
    """A statement with the column that holds whole items has a NATURAL JOIN."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The parser's resolver gave up for a reason that says nothing of a name."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


SourceFact = (
    UnknownSource
    | UnknownQualifier
    | SameName
    | UncertainName
    | WholeRow
    | UnexpandedStar
    | UncertainMerge
    | NaturalWithDocument
    | Unresolved
)
