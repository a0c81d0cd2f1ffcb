"""Why a cursor leads to no page."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class ForeignCursor:
    """It is no cursor, or one of another statement, other parameters or another caller."""

    code: ClassVar[FailureCode] = FailureCode.CURSOR_INVALID


@dataclass(frozen=True, slots=True)
class CursorTooOld:
    """Its time is over."""

    code: ClassVar[FailureCode] = FailureCode.CURSOR_EXPIRED


@dataclass(frozen=True, slots=True)
class ResultNotKept:
    """The result that it continues has expired or gave way to others."""

    code: ClassVar[FailureCode] = FailureCode.CURSOR_EXPIRED


@dataclass(frozen=True, slots=True)
class ReadOtherwise:
    """The table, its columns or its indexes are not what they were when it was made."""

    code: ClassVar[FailureCode] = FailureCode.CURSOR_EXPIRED


@dataclass(frozen=True, slots=True)
class SeenOtherwise:
    """Its owner, or everybody, may see more or less of the tables than when it was made."""

    code: ClassVar[FailureCode] = FailureCode.CURSOR_EXPIRED


@dataclass(frozen=True, slots=True)
class PathClosed:
    """The index that it was read through cannot be read any more, for that reason; None where it is gone."""

    code: ClassVar[FailureCode] = FailureCode.CURSOR_EXPIRED
    index: str
    reason: str | None


CursorFact = ForeignCursor | CursorTooOld | ResultNotKept | ReadOtherwise | SeenOtherwise | PathClosed
