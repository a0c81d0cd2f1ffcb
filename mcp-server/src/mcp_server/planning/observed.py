"""What reads took when they were made before, and the names under which that is found again. Pure."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mcp_server.domain.schema import KeyAttribute
from mcp_server.planning.estimates import both_estimates, keys_estimate, observed_estimate
from mcp_server.planning.plan import Estimate, Read, Relation, Request

_PLACEHOLDER = re.compile(r"[#:]\w+")
_LITERAL = re.compile(r"(?P<with>\b(?:I?LIKE|GLOB) )?'(?P<text>(?:[^']|'')*)'|\b\d+(?:\.\d+)?\b")
_PLAIN, _PLAIN_IN_GLOB = re.compile(r"[^%_]+"), re.compile(r"[^*?\[\]]+")
"""What of a pattern is no wildcard."""

Name = tuple[Any, ...]
"""What tells a request or a read from others of its table. Its repr is the same for the same."""


@dataclass(frozen=True, slots=True)
class Took:
    """What was read: items looked at, pages, and read units as if it had been eventually consistent."""

    items: float
    pages: float
    read_units: float

    def __add__(self, other: "Took") -> "Took":
        """Both together."""
        return Took(self.items + other.items, self.pages + other.pages, self.read_units + other.read_units)

    def times(self, factor: float) -> "Took":
        """So many times as much."""
        return Took(self.items * factor, self.pages * factor, self.read_units * factor)

    def toward(self, other: "Took", share: float) -> "Took":
        """The mean of both, by their logarithms, in which the other has that share; zero counts as a half.

        A mean of sizes that differ a thousandfold is that of the largest; this one is off by the least factor.
        """
        return Took(*(_mean(one, two, share) for one, two in zip(_parts(self), _parts(other), strict=True)))


NOTHING = Took(0, 0, 0)

Known = Callable[[Name], Took | None]
"""What the read of that name took the last time; None where it was not made."""


def _parts(took: Took) -> tuple[float, float, float]:
    return took.items, took.pages, took.read_units


def _mean(one: float, other: float, share: float) -> float:
    return math.exp((1 - share) * math.log(max(one, 0.5)) + share * math.log(max(other, 0.5)))


def hash_keys_of(read: Read) -> tuple[KeyAttribute, ...]:
    """The attributes of the partition key by which a Query reads."""
    table = read.relation.table
    return next((index.hash_keys for index in table.indexes if index.name == read.index), (table.hash_key,))


def query_name(read: Read, number: int) -> Name:
    """The name of a Query among a read's requests: the index, the partition's key, and what its sort keys have to meet.

    Filters do not belong to it, since they change nothing in what is looked at.
    """
    conditions = _conditions(read.requests[number])
    keys = len(hash_keys_of(read))
    return "Query", read.index, tuple(conditions[:keys]), tuple(conditions[keys:])


def whole(name: Name) -> Name | None:
    """The name of the Query of the whole partition; None where it is that one."""
    return (*name[:3], ()) if name[3] else None


def _conditions(request: Request) -> list[str]:
    arguments = request.arguments
    names: Mapping[str, str] = arguments.get("ExpressionAttributeNames", {})
    values: Mapping[str, Any] = arguments.get("ExpressionAttributeValues", {})

    def meant(placeholder: re.Match[str]) -> str:
        text = placeholder[0]
        return repr(names[text] if text in names else values[text])

    # The values stand for themselves only after the expression is taken apart, so none can look like a part of it.
    expression: str = arguments["KeyConditionExpression"]
    return [_PLACEHOLDER.sub(meant, part) for part in expression.split(" AND ")]


SCAN: Name = ("Scan",)
"""All of a table."""

KEY: Name = ("Key",)
"""One of the primary keys of a table, on average."""


def read_name(read: Read) -> Name:
    """The name of all that a read does, whichever of what it reads its table has."""
    return ("Read", read.access, read.index, *(conjunct.text for conjunct in read.relation.conjuncts))


def keys_of(read: Read) -> int:
    """How many primary keys a read names."""
    return sum(len(one.arguments["Keys"]) for one in read.requests if one.operation == "BatchGetItem")


def stage_names(read: Read, sources: Mapping[str, tuple[Relation, Read]]) -> tuple[Name, Name]:
    """Two names of a read that waits for others: for the very same conditions, and for such with any values.

    A pattern with other wildcards is another condition: far fewer texts begin with a word than have it anywhere.
    `sources` has each relation as the statement refers to it, and the read that yields its rows.
    """
    exact: Name = ("Stage", read.index, *_described(read.relation, read, sources))
    return exact, tuple(_LITERAL.sub(_any_value, one) if isinstance(one, str) else one for one in exact)


def _any_value(literal: re.Match[str]) -> str:
    operator = literal["with"]
    if operator is None:
        return "?"
    plain = _PLAIN_IN_GLOB if operator == "GLOB " else _PLAIN
    return operator + plain.sub("?", literal["text"])


def _described(relation: Relation, read: Read, sources: Mapping[str, tuple[Relation, Read]]) -> Name:
    """What decides which rows of a relation are there."""
    conditions = "; ".join(conjunct.text for conjunct in relation.conjuncts)
    said: Name = (relation.table.schema, relation.table.name, conditions)
    if read.stage is None:
        return said
    link = read.stage.link
    named = (
        part for source in link.sources for part in (source.columns, *_described(*sources[source.relation], sources))
    )
    return (*said, link.columns, *named)


def observed(read: Read, known: Known, sources: Mapping[str, tuple[Relation, Read]]) -> Estimate | None:
    """What a read takes, by what it and its parts took before; None where too little of it was made before."""
    if read.stage is not None:
        exact, like = stage_names(read, sources)
        took = known(exact)
        if took is not None:
            return _estimate(read, took)
        took = known(like)
        return None if took is None else replace(_estimate(read, took), confidence="estimated")
    if read.relation.table.virtual is not None or read.access in ("GetItem", "Union"):
        return _whole(read, known)
    if read.access == "Query":
        return _queries(read, known)
    if read.access == "Scan" and read.enough is None:
        took = known(SCAN)
        return None if took is None else _estimate(read, took)
    return None


def _whole(read: Read, known: Known) -> Estimate | None:
    """What the very same read took, or as many keys of the table."""
    took = known(read_name(read)) if read.enough is None else None
    if took is not None:
        return _estimate(read, took)
    each = known(KEY) if read.access == "GetItem" else None
    if each is None:
        return None
    found, keys = _estimate(read, each.times(keys_of(read))), keys_of(read)
    return replace(found, items=keys, pages=read.estimate.pages, confidence="estimated")


def _queries(read: Read, known: Known) -> Estimate | None:
    """The sum of the Queries; one that was not made before counts as estimated, or as its partition if that is less."""
    each = _each_of(read)
    took, certain, told = NOTHING, True, False
    for number in range(len(read.requests)):
        name = query_name(read, number)
        found, partition = known(name), None
        if found is None:
            certain, partition = False, known(whole(name) or name)
        told |= found is not None or partition is not None
        took += found or (partition if partition is not None and partition.items < each.items else each)
    if not told or (read.enough is not None and took.items > read.enough):
        return None
    estimate = _estimate(read, took)
    if read.lookup is not None:
        items = keys_estimate(read.relation.table, round(took.items), consistent=read.consistent)
        estimate = both_estimates(estimate, replace(items, confidence=estimate.confidence))
    return replace(estimate, confidence="estimated") if not certain else estimate


def _each_of(read: Read) -> Took:
    """What one of a read's Queries is estimated to take."""
    estimate, consistency = read.estimate, 2.0 if read.consistent else 1.0
    keys = Took(estimate.items, estimate.pages, estimate.read_units / consistency)
    if read.lookup is not None:
        items = keys_estimate(read.relation.table, estimate.items, consistent=False)
        keys = Took(keys.items, keys.pages - items.pages, keys.read_units - items.read_units)
    return keys.times(1 / max(1, len(read.requests)))


def _estimate(read: Read, took: Took) -> Estimate:
    parallel = len(read.requests) if read.access == "Scan" and read.requests else 1
    items, pages = round(took.items), math.ceil(took.pages)
    return observed_estimate(items, pages, took.read_units, consistent=read.consistent, parallel=parallel)
