"""Values that cannot be computed, read or shown."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


class Trouble(StrEnum):
    """What DuckDB could not do, as far as its text tells."""

    CONVERSION = "conversion"
    TYPES = "types"
    """Operands or arguments of these types have nothing to do with one another."""
    GROUPING = "grouping"
    NESTED_AGGREGATE = "nested aggregate"
    NESTED_WINDOW = "nested window"
    DIVISION_BY_ZERO = "division by zero"
    OVERFLOW = "overflow"
    TIME_FORMAT = "time format"
    NO_STRUCT = "no struct"
    """A field is taken of what has none."""
    NO_FIELD = "no field"
    """A struct does not have that field."""
    STAR = "star"
    MACRO = "macro"
    """DuckDB writes the function as an expression, so that it takes no FILTER, DISTINCT or ORDER BY."""
    JSON = "JSON"
    UNNEST = "unnest"
    SET_OPERATION = "set operation"
    PATTERN = "pattern"
    """A regular expression is malformed."""
    SEVERAL_ROWS = "several rows"
    """Of a subquery that stands for one value."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    """DuckDB could not evaluate the statement; `told` is a sentence or two of its own.

    `texts` are columns that it computes with, which hold texts among their numbers, `parts` those of maps and lists, as
    the statement writes them, that are read as text. `numerals` are texts that stand where a number is needed, as the
    statement writes them, and the types of the numbers. `moments` are columns that it takes for days or times, which
    are texts that hold such, and the types of these.
    """

    code: ClassVar[FailureCode] = FailureCode.EVALUATION_ERROR
    told: str
    trouble: Trouble
    texts: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    numerals: tuple[tuple[str, str], ...] = ()
    moments: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ParameterNotUnicode:
    """The statement with its parameters holds half of a surrogate pair."""

    code: ClassVar[FailureCode] = FailureCode.EVALUATION_ERROR


@dataclass(frozen=True, slots=True)
class UnshowableType:
    """A result has no rendering for a column's type."""

    code: ClassVar[FailureCode] = FailureCode.EVALUATION_ERROR
    column: str
    type: str


@dataclass(frozen=True, slots=True)
class IntegerTooLong:
    """A column holds an integer of more digits than a result has."""

    code: ClassVar[FailureCode] = FailureCode.EVALUATION_ERROR
    column: str
    most: int


@dataclass(frozen=True, slots=True)
class UnexpectedTypes:
    """Items of a table hold values that not even the widened columns carry."""

    code: ClassVar[FailureCode] = FailureCode.TYPE_CONFLICT
    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotTheDeclaredType:
    """A value does not fit the SQL type that the schemas file declares for its column.

    `types` are DynamoDB's of such values, where the column had none of them before.
    """

    code: ClassVar[FailureCode] = FailureCode.TYPE_CONFLICT
    table: str
    column: str
    declared: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LackingThoughDeclared:
    """An item lacks an attribute that the schemas file declares NOT NULL."""

    code: ClassVar[FailureCode] = FailureCode.TYPE_CONFLICT
    table: str
    column: str


ValueFact = (
    NotEvaluated
    | ParameterNotUnicode
    | UnshowableType
    | IntegerTooLong
    | UnexpectedTypes
    | NotTheDeclaredType
    | LackingThoughDeclared
)
