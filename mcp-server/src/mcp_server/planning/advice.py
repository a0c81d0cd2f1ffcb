"""How the key of a table or of an index is queried, by the planner's own rules."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mcp_server.domain.failures.scans import LargeTable
from mcp_server.domain.names import quoted
from mcp_server.domain.schema import Index, KeyAttribute, Table
from mcp_server.domain.virtual_table import Template
from mcp_server.planning.key_paths import columns_of_key, obstacle
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
        return Advice(_conjoined(_equal(table, table.hash_key) or _within(table, table.key[:1], table.key[1:])))
    base = {key.name for key in table.key}
    said: list[Predicate] = [Comparison(key.name, "=", "") for key in index.hash_keys]
    texts = _equal(table, *index.hash_keys)
    for key in index.range_keys:
        column = table.column(key.name)
        if index.kind == "LSI":  # without a range the table itself would do as well
            said.append(Comparison(key.name, ">=", ""))
            texts += [f"{quoted(part)} >= ?" for part in columns_of_key(table, key)[:1]]
        elif _begins_alike(table, key):
            said.append(IsNotNull(key.name))
        elif key.name not in base and (column is None or column.nullable):
            said.append(IsNotNull(key.name))
            texts.append(f"{quoted(key.name)} IS NOT NULL")
    reason = obstacle(index, table, said, consistent=False)
    if reason is not None:
        return Advice(None, reason)
    partial, unknown = index.projected is not None, index.partition_items is None
    condition = _conjoined(texts or _within(table, index.hash_keys, index.range_keys))
    return Advice(condition, lookup=partial and not unknown, unknown=partial and unknown)


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


def _equal(table: Table, *keys: KeyAttribute) -> list[str]:
    """Conditions that name a partition; none where all items of a virtual table are in one."""
    return [f"{quoted(part)} = ?" for key in keys for part in columns_of_key(table, key)]


def _within(table: Table, hash_keys: Sequence[KeyAttribute], range_keys: Sequence[KeyAttribute]) -> list[str]:
    """Conditions that name some of the items of a virtual table that are all in one partition."""
    parts = [part for key in range_keys for part in columns_of_key(table, key)[:1]]
    return [f"{quoted(part)} = ?" for part in parts or [key.name for key in hash_keys]]


def _begins_alike(table: Table, key: KeyAttribute) -> bool:
    """Whether all items of a virtual table have the key, with a text that begins as the planner knows."""
    template = _template(table, key)
    return template is not None and bool(template.pieces[0])


def _template(table: Table, key: KeyAttribute) -> Template | None:
    return None if table.virtual is None else dict(table.virtual.templates).get(key.name)


def _conjoined(texts: Iterable[str]) -> str:
    return " AND ".join(dict.fromkeys(texts))
