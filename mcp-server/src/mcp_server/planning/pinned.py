"""Reads that go on as they were begun, whatever would be chosen now. Pure.

Figures decide which way a first page is read, and they change: they are learnt from use, by each replica for itself.
The place where a page ended is one on that way alone, so later pages take it too. What it rests on is proved anew: that
the index is there and holds every row that the query can use.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.cursors import PathClosed, ReadOtherwise
from mcp_server.domain.schema import AttributeType, Column, ColumnType, Table, TypeKind
from mcp_server.planning.key_conditions import key_cases
from mcp_server.planning.key_paths import query_paths
from mcp_server.planning.plan import Pin, Read, Relation, Request
from mcp_server.planning.restriction import as_restricted
from mcp_server.planning.virtual import as_virtual
from mcp_server.planning.way import query_way, scan_way

LONGEST_COLUMNS = 16_384
"""Bytes that the names of all columns of `*` may have, to be among what is remembered of a read."""

_PLACEHOLDER = re.compile(r"[#:]\w+")


def pin_of(read: Read) -> Pin:
    """How a read was begun."""
    relation = read.relation
    names = tuple(column.name for column in relation.table.columns)
    # Where all columns are used, a `*` of a subquery may stand for them.
    every = relation.starred or {*names} <= {column.name for column in relation.columns}
    short = every and sum(len(name.encode()) for name in names) <= LONGEST_COLUMNS
    return Pin(read.access, read.index, keys_of(read.requests), names if short else None)


def pinned_read(relation: Relation, pin: Pin, *, consistent: bool) -> Read:
    """The read that goes on as pinned. Raises Failure: cursor_expired."""
    relation = as_restricted(as_virtual(relation))
    if pin.access == "Scan":
        return scan_way(relation, consistent).read()
    predicates = [conjunct.predicate for conjunct in relation.conjuncts if conjunct.predicate is not None]
    for cases in key_cases(relation.table, predicates):
        paths, rejected = query_paths(relation, predicates, cases, consistent)
        open_to_it = {path.index.name for path in paths if path.index is not None}
        for path, index in rejected:  # one whose items are fetched by key is among both
            if path.index is not None and path.index.name == pin.index and pin.index not in open_to_it:
                raise Failure(PathClosed(index.name, index.reason))
        for path in paths:
            if pin.index == (path.index.name if path.index is not None else None):
                read = query_way(relation, path, consistent).read()
                if keys_of(read.requests) == pin.keys:
                    return read
    if pin.index is not None and all(one.name != pin.index for one in relation.table.indexes):
        raise Failure(PathClosed(pin.index, None))
    raise Failure(ReadOtherwise())


def with_pinned_columns(table: Table, pin: Pin) -> Table:
    """The table with the columns that `*` stood for, in their order.

    One that is not known here, since another replica met it, holds nothing until a value of it is met: that is learnt
    like any type that a page meets.
    """
    if pin.columns is None or tuple(column.name for column in table.columns) == pin.columns:
        return table
    known = {column.name: column for column in table.columns}
    unmet = {name: _unmet(table, name) for name in pin.columns if name not in known}
    whole = table.whole
    if whole is not None:  # what is hidden stays among its columns
        left_out = known.keys() - {*pin.columns}
        kept = (one for one in whole.columns if one.name not in left_out)
        whole = replace(whole, columns=(*kept, *unmet.values()))
    known |= unmet
    return replace(table, columns=tuple(known[name] for name in pin.columns), whole=whole)


def _unmet(table: Table, name: str) -> Column:
    """A column of which nothing is known but its name; masked ones are texts."""
    is_masked = table.restriction is not None and name in table.restriction.masked
    types = frozenset({AttributeType.STRING} if is_masked else ())
    return Column(name, ColumnType(TypeKind.VARCHAR), types, presence=0.0)


def keys_of(requests: Sequence[Request]) -> str:
    """A digest of what requests ask of keys, empty where they ask nothing."""
    said = [_key_condition(one.arguments) for one in requests if "KeyConditionExpression" in one.arguments]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16] if said else ""


def _key_condition(arguments: Mapping[str, Any]) -> str:
    """The condition of a request on keys, with names and values in it rather than what stands for them."""
    meant = {**arguments.get("ExpressionAttributeNames", {}), **arguments.get("ExpressionAttributeValues", {})}
    return _PLACEHOLDER.sub(
        lambda found: json.dumps(meant[found.group()], sort_keys=True, default=repr),
        arguments["KeyConditionExpression"],
    )
