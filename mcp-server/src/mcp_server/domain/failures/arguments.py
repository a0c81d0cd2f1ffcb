"""What can be wrong with the arguments of a call. Their values are not repeated."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class MissingArgument:
    """An argument that the tool requires is not there."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT
    name: str


@dataclass(frozen=True, slots=True)
class UnknownArgument:
    """The tool has no argument of that name; `near` is the likeliest of the `known`, if one is near."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT
    name: str
    near: str | None
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MalformedArgument:
    """An argument is not of its type; `problem` is in the words of the schema's validator."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class ArgumentOutOfRange:
    """An argument is less than `least` or more than `most`."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT
    name: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class ArgumentNotPositive:
    """An argument is 0 or less."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT
    name: str


ArgumentFact = MissingArgument | UnknownArgument | MalformedArgument | ArgumentOutOfRange | ArgumentNotPositive
