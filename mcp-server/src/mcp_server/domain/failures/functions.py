"""What can be wrong with the call of a function."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


class Growing(StrEnum):
    """Functions whose result's size only their arguments decide."""

    REPEAT = "repeat"
    PAD = "pad"
    FORMAT = "format"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True)
class UnknownFunction:
    """No function of that name, in small letters, is on the list; `near` are names that are, best first."""

    code: ClassVar[FailureCode] = FailureCode.FUNCTION_NOT_ALLOWED
    name: str
    near: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnboundedSize:
    """The arguments do not bound what a function would make to `most` characters or elements."""

    code: ClassVar[FailureCode] = FailureCode.FUNCTION_NOT_ALLOWED
    function: Growing
    most: int


@dataclass(frozen=True, slots=True)
class DottedCall:
    """A function is called as `schema.function(…)` or `value.function(…)`."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class UnknownTimeUnit:
    """DuckDB has no unit of time of that name."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR
    unit: str


@dataclass(frozen=True, slots=True)
class ArgumentsOfAnotherDialect:
    """A function has as many arguments as another database's; here it has `wanted`."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR
    function: str
    wanted: int


@dataclass(frozen=True, slots=True)
class DateWithModifiers:
    """date has SQLite's further arguments, which translating the statement would leave out."""

    code: ClassVar[FailureCode] = FailureCode.EVALUATION_ERROR


@dataclass(frozen=True, slots=True)
class TruncatedTime:
    """trunc is given a unit of time; DuckDB's cuts numbers only."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR


FunctionFact = (
    UnknownFunction
    | UnboundedSize
    | DottedCall
    | UnknownTimeUnit
    | ArgumentsOfAnotherDialect
    | DateWithModifiers
    | TruncatedTime
)
