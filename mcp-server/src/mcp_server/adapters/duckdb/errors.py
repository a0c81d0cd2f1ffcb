"""What a DuckDB child reports, as the Failure that its caller sees."""

import re

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.ports.relational import StreamReadTwice

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
# What DuckDB adds for its own users: positions in our rewritten text, and advice nobody here can follow.
_ADVICE = re.compile(
    r"\s*(?:\n\s*LINE \d+:|Candidate \w+:|Did you mean|Possible solutions|Use TRY\(|or SET |You might want to|"
    r"\n\s*Database is launched|Consider |Explicitly ).*$",
    re.DOTALL,
)
_MAX_MESSAGE = 400


def failure(kind: str, message: str) -> Failure | StreamReadTwice:
    """The exception to raise for an error of that class and text."""
    if _REREAD in message:
        return StreamReadTwice()
    if kind in _MEMORY or "bad_alloc" in message or "failed to allocate" in message.casefold():
        return Failure(
            FailureCode.MEMORY_EXCEEDED,
            "The query needs more memory than one query may use.",
            "Aggregate or filter earlier, select fewer columns, or join fewer rows.",
        )
    if kind in _EVALUATION:
        return Failure(
            FailureCode.EVALUATION_ERROR,
            tidy(message),
            "Correct the expression; use TRY_CAST or NULLIF where single values may not fit.",
        )
    return Failure(
        FailureCode.INTERNAL_ERROR,
        "The process that evaluates the query failed.",
        "Run the statement again; if it fails again, make it read or compute less.",
    )


def tidy(message: str) -> str:
    """The first sentence or two of an error text, without DuckDB's class names, positions and advice."""
    text = " ".join(_ADVICE.sub("", _PREFIX.sub("", message.strip())).split()).rstrip(" .!:")
    return (
        text[:_MAX_MESSAGE] + " …" if len(text) > _MAX_MESSAGE else text or "The query could not be evaluated"
    ) + "."


def not_text() -> Failure:
    """The statement cannot be written in UTF-8."""
    return Failure(
        FailureCode.EVALUATION_ERROR,
        "The statement or a parameter holds half of a surrogate pair, which is not valid Unicode.",
        "Send valid Unicode.",
    )


def too_many_inputs(count: int, limit: int) -> Failure:
    """The statement refers to more tables than one request carries."""
    return Failure(
        FailureCode.SYNTAX_NOT_SUPPORTED,
        f"A query may refer to at most {limit} tables; this one refers to {count}.",
        "Split the query.",
    )


def row_too_large() -> Failure:
    """Not even one row fits the result's bounds."""
    return Failure(
        FailureCode.RESULT_TOO_LARGE,
        "A single row of the result is larger than a result may be.",
        "Select fewer or shorter columns.",
    )


def busy() -> Failure:
    """No child came free in time."""
    return Failure(FailureCode.BUSY, "Too many queries are running at the moment.", "Try again in a few seconds.")
