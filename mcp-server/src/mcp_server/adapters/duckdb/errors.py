"""What a DuckDB child reports, as the Failure that its caller sees."""

import re

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.availability import EvaluatorFailed
from mcp_server.domain.failures.limits import OutOfMemory
from mcp_server.domain.failures.values import NotEvaluated, Trouble
from mcp_server.ports.relational import EvaluationError, Place, StreamReadTwice

_MEMORY = frozenset({"OutOfMemoryException", "MemoryError", "ArrowMemoryError"})
_EVALUATION = frozenset(
    {
        "BinderException",
        "CatalogException",
        "ConstraintException",
        "ConversionException",
        "InvalidInputException",
        "InvalidTypeException",
        "NotImplementedException",
        "OutOfRangeException",
        "ParserException",
        "PermissionException",
        "SyntaxException",
        "TypeMismatchException",
    }
)
_REREAD = "RecordBatchReader has already been consumed"
_PREFIX = re.compile(r"^(?:[A-Z][\w ]*Error: )+")
# What DuckDB adds for its own users: candidates, and advice nobody here can follow.
_ADVICE = re.compile(
    r"\s*(?:Candidate \w+:|Did you mean|Possible solutions|Use TRY\(|or SET |You might want to|You might need to|"
    r"Either add it|\n\s*Database is launched|Consider |Explicitly ).*$",
    re.DOTALL,
)
_MAX_MESSAGE = 400
# What the message says, and what it says of; the first that is found counts.
_TROUBLES = (
    (
        re.compile(
            r"Could not convert|date field|timestamp field|can.t be cast|when casting|Failed to cast", re.IGNORECASE
        ),
        Trouble.CONVERSION,
    ),
    (
        re.compile(
            r"No function matches|Could not choose a best candidate|Cannot compare values|Cannot mix values|"
            r"Cannot combine types",
            re.IGNORECASE,
        ),
        Trouble.TYPES,
    ),
    (
        re.compile(r"must appear in the GROUP BY clause"),
        Trouble.GROUPING,
    ),
    (
        re.compile(r"cannot contain aggregates|aggregate function calls cannot be nested", re.IGNORECASE),
        Trouble.NESTED_AGGREGATE,
    ),
    (
        re.compile(r"cannot contain window functions|window function calls cannot be nested", re.IGNORECASE),
        Trouble.NESTED_WINDOW,
    ),
    (
        re.compile(r"Division by zero", re.IGNORECASE),
        Trouble.DIVISION_BY_ZERO,
    ),
    (
        re.compile(r"overflow|out of range", re.IGNORECASE),
        Trouble.OVERFLOW,
    ),
    (
        re.compile(r"format specifier|strftime|strptime|Could not parse string", re.IGNORECASE),
        Trouble.TIME_FORMAT,
    ),
    (
        re.compile(r"Cannot extract field|not a struct", re.IGNORECASE),
        Trouble.NO_STRUCT,
    ),
    (
        re.compile(r"Could not find key .* in struct", re.IGNORECASE),
        Trouble.NO_FIELD,
    ),
    (
        re.compile(r"in front of a star expression", re.IGNORECASE),
        Trouble.STAR,
    ),
    (
        re.compile(r"is a Macro Function"),
        Trouble.MACRO,
    ),
    (
        re.compile(r"JSON", re.IGNORECASE),
        Trouble.JSON,
    ),
    (
        re.compile(r"UNNEST", re.IGNORECASE),
        Trouble.UNNEST,
    ),
    (
        re.compile(r"same number of result columns"),
        Trouble.SET_OPERATION,
    ),
    (
        re.compile(
            r"regular expression|missing \)|missing \]|no argument for repetition|invalid escape", re.IGNORECASE
        ),
        Trouble.PATTERN,
    ),
    (
        re.compile(r"More than one row returned by a subquery", re.IGNORECASE),
        Trouble.SEVERAL_ROWS,
    ),
)


def failure(kind: str, message: str, place: Place | None) -> Failure | StreamReadTwice:
    """The exception to raise for an error of that class and text, at that place of the statement."""
    if _REREAD in message:
        return StreamReadTwice()
    if kind in _MEMORY or "bad_alloc" in message or "failed to allocate" in message.casefold():
        return Failure(OutOfMemory())
    if kind in _EVALUATION:
        told = tidy(message)
        return EvaluationError(NotEvaluated(told, _trouble(told)), place)
    return Failure(EvaluatorFailed())


def _trouble(message: str) -> Trouble:
    return next((trouble for pattern, trouble in _TROUBLES if pattern.search(message)), Trouble.OTHER)


def tidy(message: str) -> str:
    """The first sentence or two of an error text, without DuckDB's class names, positions and advice."""
    text = " ".join(_ADVICE.sub("", _PREFIX.sub("", message.strip())).split()).rstrip(" .!:")
    return (
        text[:_MAX_MESSAGE] + " …" if len(text) > _MAX_MESSAGE else text or "The query could not be evaluated"
    ) + "."
