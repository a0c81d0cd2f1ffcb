"""How many items share a partition key, as far as a catalogue's sample can tell. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from mcp_server.adapters.decoding.attribute_values import Item
from mcp_server.domain.distribution import distinct_values
from mcp_server.domain.schema import Index, KeyAttribute, Table

_Key = tuple[str, ...]


def with_partition_sizes(table: Table, segments: Sequence[Sequence[Item]]) -> Table:
    """The table, and its indexes, with the mean size of their partitions; `segments` are beginnings of its scan."""
    own = _clustered([_keys(items, (table.hash_key,)) for items in segments], table.item_count)
    sampled = [item for items in segments for item in items]

    def sized(index: Index) -> Index:
        size = (
            own if index.kind == "LSI" else _scattered(_keys(sampled, index.hash_keys), len(sampled), table.item_count)
        )
        return replace(index, partition_items=size)

    return replace(table, partition_items=own, indexes=tuple(map(sized, table.indexes)))


def _keys(items: Sequence[Item], attributes: Sequence[KeyAttribute]) -> list[_Key]:
    """The partition keys of those items that have one."""
    names = [attribute.name for attribute in attributes]
    return [tuple(str(item[name]) for name in names) for item in items if all(name in item for name in names)]


def _clustered(segments: Sequence[Sequence[_Key]], count: int) -> float | None:
    """A scan yields partitions whole and one after the other; only the last one of a segment may go on beyond it.

    None where no partition ends within the sample.
    """
    if sum(map(len, segments)) >= count:
        return _mean(list(Counter(key for keys in segments for key in keys).values()))
    runs = [[len(list(run)) for _key, run in groupby(keys)] for keys in segments if keys]
    whole = [size for run in runs for size in run[:-1]]
    mean = _mean(whole)
    return None if mean is None else _mean([*whole, *(run[-1] for run in runs if run[-1] > mean)])


def _mean(sizes: Sequence[int]) -> float | None:
    return sum(sizes) / len(sizes) if sizes else None


def _scattered(keys: Sequence[_Key], sampled: int, count: int) -> float | None:
    """The keys of an index come in the order of the table's, so any items of a partition may be in the sample."""
    if not keys:
        return None
    held = max(len(keys), count * len(keys) / sampled)
    return held / distinct_values(Counter(keys), held)
