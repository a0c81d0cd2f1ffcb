"""Reads of a disjunction whose parts name different keys: one by each of them, united by primary key. Pure.

`pk = 'a' OR customer = 7`: every row is in the partition of the table, or in that of the index. An item may be in both,
so all branches read the primary key, and an item counts where it is met first.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mcp_server.domain.rejected_index import RejectedIndex
from mcp_server.domain.schema import Table
from mcp_server.planning.estimates import united_estimate
from mcp_server.planning.key_conditions import leaves
from mcp_server.planning.key_paths import MAX_KEYS, MAX_QUERIES
from mcp_server.planning.path_estimates import Rejected, path_estimate
from mcp_server.planning.plan import Conjunct, Estimate, Read, Relation
from mcp_server.planning.predicate import AnyOf, Predicate, columns_of
from mcp_server.planning.way import Way

MOST_BRANCHES = 20
"""Each is planned like a statement of its own."""

WaysByKey = Callable[[Relation, list[Predicate]], tuple[list[Way], list[Rejected]]]
"""The ways by a key to read a relation, given all that is said of its rows, and those that are not open to it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a disjunction: the relation that it leaves, the cheapest way by a key to read that, others not open.

    There is at least one of these.
    """

    branch: Relation
    way: Way | None
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """A condition, as SQL for people, and its parts, each of which names a key."""

    text: str
    parts: tuple[Part, ...]


def disjunctions(relation: Relation, said: Sequence[Predicate], ways_by_key: WaysByKey) -> Iterator[Disjunction]:
    """The disjunctions among the conjoined predicates each of whose parts names a key."""
    for leaf in _disjunctions(relation.table, said):
        others = [one for one in leaves(said) if one is not leaf]
        text = _text(relation, leaf)
        parts: list[Part] = []
        for part in leaf.parts:
            branch = _branch(relation, Conjunct(text, part, faithful=False))
            ways, rejected = ways_by_key(branch, [*others, part])
            if not ways and not rejected:
                break
            cheapest = min(ways, key=lambda one: (one.estimate.read_units, one.rank), default=None)
            parts.append(Part(branch, cheapest, tuple(rejected)))
        else:
            yield Disjunction(text, tuple(parts))


def united(relation: Relation, disjunction: Disjunction, *, consistent: bool) -> Read | None:
    """The read that unites one by a key for each part; None where a part has none, or they are no union."""
    ways = [part.way for part in disjunction.parts if part.way is not None]
    if len(ways) < len(disjunction.parts):
        return None
    return _united(relation, disjunction.text, [way.read() for way in ways], consistent=consistent)


def helpful_in_unions(
    either: Iterable[Disjunction], instead_of: float, *, consistent: bool
) -> tuple[RejectedIndex, ...]:
    """The indexes by which a union would take fewer units than `instead_of`, were they open to its parts."""
    found: dict[str, RejectedIndex] = {}
    for one in (one for one in either if any(part.rejected for part in one.parts)):
        lacking, units = _cheapest_if_open(one, consistent=consistent)
        for name, index in lacking.items() if units < instead_of else ():
            others = " and ".join(f'"{other}"' for other in lacking if other != name)
            reason = f"{index.reason}; the OR needs index {others}, too" if others else index.reason
            if name not in found or units < found[name].read_units:
                found[name] = RejectedIndex(name, reason, units, instead_of)
    return tuple(found.values())


def _cheapest_if_open(disjunction: Disjunction, *, consistent: bool) -> tuple[dict[str, RejectedIndex], float]:
    """The indexes that the cheapest union would read if it could, and what it would take; none where it is no union."""
    lacking: dict[str, RejectedIndex] = {}
    estimates: list[Estimate] = []
    reads: list[Read] = []
    queries_of_lacking = 0
    for part in disjunction.parts:
        closed = [
            (path_estimate(part.branch, path, consistent=consistent), path, index) for path, index in part.rejected
        ]
        best = min(closed, key=lambda one: one[0].read_units, default=None)
        if best is not None and (part.way is None or best[0].read_units < part.way.estimate.read_units):
            estimate, path, index = best
            estimates.append(estimate)
            queries_of_lacking += len(path.conditions)
            lacking[index.name] = index
        elif part.way is not None:
            estimates.append(part.way.estimate)
            reads.append(part.way.read())
    queries, keys, indexes = _requests(reads)
    possible = queries + queries_of_lacking <= MAX_QUERIES and keys <= MAX_KEYS and len({*indexes, *lacking}) > 1
    return (lacking if possible else {}), united_estimate(estimates).read_units


def _requests(reads: Iterable[Read]) -> tuple[int, int, set[str | None]]:
    """How many Queries and keys of items the reads ask for, and through which indexes."""
    made = [read for read in reads if read.access != "None"]
    queries = sum(len(read.requests) for read in made if read.access == "Query")
    keys = sum(len(one.arguments["Keys"]) for read in made if read.access == "GetItem" for one in read.requests)
    return queries, keys, {read.index for read in made}


def _disjunctions(table: Table, said: Sequence[Predicate]) -> Iterator[AnyOf]:
    """Those each of whose parts speaks of a partition key, of the table or of an index."""
    found = [leaf for leaf in leaves(said) if isinstance(leaf, AnyOf) and len(leaf.parts) <= MOST_BRANCHES]
    if not found:
        return
    names = {table.hash_key.name, *(key.name for index in table.indexes for key in index.hash_keys)}
    yield from (leaf for leaf in found if not any(names.isdisjoint(columns_of(part)) for part in leaf.parts))


def _branch(relation: Relation, conjunct: Conjunct) -> Relation:
    """The relation as one part of a disjunction leaves it."""
    conjuncts = (*relation.conjuncts, conjunct)
    return replace(relation, conjuncts=conjuncts, goal=None, order=None, only_number=False, keyed=True)


def _united(relation: Relation, text: str, reads: Sequence[Read], *, consistent: bool) -> Read | None:
    """The read that unites those of all branches; None where they are too many, or all by the same key."""
    branches = tuple(read for read in reads if read.access != "None")
    queries, keys, indexes = _requests(branches)
    if queries > MAX_QUERIES or keys > MAX_KEYS or len(indexes) < 2:
        return None
    pushed = dict.fromkeys(one for read in branches for one in read.pushed_filters if one != text)
    residual = dict.fromkeys(one for read in branches for one in read.residual_filters if one != text)
    ways = dict.fromkeys(map(_way, branches))
    return Read(
        relation=relation,
        access="Union",
        index=None,
        reason=f"Each part of an OR names a key: {', '.join(ways)}. An item that several of them yield counts once.",
        requests=(),
        key_condition=text,
        pushed_filters=tuple(pushed),
        residual_filters=tuple(residual),
        estimate=united_estimate([read.estimate for read in branches]),
        consistent=consistent,
        branches=branches,
    )


def _way(read: Read) -> str:
    through = f'index "{read.index}"' if read.index is not None else "the table"
    return f"{read.access} of {through}{', then GetItem' if read.lookup is not None else ''}"


def _text(relation: Relation, leaf: AnyOf) -> str:
    """The condition that the disjunction is of, as SQL for people."""
    found = (one for one in relation.conjuncts if one.predicate is not None and leaf in leaves([one.predicate]))
    return next((one.text for one in found), "")
