"""How the key of a table or of an index is queried, by the planner's own rules."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mcp_server.domain.failures.scans import LargeTable
from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Index, KeyAttribute, Table
from mcp_server.planning.key_paths import obstacle
from mcp_server.planning.plan import Read
from mcp_server.planning.predicate import Comparison, IsNotNull, Predicate


@dataclass(frozen=True, slots=True)
class Advice:
    """A condition that is read by key, `?` standing for values; None with the `reason` where there is none.

    `lookup` tells that columns the index does not hold are fetched by their items' keys; `unknown` that they are not,
    since nothing tells how many items that would be.
    """

    condition: str | None
    reason: str | None = None
    lookup: bool = False
    unknown: bool = False


def advice(table: Table, index: Index | None) -> Advice:
    """How to query an index of the table, or its primary key."""
    if index is None:
        return Advice(_equal(table.hash_key))
    base = {key.name for key in table.key}
    said: list[Predicate] = [Comparison(key.name, "=", "") for key in index.hash_keys]
    texts = [_equal(key) for key in index.hash_keys]
    for key in index.range_keys:
        column = table.column(key.name)
        if index.kind == "LSI":  # without a range the table itself would do as well
            said.append(Comparison(key.name, ">=", ""))
            texts.append(f"{quoted(key.name)} >= ?")
        elif key.name not in base and (column is None or column.nullable):
            said.append(IsNotNull(key.name))
            texts.append(f"{quoted(key.name)} IS NOT NULL")
    reason = obstacle(index, table, said, consistent=False)
    if reason is not None:
        return Advice(None, reason)
    partial, unknown = index.projected is not None, index.partition_items is None
    return Advice(" AND ".join(texts), lookup=partial and not unknown, unknown=partial and unknown)


def large_table(read: Read) -> LargeTable:
    """What is to be said of a scan: how its table is read by key instead."""
    return LargeTable(read.relation.table.name, tuple(_queries(read.relation.table)), read.rejected)


def scanned(reads: Iterable[Read]) -> tuple[LargeTable, ...]:
    """The tables of those of the reads that are scans, each once."""
    return tuple(dict.fromkeys(large_table(read) for read in reads if read.access == "Scan"))


def _queries(table: Table) -> Iterator[str]:
    for index in (None, *(one for one in table.indexes if one.active)):
        keys = (table.hash_key,) if index is None else index.hash_keys
        given = advice(table, index)
        # A virtual table hides attributes that it takes apart, and a rule may hide any.
        seen = all(table.column(key.name) is not None for key in keys)
        if given.condition is not None and seen and not given.unknown:
            yield given.condition


def _equal(key: KeyAttribute) -> str:
    return f"{quoted(key.name)} = ?"
