"""The closed set of ways in which a call can fail, as its caller sees them. docs/errors.md documents each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FailureCode(StrEnum):
    """What went wrong. A client may branch on it; a code is never renamed."""

    INVALID_ARGUMENT = "invalid_argument"
    SYNTAX_ERROR = "syntax_error"
    STATEMENT_NOT_ALLOWED = "statement_not_allowed"
    FUNCTION_NOT_ALLOWED = "function_not_allowed"
    SYNTAX_NOT_SUPPORTED = "syntax_not_supported"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNKNOWN_TABLE = "unknown_table"
    UNKNOWN_COLUMN = "unknown_column"
    AMBIGUOUS_NAME = "ambiguous_name"
    INVALID_PARAMETERS = "invalid_parameters"
    ACCESS_DENIED = "access_denied"
    FULL_SCAN_REFUSED = "full_scan_refused"
    BUDGET_EXCEEDED = "budget_exceeded"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    MEMORY_EXCEEDED = "memory_exceeded"
    RESULT_TOO_LARGE = "result_too_large"
    EVALUATION_ERROR = "evaluation_error"
    TYPE_CONFLICT = "type_conflict"
    CURSOR_INVALID = "cursor_invalid"
    CURSOR_EXPIRED = "cursor_expired"
    THROTTLED = "throttled"
    BUSY = "busy"
    SOURCE_UNAVAILABLE = "source_unavailable"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the SQL text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class NextCall:
    """A call of a tool, by the tool's name."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Failure(Exception):
    """A call failed for a reason its caller can act on.

    `message` says what happened, `next_action` what to do about it; both are shown to the model and hold no secret.
    `position` is the place in the statement, `retry_after_seconds` when the same call may well succeed. `column` is the
    column that no table is known to have, as the statement spells it. `statement` is the one that is likely meant,
    `next_call` the call that helps.
    """

    def __init__(
        self,
        code: FailureCode,
        message: str,
        next_action: str,
        *,
        position: Position | None = None,
        retry_after_seconds: int | None = None,
        column: str | None = None,
        statement: str | None = None,
        next_call: NextCall | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next_action = next_action
        self.position = position
        self.retry_after_seconds = retry_after_seconds
        self.column = column
        self.statement = statement
        self.next_call = next_call
