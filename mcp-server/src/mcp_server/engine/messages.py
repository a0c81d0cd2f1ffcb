"""What the engine tells its callers beyond rows: failures and warnings in words."""

import re
from collections.abc import Collection, Mapping, Sequence

from mcp_server.domain.failures import Failure, FailureCode, Position
from mcp_server.domain.schema import Schema
from mcp_server.planning.plan import Read
from mcp_server.ports.items import SchemaConflict
from mcp_server.ports.relational import EvaluationError

_INTERNAL_NAME = re.compile(r"(\w)§[0-9]+\b")
NAMED = 10
"""Attributes that a warning names."""
BUSY_SECONDS = 5
"""How long a caller waits before it tries again."""


def argument(message: str) -> Failure:
    """An argument is out of its range."""
    return Failure(FailureCode.INVALID_ARGUMENT, message, "Correct the argument.")


def busy(why: str) -> Failure:
    """Admission found no room for another query."""
    return Failure(
        FailureCode.BUSY,
        f"{why}, so this one was not started.",
        f"Wait {BUSY_SECONDS} seconds, then repeat the call; run fewer queries at once.",
        retry_after_seconds=BUSY_SECONDS,
    )


def deadline(seconds: float) -> Failure:
    """The query ran into its deadline."""
    return Failure(
        FailureCode.DEADLINE_EXCEEDED,
        f"The query was stopped after {seconds:g} seconds. It has no result.",
        "Make it read or compute less: filter by key or by an index (see explain_sql).",
    )


def not_kept() -> Failure:
    """The result of an authentic cursor has expired or gave way to others."""
    return Failure(
        FailureCode.CURSOR_EXPIRED,
        "The result that this cursor continues is no longer kept.",
        "Run the statement again without a cursor.",
    )


def read_otherwise() -> Failure:
    """The table, its columns or its indexes are not what they were when the cursor was made."""
    return Failure(
        FailureCode.CURSOR_EXPIRED,
        "What is known of the table has changed, so that the cursor no longer says where the next page starts.",
        "Run the statement again without a cursor.",
    )


def spool_unavailable() -> Failure:
    """What keeps results between pages does not answer."""
    return Failure(
        FailureCode.SOURCE_UNAVAILABLE,
        "The next page cannot be had at the moment: what keeps results between pages does not answer.",
        "Repeat the call with the same cursor in a few seconds.",
        retry_after_seconds=BUSY_SECONDS,
    )


def usage_unavailable() -> Failure:
    """What keeps usage does not answer."""
    return Failure(
        FailureCode.SOURCE_UNAVAILABLE,
        "What was read cannot be told at the moment: what keeps it does not answer.",
        "Repeat the call in a few seconds; queries work as ever.",
        retry_after_seconds=BUSY_SECONDS,
    )


def no_later_pages() -> str:
    """The warning of a first page after which none can come."""
    return (
        "Only the first rows are here: what keeps results between pages does not answer. Repeat the statement for a "
        "cursor, or ask for fewer rows."
    )


def evaluation_lost() -> Failure:
    """The evaluation ended without an answer twice."""
    return Failure(
        FailureCode.INTERNAL_ERROR,
        "The process that evaluates the query ended unexpectedly, twice.",
        "Run the statement again; if it fails again, make it read or compute less.",
    )


def type_conflict(conflict: SchemaConflict) -> Failure:
    """Items hold values that not even the widened columns carry. What was learnt is kept: another run goes further."""
    columns = ", ".join(f'"{name}"' for name in conflict.columns)
    return Failure(
        FailureCode.TYPE_CONFLICT,
        f'Items of table "{conflict.table.name}" hold values of unexpected types in {columns}.',
        "Run the statement again: the new types are known now. A type declared in the schemas file settles it.",
    )


def evaluation_error(error: EvaluationError, reads: Sequence[Read], position: Position | None) -> Failure:
    """The failure in terms of the statement: its table names, and the position of the error."""
    names = {read.relation.name: read.relation.table.name for read in reads}
    message = _INTERNAL_NAME.sub(r"\1", error.message)
    if names:
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b")
        message = pattern.sub(lambda match: names[match.group()], message)
    return Failure(error.code, message, error.next_action, position=position)


def warnings(reads: Sequence[Read]) -> tuple[str, ...]:
    """What a reader of the rows should know: columns read as text or rounded, indexes that would have helped."""
    found: dict[str, None] = {}
    for read in reads:
        table = read.relation.table
        for column in read.relation.columns:
            for note in column.notes:
                found[f'Column "{column.name}" of "{table.name}": {note}.'] = None
        for index in read.rejected:
            way = "scanned" if read.access == "Scan" else f"read through {read.index}"
            use = f'Index "{index.name}" ({index.saving}) was not used: {index.reason}.'
            found[f'Table "{table.name}" was {way}. {use}'] = None
    return tuple(found)


def from_zero(lists: Sequence[str]) -> tuple[str, ...]:
    """The lists of which a statement asked for place 0."""
    return tuple(f"Lists count from 1, so place 0 of {name} is always NULL; the first is [1]." for name in lists)


def no_numbers(counts: Mapping[tuple[str, str, str], int]) -> tuple[str, ...]:
    """How many of the values read did not match since they are no numbers, by schema, table and column."""
    return tuple(
        f'Of the values of "{column}" of "{table}" that were read, {count:,} {"is" if count == 1 else "are"} no number '
        "and matched no condition on numbers."
        for (_, table, column), count in sorted(counts.items())
        if count
    )


def unshown(attributes: Mapping[tuple[str, str], Collection[str]]) -> tuple[str, ...]:
    """What a reader of `*` should know of it: attributes of the items read, by schema and table, without a column."""
    return tuple(_unshown(table, sorted(names)) for (_, table), names in sorted(attributes.items()))


def _unshown(table: str, names: Sequence[str]) -> str:
    first = ", ".join(f'"{name}"' for name in names[:NAMED])
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return (
        f'Items of "{table}" have attributes that * does not show, as no sample had them: {first}{more}. '
        "Name them to read them."
    )


def computed_units(reads: Sequence[Read], schemas: Mapping[str, Schema]) -> tuple[str, ...]:
    """What a plan's text says of read units that are not AWS's own."""
    computed = {read.relation.table.schema for read in reads} & {
        name for name, schema in schemas.items() if schema.endpoint_url is not None
    }
    return tuple(
        f'Read units of schema "{name}" are computed from item sizes: its endpoint is not AWS.'
        for name in sorted(computed)
    )


def read_by_page() -> str:
    """What a plan's text says of a statement whose pages are read one by one."""
    return "These are the figures of all pages. A page reads until it is full, and the next one goes on from there."


def cut(rows: int) -> str:
    """The warning that the result is larger than what is kept."""
    return f"The result was cut after {rows:,} rows, the most that one result may have."
