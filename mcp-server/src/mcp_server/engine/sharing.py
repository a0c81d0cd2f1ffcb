"""One scan for all references to a table that would each scan it. Pure.

It costs one scan's read units instead of several, and all references see the same items. The table is held by the
relational engine for it, so large tables, whose scan has to be asked for, are still read once per reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcp_server.domain.schema import DOCUMENT
from mcp_server.planning.access_path import plan_read, shared_scan_of
from mcp_server.planning.plan import Read, Relation


@dataclass(frozen=True, slots=True)
class Source:
    """A read and the relations that it feeds: its own, or several through columns of it."""

    read: Read
    relations: tuple[Relation, ...]

    @property
    def shared(self) -> bool:
        """Whether it feeds other relations than its own."""
        return self.relations != (self.read.relation,)

    def positions(self, relation: Relation) -> tuple[int, ...]:
        """Where a relation's columns stand among those of the read, which may have more fields."""
        names = [column.name for column in self.read.relation.columns]
        return tuple(names.index(column.name) for column in relation.columns)


def sources(reads: Sequence[Read]) -> tuple[Source, ...]:
    """The reads that a plan performs."""
    groups: dict[tuple[str, str] | str, list[Read]] = {}
    for read in reads:
        groups.setdefault(shared_scan_of(read) or read.relation.name, []).append(read)
    return tuple(
        Source(group[0], (group[0].relation,)) if len(group) == 1 else _shared(number, group)
        for number, group in enumerate(groups.values())
    )


def _shared(number: int, group: list[Read]) -> Source:
    table = group[0].relation.table
    wanted = {column.name for read in group for column in read.relation.columns}
    columns = tuple(column for column in (*table.columns, DOCUMENT) if column.name in wanted)
    relation = Relation(
        f"s{number}",
        table,
        columns,
        (),
        materialise=True,
        starred=any(read.relation.starred for read in group),
        as_numbers=frozenset().union(*(read.relation.as_numbers for read in group)),
        as_maps=frozenset().union(*(read.relation.as_maps for read in group)),
        as_lists=frozenset().union(*(read.relation.as_lists for read in group)),
    )
    scan = plan_read(relation, consistent=group[0].consistent)
    texts = dict.fromkeys(conjunct.text for read in group for conjunct in read.relation.conjuncts)
    read = replace(
        scan,
        reason=f"{scan.reason} One scan serves {len(group)} references to the table.",
        residual_filters=tuple(texts),
        rejected=tuple(dict.fromkeys(index for read in group for index in read.rejected)),
    )
    return Source(read, tuple(read.relation for read in group))
