"""The codes of failures."""

from enum import StrEnum


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
    CONFIRMATION_REQUIRED = "confirmation_required"
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
