"""Bounds on time, memory, sizes and queries at once."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class Overdue:
    """The query took longer than so many seconds."""

    code: ClassVar[FailureCode] = FailureCode.DEADLINE_EXCEEDED
    seconds: float


@dataclass(frozen=True, slots=True)
class PlanningOverdue:
    """Planning the statement took longer than so many seconds."""

    code: ClassVar[FailureCode] = FailureCode.DEADLINE_EXCEEDED
    seconds: float


@dataclass(frozen=True, slots=True)
class PlanningTooLarge:
    """Planning the statement needs more memory than it may take."""

    code: ClassVar[FailureCode] = FailureCode.MEMORY_EXCEEDED


@dataclass(frozen=True, slots=True)
class OutOfMemory:
    """Computing the result needs more memory than one query may take."""

    code: ClassVar[FailureCode] = FailureCode.MEMORY_EXCEEDED


@dataclass(frozen=True, slots=True)
class RowTooLargeForReply:
    """A single row takes more bytes as JSON than one reply may have."""

    code: ClassVar[FailureCode] = FailureCode.RESULT_TOO_LARGE
    most: int


@dataclass(frozen=True, slots=True)
class RowTooLarge:
    """A single row is larger than a result may be."""

    code: ClassVar[FailureCode] = FailureCode.RESULT_TOO_LARGE


@dataclass(frozen=True, slots=True)
class ShareTaken:
    """So many queries of the caller, or of its tenant, run already."""

    code: ClassVar[FailureCode] = FailureCode.BUSY
    running: int
    whose: Literal["principal", "tenant"]


@dataclass(frozen=True, slots=True)
class ServerFull:
    """The server runs as many queries as it can."""

    code: ClassVar[FailureCode] = FailureCode.BUSY


@dataclass(frozen=True, slots=True)
class NoEvaluatorFree:
    """No process that evaluates queries came free in time."""

    code: ClassVar[FailureCode] = FailureCode.BUSY


LimitFact = (
    Overdue
    | PlanningOverdue
    | PlanningTooLarge
    | OutOfMemory
    | RowTooLargeForReply
    | RowTooLarge
    | ShareTaken
    | ServerFull
    | NoEvaluatorFree
)
