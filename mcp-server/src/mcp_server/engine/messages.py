"""What the engine tells its callers of rows: warnings in words."""

import math
from collections.abc import Collection, Mapping, Sequence

from mcp_server.domain.schema import Schema
from mcp_server.planning.plan import Read

NAMED = 10
"""Attributes that a warning names."""

_Counts = Mapping[tuple[str, str, str], int]
"""How many values there are, by the schema and name of a table, and what people call a part of it."""


def no_later_pages() -> str:
    """The warning of a first page after which none can come."""
    return (
        "Only the first rows are here: what keeps results between pages does not answer. Repeat the statement for a "
        "cursor, or ask for fewer rows."
    )


def not_kept(shown: int, rows: int, *, complete: bool) -> str:
    """The warning of a first page after which none can come, since the result is too large to be kept."""
    of = "" if complete else "at least "
    return (
        f"Only the first {shown:,} of {of}{rows:,} rows are here, and {of}{rows - shown:,} are left out: all together "
        "they are larger than a result that is kept between pages. Select fewer columns, aggregate, or read them in "
        "parts, with a condition or LIMIT on each."
    )


def warnings(reads: Sequence[Read]) -> tuple[str, ...]:
    """What a reader of the rows should know: columns read as text or rounded, indexes that would have helped."""
    found: dict[str, None] = {}
    for read in reads:
        table = read.relation.table
        for column in read.relation.columns:
            for note in column.notes:
                found[f'Column "{column.name}" of "{table.name}": {note}.'] = None
        for index in read.rejected:
            use = f'Index "{index.name}" ({index.saving}) was not used: {index.reason}.'
            found[f'Table "{table.name}" was {_way(read)}. {use}'] = None
    return tuple(found)


def _way(read: Read) -> str:
    if read.access == "GetItem":
        return "read by its primary key"
    if read.access == "Scan":
        return "scanned"
    if read.access == "Union":
        return "read by several keys"
    return f'read through index "{read.index}"' if read.index is not None else "read by its partition key"


def from_zero(lists: Sequence[str]) -> tuple[str, ...]:
    """The lists of which a statement asked for place 0."""
    return tuple(f"Lists count from 1, so place 0 of {name} is always NULL; the first is [1]." for name in lists)


def no_numbers(counts: _Counts) -> tuple[str, ...]:
    """How many of the values read did not match since they are no numbers."""
    return _are_none(counts, "number", " and matched no condition on numbers.", " and matched no condition on numbers.")


def no_maps(counts: _Counts) -> tuple[str, ...]:
    """How many of the values read have no fields since they are no maps."""
    return _are_none(counts, "map", ": its fields are NULL.", ": their fields are NULL.")


def no_lists(counts: _Counts) -> tuple[str, ...]:
    """How many of the values read have no elements since they are no lists."""
    return _are_none(counts, "list", ": it has no elements.", ": they have no elements.")


def _are_none(counts: _Counts, what: str, of_one: str, of_several: str) -> tuple[str, ...]:
    """That values are no such thing, and what follows for one of them or several."""
    return tuple(
        f'Of the values of {column} of "{table}" that were read, {count:,} '
        + (f"is no {what}{of_one}" if count == 1 else f"are no {what}{of_several}")
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


def unasked_scan(items: int, read_units: float) -> str:
    """Where a scan ends that nobody allowed."""
    return f"{items:,} items" + (f" or {read_units:,.1f} read units" if read_units < math.inf else "")


def ends_unasked(read: Read, items: int, read_units: float, *, by_page: bool, goes_on: bool) -> str:
    """What a plan's text says of a scan of a large table that may be made unasked; the read has what is likely."""
    likely, table = read.estimate, read.relation.table.name
    end = "the page ends there, and a cursor goes on" if goes_on else "the query fails"
    return (
        f'The scan of "{table}" is likely to {"fill a page" if by_page else "end"} after {likely.items:,} items, '
        f"{likely.read_units:,.1f} read units. After {unasked_scan(items, read_units)} {end}, unless allow_full_scan "
        "is set."
    )


def page_ended(table: str, items: int, read_units: float) -> str:
    """The warning of a page that is not full, since its scan ended unasked."""
    return (
        f'This page is not full: "{table}" was scanned for it to {unasked_scan(items, read_units)}, the most without '
        "allow_full_scan. More rows may follow: next_cursor goes on from there. A condition on a key reads less."
    )


def read_by_page() -> str:
    """What a plan's text says of a statement whose pages are read one by one."""
    return "These are the figures of all pages. A page reads until it is full, and the next one goes on from there."


def cut(rows: int) -> str:
    """The warning that the result is larger than what is kept."""
    return f"The result was cut after {rows:,} rows, the most that one result may have."
