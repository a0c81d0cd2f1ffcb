"""Tables that a statement cannot mean. One that the caller may not see is unknown."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class UnknownTable:
    """The schema has no table of that name; `near` are the likeliest, best first."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_TABLE
    name: str
    schema: str
    near: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AmbiguousTable:
    """The name differs only in case from those of several tables."""

    code: ClassVar[FailureCode] = FailureCode.AMBIGUOUS_NAME
    name: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NameOfThreeParts:
    """A table is named `catalogue.schema.table`."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_TABLE
    name: str


@dataclass(frozen=True, slots=True)
class TableNotGiven:
    """A statement is bound without the description of a table that it names."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_TABLE
    name: str


@dataclass(frozen=True, slots=True)
class TableGone:
    """DynamoDB no longer has a table that was there."""

    code: ClassVar[FailureCode] = FailureCode.UNKNOWN_TABLE
    name: str


TableFact = UnknownTable | AmbiguousTable | NameOfThreeParts | TableNotGiven | TableGone
