"""Reads of a disjunction whose parts name different keys: one by each of them, united by primary key. Pure.

`pk = 'a' OR customer = 7`: every row is in the partition of the table, or in that of the index. An item may be in both,
so all branches read the primary key, and an item counts where it is met first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from mcp_server.domain.schema import Table
from mcp_server.planning.estimates import united_estimate
from mcp_server.planning.key_conditions import leaves
from mcp_server.planning.key_paths import MAX_KEYS, MAX_QUERIES
from mcp_server.planning.plan import Conjunct, Read, Relation
from mcp_server.planning.predicate import AnyOf, Predicate, columns_of

MOST_BRANCHES = 20
"""Each is planned like a statement of its own."""


ByKey = Callable[[Relation, list[Predicate]], Read | None]
"""What reads a relation by a key, given all that is said of its rows; None where no key is named."""


def unions(relation: Relation, said: Sequence[Predicate], by_key: ByKey, *, consistent: bool) -> Iterator[Read]:
    """The reads that unite one by a key for each part of a disjunction among the conjoined predicates."""
    for leaf in _disjunctions(relation.table, said):
        others = [one for one in leaves(said) if one is not leaf]
        text = _text(relation, leaf)
        reads: list[Read] = []
        for part in leaf.parts:
            read = by_key(_branch(relation, Conjunct(text, part, faithful=False)), [*others, part])
            if read is None:
                break
            reads.append(read)
        else:
            union = _united(relation, text, reads, consistent=consistent)
            if union is not None:
                yield union


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
    queries = sum(len(read.requests) for read in branches if read.access == "Query")
    keys = sum(len(one.arguments["Keys"]) for read in branches if read.access == "GetItem" for one in read.requests)
    if queries > MAX_QUERIES or keys > MAX_KEYS or len({read.index for read in branches}) < 2:
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
