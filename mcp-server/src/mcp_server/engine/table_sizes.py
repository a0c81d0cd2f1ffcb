"""What is known of the sizes of tables and partitions from reads, for choosing how to read.

They are shared by all who see a table alike, so only statements of that one table teach them. A plan counts while its
tables are the very same objects: another table is handed out only when a figure is off by more than a factor.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mcp_server.domain.restriction import Restriction
from mcp_server.domain.schema import Table
from mcp_server.engine.bounded import Bounded
from mcp_server.planning.estimates import UNIT_BYTES
from mcp_server.planning.observed import Took
from mcp_server.sql.tables import TableName
from shared_kernel.clock import Clock

OFF = 2.0
"""By more than this factor a figure has to be off before plans are made anew for it."""

FIGURE_SECONDS = 6 * 3600.0
"""How long the figures of a read count. By then DynamoDB has counted the table's items anew."""

PARTITIONS = 64
"""How many different partitions, of each index, the mean is taken of: the ones that were read last."""

LEAST_PARTITIONS = 8
"""Of so many partitions a mean is taken at least, so that a single large one changes little. Those that were not read
are taken to be as large as those of the sample."""

TABLES = 1_000
"""Of how many tables sizes are kept, as often as callers see them differently."""

_SAMPLES = 4
"""How many samples of a table are told apart: statements that began with an older one may still run."""

_ROUNDING = 8
"""Read units per page from which their rounding matters little."""


@dataclass(frozen=True, slots=True)
class _Figures:
    """A table's items and bytes, and how many items a partition has on average, by index; None is the table's own."""

    items: int
    bytes: int
    partitions: Mapping[str | None, float | None]

    def differ(self, other: "_Figures") -> bool:
        """Whether some figure is off by more than the factor."""
        means = ((one, other.partitions[index]) for index, one in self.partitions.items())
        return any(_differ(one, two) for one, two in ((self.items, other.items), (self.bytes, other.bytes), *means))


def _differ(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return max(one, other, 1.0) > OFF * max(min(one, other), 1.0)


class _Partitions:
    """The partitions that were read last."""

    def __init__(self) -> None:
        self._logarithms: OrderedDict[bytes, float] = OrderedDict()
        self._sum = 0.0

    def keep(self, name: bytes, items: float) -> None:
        self._sum -= self._logarithms.pop(name, 0.0)
        self._logarithms[name] = math.log(items)
        self._sum += self._logarithms[name]
        if len(self._logarithms) > PARTITIONS:
            self._sum -= self._logarithms.popitem(last=False)[1]

    def mean(self, sampled: float | None) -> float:
        """The geometric mean: partitions differ by orders of magnitude, and another would be that of the largest."""
        weight = 0 if sampled is None else max(0, LEAST_PARTITIONS - len(self._logarithms))
        logarithms = weight * math.log(max(sampled or 1.0, 1.0)) + self._sum
        return math.exp(logarithms / (weight + len(self._logarithms)))


@dataclass(slots=True)
class _Sizes:
    """What was read of one table."""

    scanned: tuple[Took, float, int] | None = None
    """What the last Scan took, when it was made, on the monotonic clock, and the items that the sample told then."""
    partitions: dict[str | None, _Partitions] = field(default_factory=dict)
    handed: OrderedDict[int, tuple[Table, Table, _Figures]] = field(default_factory=OrderedDict)
    """By the id of a table as it was sampled: itself, what is handed out for it, and the figures of that."""


class TableSizes:
    """The sizes of tables, corrected by what was read of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables: Bounded[tuple[str, str, Restriction | None], _Sizes] = Bounded(entries=TABLES, weight=8 * TABLES)

    def sized(self, tables: Mapping[TableName, Table]) -> Mapping[TableName, Table]:
        """The tables, in which figures that are off by more than the factor are replaced by those of reads."""
        if not len(self._tables):
            return tables
        return {name: self._sized(table) for name, table in tables.items()}

    def _sized(self, table: Table) -> Table:
        sizes = self._tables.get(_key(table)) if not table.is_partial else None
        if sizes is None:
            return table
        handed = sizes.handed.get(id(table))
        if handed is None:
            sampled = _figures(table)
            known = self._known(sizes, sampled)
            handed = (table, _with(table, known), known) if known.differ(sampled) else (table, table, sampled)
            sizes.handed[id(table)] = handed
            if len(sizes.handed) > _SAMPLES:
                sizes.handed.popitem(last=False)
        return handed[1]

    def scanned(self, table: Table, took: Took) -> None:
        """Learns from the Scan of a whole table."""
        sizes = self._of(table)
        sampled = next((one for one, handed, _ in sizes.handed.values() if handed is table), table)
        sizes.scanned = took, self._clock.monotonic(), sampled.item_count
        self._look_again(sizes)

    def queried(self, table: Table, index: str | None, name: bytes, items: float) -> None:
        """Learns from the Query of a whole partition, by a name that no other has. One without items is none."""
        if items:
            sizes = self._of(table)
            sizes.partitions.setdefault(index, _Partitions()).keep(name, items)
            self._look_again(sizes)

    def forget(self, table: Table) -> None:
        """Forgets what is known of a table."""
        self._tables.drop(_key(table))

    def _of(self, table: Table) -> _Sizes:
        sizes = self._tables.get(_key(table))
        if sizes is None:
            sizes = _Sizes()
            self._tables.put(_key(table), sizes, 1)
        return sizes

    def _look_again(self, sizes: _Sizes) -> None:
        """Lets go of the tables whose figures are off by now."""
        for place, (table, _, figures) in list(sizes.handed.items()):
            if self._known(sizes, _figures(table)).differ(figures):
                del sizes.handed[place]

    def _known(self, sizes: _Sizes, sampled: _Figures) -> _Figures:
        items, size = sampled.items, sampled.bytes
        if sizes.scanned is not None:
            took, at, counted = sizes.scanned
            # Once DynamoDB tells another number, that is the newer one.
            if counted == sampled.items and self._clock.monotonic() - at <= FIGURE_SECONDS:
                items, size = _counted(sampled, took)
        seen = sizes.partitions
        means = {index: seen[index].mean(one) if index in seen else one for index, one in sampled.partitions.items()}
        return _Figures(items, size, means)


def _key(table: Table) -> tuple[str, str, Restriction | None]:
    return table.schema, table.name, table.restriction


def _figures(table: Table) -> _Figures:
    means: dict[str | None, float | None] = {None: table.partition_items}
    means.update({index.name: index.partition_items for index in table.indexes})
    return _Figures(table.item_count, table.size_bytes, means)


def _counted(sampled: _Figures, took: Took) -> tuple[int, int]:
    """Items and bytes by a Scan: items have the size that they were known to have, unless its read units deny it."""
    items, read = round(took.items), round(took.read_units * 2 * UNIT_BYTES)
    if sampled.items and sampled.bytes:
        size = round(items * sampled.bytes / sampled.items)
        if took.read_units < _ROUNDING * took.pages or not _differ(size, read):
            return items, size
    return items, read if items else 0


def _with(table: Table, figures: _Figures) -> Table:
    return replace(
        table,
        item_count=figures.items,
        size_bytes=figures.bytes,
        partition_items=figures.partitions[None],
        indexes=tuple(replace(one, partition_items=figures.partitions[one.name]) for one in table.indexes),
    )
