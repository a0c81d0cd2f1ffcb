"""Reads that stop when a page is full, and where the next page goes on: after the last key that was handed out. Pure.

DynamoDB goes on after any key, also of an item that was deleted since, so a page may end at any item. An item that is
there throughout is read exactly once; one whose index key changes meanwhile may be read twice, or not at all.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcp_server.domain.schema import ColumnType, TypeKind
from mcp_server.planning.attribute_values import natural_type
from mcp_server.planning.expressions import fits
from mcp_server.planning.pinned import keys_of
from mcp_server.planning.plan import Read, Request

Key = Mapping[str, Mapping[str, Any]]
"""A key in DynamoDB's JSON: that of the table, and that of the index where one is read."""

FEW_ITEMS, MANY_ITEMS = 100, 5_000
"""Items that are looked at first for rows that meet conditions; above so many, a response is as large as it can be."""
PARALLEL_REQUESTS = 8

_NUMBERS = frozenset({TypeKind.BIGINT, TypeKind.DECIMAL, TypeKind.DOUBLE})
_PAGING = frozenset({"Limit", "Segment", "TotalSegments"})


@dataclass(frozen=True, slots=True)
class Stream:
    """What a statement makes of its table's items, some of them at a time.

    `statement` yields the rows in the order of the items, the number of a row's item in its last column. `order` is the
    column, if any, by which the items have to come. `computed` are the columns of which something is made, or asked,
    that depends on their types; of `calculated` ones it is the same for all types of numbers. Of the rows, the first
    `limit` ones are wanted, if that is said, but for the first `offset` of these.
    """

    statement: str
    order: str | None = None
    descending: bool = False
    computed: frozenset[str] = frozenset()
    calculated: frozenset[str] = frozenset()
    limit: int | None = None
    offset: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether it can be told after any row what is left to be read: no rows are to be skipped first."""
        return self.offset == 0


@dataclass(frozen=True, slots=True)
class Position:
    """How far the requests of a read have come.

    `begun` ones go on after their key, or from their start; those from `rest` on were not begun; all others are done.
    """

    begun: tuple[tuple[int, Key | None], ...] = ()
    rest: int = 0


START = Position()


def next_limit(limit: int, looked_at: int, found: float, missing: float) -> int | None:
    """How many items a response is to look at, after those that looked at so many; None: as many as it can."""
    enough = int(missing * looked_at * 5 // (found * 4)) if found else 4 * limit
    return further if (further := max(limit, enough)) <= MANY_ITEMS else None


def resumable(read: Read, stream: Stream, *, requests: int | None = None) -> Read | None:
    """The read as one that can stop at any item, None if it cannot; with as many `requests` as it was begun with."""
    if read.access not in ("Query", "Scan") or read.enough is not None:
        return None
    if stream.order is not None and not _comes_in_order(read, stream.order):
        return None
    lookup = read.lookup
    if lookup is not None and (lookup := _with_keys(lookup, read)) is None:
        return None
    made: list[Request] = []
    for request in read.requests:
        arguments = _with_keys(request.arguments, read)
        if arguments is None:
            return None
        made.append(replace(request, arguments=arguments | ({"ScanIndexForward": False} if stream.descending else {})))
    if read.access == "Scan" and requests is not None:
        made = _segments(made[0], requests)
    return replace(read, requests=tuple(made), lookup=lookup) if requests in (None, len(made)) else None


def route(read: Read, stream: Stream) -> str:
    """A digest of what a position in a read depends on: table, index, conditions on keys and the names of columns.

    Also the types of columns of which something is made: a later page would make something else of another type.
    """
    table = read.relation.table
    requests = [keys_of([one]) for one in read.requests]  # no position depends on filters
    said = [
        *(table.schema, table.physical_name, [key.name for key in table.key], read.access, read.index),
        *([column.name for column in read.relation.columns], stream.order, stream.descending),
        [column.type.sql for column in read.relation.columns if column.name in stream.computed],
        [_family(column.type) for column in read.relation.columns if column.name in stream.calculated],
        requests[:1] if read.access == "Scan" else requests,
    ]
    said.append(list(key_names(read)))
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=repr).encode()).hexdigest()[:16]


def _family(type_: ColumnType) -> str:
    """A type as far as values mean the same: a wider one for numbers is no other."""
    return "number" if type_.kind in _NUMBERS else type_.sql


def key_names(read: Read) -> tuple[str, ...]:
    """The attributes that say where a read stands."""
    table = read.relation.table
    index = next((one for one in table.indexes if one.name == read.index), None)
    more = (*index.hash_keys, *index.range_keys) if index is not None else ()
    return tuple(dict.fromkeys(key.name for key in (*table.key, *more)))


def _comes_in_order(read: Read, name: str) -> bool:
    """Whether the items come by that column: one partition's, whose first sort key it is.

    Items that are fetched by key may have another value of it by then.
    """
    table = read.relation.table
    index = next((one for one in table.indexes if one.name == read.index), None)
    own = (table.range_key,) if table.range_key is not None else ()
    sort_keys = own if index is None else index.range_keys
    column = table.column(name)
    if read.access != "Query" or read.lookup is not None or len(read.requests) != 1 or not sort_keys or column is None:
        return False
    return sort_keys[0].name == name and natural_type(column) == sort_keys[0].type


def _with_keys(arguments: Mapping[str, Any], read: Read) -> dict[str, Any] | None:
    """The arguments without a limit, and with the keys among what is asked for; None where that is too much to say."""
    kept = {name: value for name, value in arguments.items() if name != "Limit"}
    projection = kept.get("ProjectionExpression")
    if projection is None:
        return kept
    names: dict[str, str] = dict(kept.get("ExpressionAttributeNames", {}))
    placeholders = {name: placeholder for placeholder, name in names.items()}
    asked = {names.get(part) for part in projection.split(", ")}
    parts = [projection]
    for number, name in enumerate(key_names(read)):
        if name not in asked:
            placeholder = placeholders.get(name, f"#k{number}")
            names[placeholder] = name
            parts.append(placeholder)
    wanted = ", ".join(parts)
    return kept | {"ProjectionExpression": wanted, "ExpressionAttributeNames": names} if fits(wanted) else None


def _segments(request: Request, count: int) -> list[Request]:
    whole = {name: value for name, value in request.arguments.items() if name not in _PAGING}
    if count == 1:
        return [replace(request, arguments=whole)]
    return [
        replace(request, arguments=whole | {"Segment": segment, "TotalSegments": count}) for segment in range(count)
    ]
