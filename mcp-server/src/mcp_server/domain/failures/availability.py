"""What a call depends on and cannot have, and defects. What AWS said stays in the log."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class SourceTooSlow:
    """The DynamoDB of a schema does not answer in time."""

    code: ClassVar[FailureCode] = FailureCode.SOURCE_UNAVAILABLE
    schema: str


@dataclass(frozen=True, slots=True)
class SourceThrottles:
    """The DynamoDB of a schema has no capacity left to be read with."""

    code: ClassVar[FailureCode] = FailureCode.THROTTLED
    schema: str


@dataclass(frozen=True, slots=True)
class SourceUnavailable:
    """The DynamoDB of a schema cannot be reached, or does not take the credentials."""

    code: ClassVar[FailureCode] = FailureCode.SOURCE_UNAVAILABLE
    schema: str


@dataclass(frozen=True, slots=True)
class RoleNotAssumed:
    """STS does not lend the role that reads a schema."""

    code: ClassVar[FailureCode] = FailureCode.SOURCE_UNAVAILABLE
    schema: str


@dataclass(frozen=True, slots=True)
class SourceRefused:
    """DynamoDB found a request of ours invalid."""

    code: ClassVar[FailureCode] = FailureCode.INTERNAL_ERROR


@dataclass(frozen=True, slots=True)
class ResultsUnavailable:
    """What keeps results between pages does not answer."""

    code: ClassVar[FailureCode] = FailureCode.SOURCE_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class UsageNotTold:
    """What keeps the usage does not answer."""

    code: ClassVar[FailureCode] = FailureCode.SOURCE_UNAVAILABLE


@dataclass(frozen=True, slots=True)
class EvaluatorFailed:
    """The process that evaluates the query failed at something that is not the statement's."""

    code: ClassVar[FailureCode] = FailureCode.INTERNAL_ERROR


@dataclass(frozen=True, slots=True)
class EvaluatorLost:
    """The process that evaluates the query ended without an answer, twice."""

    code: ClassVar[FailureCode] = FailureCode.INTERNAL_ERROR


@dataclass(frozen=True, slots=True)
class Defect:
    """Something that must not happen did; the log has it."""

    code: ClassVar[FailureCode] = FailureCode.INTERNAL_ERROR


AvailabilityFact = (
    SourceTooSlow
    | SourceThrottles
    | SourceUnavailable
    | RoleNotAssumed
    | SourceRefused
    | ResultsUnavailable
    | UsageNotTold
    | EvaluatorFailed
    | EvaluatorLost
    | Defect
)
