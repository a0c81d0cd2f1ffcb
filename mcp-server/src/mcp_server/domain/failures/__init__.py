"""The closed set of ways in which a call can fail. docs/errors.md documents its codes.

Whoever finds that a call cannot go on raises a Failure with a fact: a value that says what is so, in names and numbers,
and neither holds a secret nor knows of tools. `surface.wording` says it in words, and what to do about it. Facts and
failures can be pickled, since statements are also planned in child processes.
"""

from dataclasses import dataclass
from typing import Literal

from mcp_server.domain.failures.access import AccessFact
from mcp_server.domain.failures.arguments import ArgumentFact
from mcp_server.domain.failures.availability import AvailabilityFact
from mcp_server.domain.failures.budgets import BudgetFact
from mcp_server.domain.failures.codes import FailureCode
from mcp_server.domain.failures.columns import ColumnFact
from mcp_server.domain.failures.confirmations import ConfirmationFact
from mcp_server.domain.failures.cursors import CursorFact
from mcp_server.domain.failures.functions import FunctionFact
from mcp_server.domain.failures.limits import LimitFact
from mcp_server.domain.failures.parameters import ParameterFact
from mcp_server.domain.failures.scans import ScanFact
from mcp_server.domain.failures.schemas import SchemaFact
from mcp_server.domain.failures.sources import SourceFact
from mcp_server.domain.failures.syntax import SyntaxFact
from mcp_server.domain.failures.tables import TableFact
from mcp_server.domain.failures.texts import TextFact
from mcp_server.domain.failures.values import ValueFact

__all__ = ["Fact", "Failure", "FailureCode", "Meant", "Position"]

Fact = (
    TextFact
    | SyntaxFact
    | FunctionFact
    | ParameterFact
    | ArgumentFact
    | SchemaFact
    | TableFact
    | SourceFact
    | ColumnFact
    | AccessFact
    | ScanFact
    | ConfirmationFact
    | BudgetFact
    | LimitFact
    | ValueFact
    | CursorFact
    | AvailabilityFact
)
"""What can be so that a call fails; one class for each, which names its code."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the SQL text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Meant:
    """The statement that is likely meant in place of the refused one, and how it was arrived at.

    `fact`: a name or word in it is put right as the fact tells; `keyword`: a word is the keyword that it nearly is;
    `function`: functions that do not exist are those that do the same; `dialect`: it is read as one of the SQL dialect
    of that name.
    """

    statement: str
    by: Literal["fact", "keyword", "function", "dialect"] = "fact"
    dialect: str | None = None


class Failure(Exception):
    """A call failed for a reason its caller can act on.

    `position` is the place in the statement, `retry_after_seconds` when the same call may well succeed.
    """

    def __init__(
        self,
        fact: Fact,
        *,
        position: Position | None = None,
        retry_after_seconds: int | None = None,
        meant: Meant | None = None,
    ) -> None:
        super().__init__(fact)
        self.fact = fact
        self.position = position
        self.retry_after_seconds = retry_after_seconds
        self.meant = meant

    @property
    def code(self) -> FailureCode:
        """What went wrong, as clients branch on it."""
        return self.fact.code
