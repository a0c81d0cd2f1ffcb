"""What statements may not consist of."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from mcp_server.domain.failures.codes import FailureCode


class Wish(StrEnum):
    """What a statement that is no query wants all the same."""

    SCHEMAS = "schemas"
    TABLES = "tables"
    DESCRIPTION = "description"
    """Of the columns of one table."""
    PLAN = "plan"
    PIVOT = "pivot"
    DEFAULT_SCHEMA = "default schema"


class Unsupported(StrEnum):
    """Kinds of syntax that are met often and have something in their place."""

    LAMBDA = "lambda"
    COMPREHENSION = "comprehension"
    SAMPLE = "sample"
    COLUMNS = "columns"
    """`COLUMNS(…)`."""
    POSITIONAL_COLUMN = "positional column"
    PIVOT = "pivot"
    FROM_ITEM = "from item"
    """A FROM item other than a table, a subquery or one of the table functions."""
    LATERAL = "lateral"
    LOCK = "lock"
    INTO = "into"
    HISTORY = "history"
    """A table as of another time."""
    LIMIT_BY = "limit by"
    """So many rows of each group."""
    QUANTIFIER = "quantifier"
    """ANY or ALL where nothing is compared with it."""


@dataclass(frozen=True, slots=True)
class NotOneQuery:
    """It is not exactly one statement that only reads."""

    code: ClassVar[FailureCode] = FailureCode.STATEMENT_NOT_ALLOWED


@dataclass(frozen=True, slots=True)
class NotAQuery:
    """The first word, in small letters, says that something is looked up otherwise than by a query.

    `table` is the one to describe, as SQL writes it, `query` the one whose plan is wanted, where those can be told.
    """

    code: ClassVar[FailureCode] = FailureCode.STATEMENT_NOT_ALLOWED
    word: str
    wish: Wish
    table: str | None = None
    query: str | None = None


@dataclass(frozen=True, slots=True)
class UnsupportedSyntax:
    """An excerpt of at most 60 characters is of a kind that is not on the list; `kind` is None of what is rare."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED
    excerpt: str
    kind: Unsupported | None


@dataclass(frozen=True, slots=True)
class UnknownType:
    """No SQL type has that name."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED
    name: str


@dataclass(frozen=True, slots=True)
class FetchOtherwise:
    """FETCH asks for a part in percent, or for the ties of its last row."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class PivotGroups:
    """The GROUP BY of a PIVOT is more than columns that it does not use otherwise."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class AliasesTooLarge:
    """The aliases of a SELECT list, put in place of one another, grow beyond bounds."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class NotGenerated:
    """DuckDB has no form of part of the statement; `reason` is in the generator's words."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED
    reason: str


@dataclass(frozen=True, slots=True)
class TooManyTables:
    """It refers to more tables than one request to DuckDB carries."""

    code: ClassVar[FailureCode] = FailureCode.SYNTAX_NOT_SUPPORTED
    count: int
    most: int


SyntaxFact = (
    NotOneQuery
    | NotAQuery
    | UnsupportedSyntax
    | UnknownType
    | FetchOtherwise
    | PivotGroups
    | AliasesTooLarge
    | NotGenerated
    | TooManyTables
)
