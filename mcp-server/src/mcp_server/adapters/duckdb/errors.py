"""What a DuckDB child reports, as the Failure that its caller sees."""

import re

from mcp_server.domain.failures import Failure, FailureCode
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
# What to do, by what the message says; the first that is found counts.
_NEXT_ACTIONS = (
    (
        re.compile(
            r"Could not convert|date field|timestamp field|can.t be cast|when casting|Failed to cast", re.IGNORECASE
        ),
        "A value does not fit the type. TRY_CAST(x AS TYPE) gives NULL instead; or leave such values out with WHERE.",
    ),
    (
        re.compile(
            r"No function matches|Could not choose a best candidate|Cannot compare values|Cannot mix values|"
            r"Cannot combine types",
            re.IGNORECASE,
        ),
        "Convert an operand with CAST(x AS TYPE); describe_table shows the types of the columns.",
    ),
    (
        re.compile(r"must appear in the GROUP BY clause"),
        "Add the column to GROUP BY, or take one of its values with any_value(), min() or max().",
    ),
    (
        re.compile(r"cannot contain aggregates|aggregate function calls cannot be nested", re.IGNORECASE),
        "Filter groups with HAVING, or compute the aggregate in a subquery first.",
    ),
    (
        re.compile(r"cannot contain window functions|window function calls cannot be nested", re.IGNORECASE),
        "Filter by a window function with QUALIFY, or compute it in a subquery first.",
    ),
    (
        re.compile(r"Division by zero", re.IGNORECASE),
        "Divide by NULLIF(x, 0), which gives NULL instead.",
    ),
    (
        re.compile(r"overflow|out of range", re.IGNORECASE),
        "Compute with a wider type: CAST an operand to HUGEINT or DOUBLE.",
    ),
    (
        re.compile(r"format specifier|strftime|strptime|Could not parse string", re.IGNORECASE),
        "Correct the format, for example '%Y-%m-%d'; try_strptime(x, format) gives NULL for texts that do not fit.",
    ),
    (
        re.compile(r"Cannot extract field|not a struct", re.IGNORECASE),
        "Read a field of a JSON column with column->>'field'.",
    ),
    (
        re.compile(r"Could not find key .* in struct", re.IGNORECASE),
        "describe_table shows the fields of structs; each item has only some of them.",
    ),
    (
        re.compile(r"in front of a star expression", re.IGNORECASE),
        "unnest(x) in the SELECT list makes columns of the fields of a struct x.",
    ),
    (
        re.compile(r"is a Macro Function"),
        "Filter, sort or make the rows distinct in a subquery, and call the function over that.",
    ),
    (
        re.compile(r"JSON", re.IGNORECASE),
        "Use JSON functions on JSON columns and valid JSON only: CASE WHEN json_valid(x) THEN … END.",
    ),
    (
        re.compile(r"UNNEST", re.IGNORECASE),
        "UNNEST takes a list: convert a JSON array with CAST(x AS VARCHAR[]) or CAST(x AS DOUBLE[]).",
    ),
    (
        re.compile(r"same number of result columns"),
        "Give both sides of the set operation the same number of columns.",
    ),
    (
        re.compile(
            r"regular expression|missing \)|missing \]|no argument for repetition|invalid escape", re.IGNORECASE
        ),
        "Correct the regular expression; its syntax is RE2's.",
    ),
    (
        re.compile(r"More than one row returned by a subquery", re.IGNORECASE),
        "Make the subquery give one row, with LIMIT 1 or an aggregate, or compare with IN.",
    ),
)
_OTHER_ACTION = "Correct the expression; use TRY_CAST or NULLIF where single values may not fit."


def failure(kind: str, message: str, place: Place | None) -> Failure | StreamReadTwice:
    """The exception to raise for an error of that class and text, at that place of the statement."""
    if _REREAD in message:
        return StreamReadTwice()
    if kind in _MEMORY or "bad_alloc" in message or "failed to allocate" in message.casefold():
        return Failure(
            FailureCode.MEMORY_EXCEEDED,
            "The query needs more memory than one query may use.",
            "Aggregate or filter earlier, select fewer columns, or join fewer rows.",
        )
    if kind in _EVALUATION:
        told = tidy(message)
        return EvaluationError(told, _next_action(told), place)
    return Failure(
        FailureCode.INTERNAL_ERROR,
        "The process that evaluates the query failed.",
        "Run the statement again; if it fails again, make it read or compute less.",
    )


def _next_action(message: str) -> str:
    return next((action for pattern, action in _NEXT_ACTIONS if pattern.search(message)), _OTHER_ACTION)


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
