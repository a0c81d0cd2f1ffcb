"""Budgets of reads that do not suffice, and what they would have to be."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from mcp_server.domain.failures.codes import FailureCode
from mcp_server.domain.failures.scans import LargeTable

Counted = Literal["read units", "pages", "bytes"]
"""What is counted of a query's reads."""


@dataclass(frozen=True, slots=True)
class BudgetTooSmall:
    """The query is expected to take more read units than its budget, so nothing was read.

    `most` is the largest budget that a caller can ask for, `scanned` the tables of which everything is read.
    """

    code: ClassVar[FailureCode] = FailureCode.BUDGET_EXCEEDED
    expected: float
    budget: float
    most: float
    scanned: tuple[LargeTable, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetTooSmallForRead:
    """A read that was decided on during the run would make it more read units than its budget, of `most` at most."""

    code: ClassVar[FailureCode] = FailureCode.BUDGET_EXCEEDED
    expected: float
    budget: float
    most: float
    scanned: tuple[LargeTable, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetSpent:
    """The query has read more than its budget, of `most` at most; `expected` are the read units of all of it, or 0."""

    code: ClassVar[FailureCode] = FailureCode.BUDGET_EXCEEDED
    spent: float
    budget: float
    unit: Counted
    most: float
    expected: float = 0.0
    scanned: tuple[LargeTable, ...] = ()


@dataclass(frozen=True, slots=True)
class HourSpent:
    """The caller's read units of the last hour and those expected of this query, 0 where it runs, are too many."""

    code: ClassVar[FailureCode] = FailureCode.BUDGET_EXCEEDED
    spent: float
    expected: float
    most: float


BudgetFact = BudgetTooSmall | BudgetTooSmallForRead | BudgetSpent | HourSpent
"""Of read units and what else a query reads."""
