"""What can be wrong with a statement's text before it is looked at as a query."""

from dataclasses import dataclass
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


@dataclass(frozen=True, slots=True)
class EmptyStatement:
    """There is nothing but white space."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT


@dataclass(frozen=True, slots=True)
class NotUnicode:
    """The text holds half of a surrogate pair."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT


@dataclass(frozen=True, slots=True)
class StatementTooLong:
    """The text has more bytes in UTF-8 than the most that are read."""

    code: ClassVar[FailureCode] = FailureCode.INVALID_ARGUMENT
    size: int
    most: int


@dataclass(frozen=True, slots=True)
class ControlCharacter:
    """The text holds a character that is neither printed nor white space, by its code point."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR
    code_point: int


@dataclass(frozen=True, slots=True)
class NoTokens:
    """The text cannot be cut into words: a quotation or comment does not end, or a character has no meaning."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR


@dataclass(frozen=True, slots=True)
class BadEscape:
    """An escape string stands for NUL, or for bytes that are not UTF-8."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR


@dataclass(frozen=True, slots=True)
class NestedTooDeeply:
    """Reading it would exhaust the stack."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR


@dataclass(frozen=True, slots=True)
class Unparsable:
    """The parser gave up at a piece of the text, for a reason in its words; both are empty where it has none."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR
    near: str
    reason: str


@dataclass(frozen=True, slots=True)
class MisspeltBeginning:
    """The first word begins no statement, but is nearly the keyword `near`."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_ERROR
    word: str
    near: str


@dataclass(frozen=True, slots=True)
class NotANumber:
    """What begins like a number is none, as `0x1F` or `5kg`."""

    code: ClassVar[FailureCode] = FailureCode.EVALUATION_ERROR
    written: str


TextFact = (
    EmptyStatement
    | NotUnicode
    | StatementTooLong
    | ControlCharacter
    | NoTokens
    | BadEscape
    | NestedTooDeeply
    | Unparsable
    | MisspeltBeginning
    | NotANumber
)
