"""The words of every failure."""

from dataclasses import replace
from typing import assert_never

from mcp_server.domain.failures import Failure, Meant
from mcp_server.domain.failures.access import AccessFact
from mcp_server.domain.failures.arguments import ArgumentFact
from mcp_server.domain.failures.budgets import BudgetFact
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
from mcp_server.surface.wording import (
    access,
    arguments,
    availability,
    budgets,
    columns,
    confirmations,
    cursors,
    functions,
    limits,
    parameters,
    scans,
    schemas,
    sources,
    syntax,
    tables,
    texts,
    values,
)
from mcp_server.surface.wording.words import Words

_StatementFact = TextFact | SyntaxFact | FunctionFact | ParameterFact | ArgumentFact
_RunFact = ScanFact | ConfirmationFact | BudgetFact | ValueFact | CursorFact


def worded(failure: Failure) -> Words:
    """What is said of a failure."""
    words = _words(failure)
    reading = _reading(failure.meant) if failure.meant is not None else None
    return words if reading is None else replace(words, next_action=reading)


def _words(failure: Failure) -> Words:
    fact = failure.fact
    if isinstance(fact, _StatementFact):
        return _of_statement(fact)
    if isinstance(fact, SchemaFact):
        return schemas.words(fact)
    if isinstance(fact, TableFact):
        return tables.words(fact)
    if isinstance(fact, SourceFact):
        return sources.words(fact)
    if isinstance(fact, ColumnFact):
        return columns.words(fact)
    if isinstance(fact, AccessFact):
        return access.words(fact)
    if isinstance(fact, _RunFact):
        return _of_run(fact)
    if isinstance(fact, LimitFact):
        return limits.words(fact, failure.retry_after_seconds)
    return availability.words(fact)


def _of_statement(fact: _StatementFact) -> Words:
    if isinstance(fact, TextFact):
        return texts.words(fact)
    if isinstance(fact, SyntaxFact):
        return syntax.words(fact)
    if isinstance(fact, FunctionFact):
        return functions.words(fact)
    if isinstance(fact, ParameterFact):
        return parameters.words(fact)
    return arguments.words(fact)


def _of_run(fact: _RunFact) -> Words:
    if isinstance(fact, ScanFact):
        return scans.words(fact)
    if isinstance(fact, ConfirmationFact):
        return confirmations.words(fact)
    if isinstance(fact, BudgetFact):
        return budgets.words(fact)
    if isinstance(fact, ValueFact):
        return values.words(fact)
    return cursors.words(fact)


def _reading(meant: Meant) -> str | None:
    """How a refused statement is written here; None where the fact tells what is to be put right."""
    match meant.by:
        case "fact":
            return None
        case "keyword":
            return f"Did you mean: {meant.statement}"
        case "function":
            return f"In DuckDB's dialect this is: {meant.statement}"
        case "dialect":
            return f"If this is {meant.dialect}'s SQL, in DuckDB's dialect it is: {meant.statement}"
        case _:
            assert_never(meant.by)
