"""Says which name of a statement could not be resolved, where it stands, and what may have been meant."""

import re
from collections.abc import Iterable

from sqlglot import exp

from mcp_server.planning.failures import Failure, FailureCode, Position
from mcp_server.planning.names import Ambiguous, Found, NotFound, find_name, fold
from mcp_server.planning.schema import DOCUMENT_COLUMN, Table
from mcp_server.sql.positions import position_of
from mcp_server.sql.spelling import SPELLING

_UNKNOWN = re.compile(r"(?:Unknown column: |Column '|Cannot automatically join: |Unknown output column: )([^'\n]*)")
_AMBIGUOUS = re.compile(r"Ambiguous column '([^']*)'")
_TABLE = re.compile(r"for table: '([^']*)'")


def resolution_failure(message: str, query: exp.Query, text: str, tables: Iterable[Table]) -> Failure:
    """The failure behind a message of the resolver."""
    listed = list(tables)
    if match := _AMBIGUOUS.search(message):
        return _ambiguous_or_unknown(match[1], query, text, listed)
    if match := _UNKNOWN.search(message):
        return _unknown(match[1], message, query, text, listed)
    return Failure(
        FailureCode.SYNTAX_NOT_SUPPORTED,
        "The names in the statement cannot be resolved.",
        "Give every table an alias and write every column as `alias.column`.",
    )


def _ambiguous_or_unknown(name: str, query: exp.Query, text: str, tables: list[Table]) -> Failure:
    holders = [table for table in tables if any(fold(column.name) == fold(name) for column in table.columns)]
    if not holders:
        return _unknown(name, "", query, text, tables)
    return Failure(
        FailureCode.AMBIGUOUS_NAME,
        f'Column "{_written(name, query)}" is ambiguous.',
        "Write it as `alias.column`.",
        position=_place(name, query, text),
    )


def _unknown(name: str, message: str, query: exp.Query, text: str, tables: list[Table]) -> Failure:
    written = _written(name, query)
    source = _TABLE.search(message)
    place = f' in "{source[1]}"' if source and source[1] else ""
    names = {column.name for table in tables for column in table.columns}
    match find_name(written, sorted(names)):
        case Ambiguous(alike):
            return Failure(
                FailureCode.AMBIGUOUS_NAME,
                f'Column "{written}" may be any of {_quoted(alike)}.',
                "Spell it exactly as one of them.",
                position=_place(name, query, text),
            )
        case NotFound(near) if near:
            advice = f"Did you mean {' or '.join(_quoted([one]) for one in near)}?"
        case Found(_):
            advice = "No table of the FROM clause it stands in has that column; check the aliases."
        case _:
            advice = f"Describe the table to see its columns; {DOCUMENT_COLUMN} holds every attribute of an item."
    return Failure(
        FailureCode.UNKNOWN_COLUMN,
        f'There is no column "{written}"{place}.',
        advice,
        position=_place(name, query, text),
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _identifier(name: str, query: exp.Query) -> exp.Identifier | None:
    return next((part for part in query.find_all(exp.Identifier) if part.name == name and SPELLING in part.meta), None)


def _written(name: str, query: exp.Query) -> str:
    identifier = _identifier(name, query)
    return str(identifier.meta[SPELLING]) if identifier is not None else name


def _place(name: str, query: exp.Query, text: str) -> Position | None:
    identifier = _identifier(name, query)
    return position_of(text, identifier) if identifier is not None else None
