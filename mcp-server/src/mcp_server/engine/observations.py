"""What reads took when they were made before: estimates of the same reads say that, to whoever made them.

Only what was read to its end counts: each Query of a partition or a part of it, the Scan of a table, and a read that
waited for others. What was stopped, be it because the rows were enough, by a budget, a failure or a caller who left,
tells nothing. Filters hide nothing, since DynamoDB tells how many items it looked at.

Figures of single reads are kept by caller, so that nobody learns from an estimate what others asked for, or which keys
the rows that others see have named. Nothing is kept of tables of which a rule hides items: what lies between those that
are seen would be told. Of a virtual table only what a whole read took is kept, with the items that belong to it: no
more than the read's caller was told. All of it is lost when the process ends.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from mcp_server.domain.principal import Principal
from mcp_server.domain.schema import Table
from mcp_server.engine.sharing import sources
from mcp_server.engine.table_sizes import FIGURE_SECONDS, TableSizes
from mcp_server.planning.observed import (
    KEY,
    NOTHING,
    SCAN,
    Name,
    Took,
    keys_of,
    observed,
    query_name,
    read_name,
    stage_names,
    whole,
)
from mcp_server.planning.plan import Estimate, Read, Relation
from mcp_server.ports.items import Consumption, Observer
from shared_kernel.clock import Clock

FIGURES_OF_A_TABLE = 5_000
FIGURES = 50_000
"""How many figures are kept of a table, and of all; about 350 bytes each."""

OF_LIKE_CONDITIONS = 0.5
"""The share of the last read in what is taken for reads whose conditions only have other values."""

_TableName = tuple[str, str]


class Observations:
    """What is known of earlier reads. It is for one event loop."""

    def __init__(self, clock: Clock, *, figures: int = FIGURES, of_a_table: int = FIGURES_OF_A_TABLE) -> None:
        self._clock, self._most, self._most_of_a_table = clock, figures, of_a_table
        self.sizes = TableSizes(clock)
        self._tables: OrderedDict[_TableName, OrderedDict[bytes, tuple[Took, float]]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """How many figures are kept."""
        return self._count

    def lessons(self, principal: Principal, planned: Sequence[Read]) -> "Lessons":
        """What learns from one run of a statement, whose reads were planned so."""
        return Lessons(self, principal, planned)

    def of(self, principal: Principal, planned: Sequence[Read]) -> Callable[[Read], Estimate | None]:
        """What tells what reads of that statement took when the principal made them before."""
        by_relation = _by_relation(planned)

        def known(read: Read) -> Estimate | None:
            table = read.relation.table
            if table.hides_rows or not self._count:
                return None
            return observed(read, lambda name: self.took(principal, table, name), by_relation)

        return known

    def took(self, principal: Principal, table: Table, name: Name) -> Took | None:
        """What the principal's last read of that name took."""
        figures = self._tables.get((table.schema, table.name))
        if figures is None:
            return None
        digest = _digest(principal, name)
        found = figures.get(digest)
        if found is None or self._clock.monotonic() - found[1] > FIGURE_SECONDS:
            return None
        figures.move_to_end(digest)
        self._tables.move_to_end((table.schema, table.name))
        return found[0]

    def keep(self, principal: Principal, table: Table, name: Name, took: Took) -> None:
        """Remembers what a read took; what was asked for the longest ago is forgotten."""
        key = (table.schema, table.name)
        figures = self._tables.setdefault(key, OrderedDict())
        self._tables.move_to_end(key)
        before = len(figures)
        digest = _digest(principal, name)
        figures[digest] = took, self._clock.monotonic()
        figures.move_to_end(digest)
        if len(figures) > self._most_of_a_table:
            figures.popitem(last=False)
        self._count += len(figures) - before
        while self._count > self._most:
            oldest, its_figures = next(iter(self._tables.items()))
            its_figures.popitem(last=False)
            self._count -= 1
            if not its_figures:
                del self._tables[oldest]

    def forget(self, table: Table) -> None:
        """Forgets all figures of a table: another one bears its name."""
        self._count -= len(self._tables.pop((table.schema, table.name), ()))
        self.sizes.forget(table)


class Lessons:
    """Learns from the reads of one run of a statement."""

    def __init__(self, observations: Observations, principal: Principal, planned: Sequence[Read]) -> None:
        self._observations, self._principal, self._planned = observations, principal, planned
        self._readings: dict[str, _Reading] = {}

    def observer(self, read: Read) -> Observer | None:
        """Hears of every response to a read as it is made; None where nothing is to be learnt of it."""
        if read.access == "GetItem" and len(self._planned) == 1 and keys_of(read) == 1:
            return None  # it takes what one item does, and has to be fast
        if read.relation.table.hides_rows:
            return None
        reading = self._readings[read.relation.name] = _Reading(self, read)
        return reading.heard

    def ended(self, read: Read, rows: int) -> None:
        """Learns from a read that was made to its end, and had so many rows, what is not learnt of its requests."""
        reading = self._readings.get(read.relation.name)
        planned = next((one for one in self._planned if one.relation.name == read.relation.name), None)
        if reading is None or planned is None or read.enough is not None:
            return
        virtual = read.relation.table.virtual is not None
        took = replace(reading.all, items=rows) if virtual else reading.all
        if planned.stage is not None:
            exact, like = stage_names(planned, _by_relation(self._planned))
            self._keep(read, exact, took)
            if like != exact:
                self._keep_mean(read, like, took)
        elif virtual or read.access in ("GetItem", "Union"):
            self._keep(read, read_name(read), took)
            if read.access == "GetItem" and not virtual:
                self._keep_mean(read, KEY, took.times(1 / keys_of(read)))

    def queried(self, read: Read, number: int, took: Took) -> None:
        """Learns from one Query of a read."""
        name = query_name(read, number)
        self._keep(read, name, took)
        # Which keys a statement reads of a table may depend on another's rows, which others must not be told of.
        if len(self._planned) == 1 and whole(name) is None:
            self._observations.sizes.queried(read.relation.table, read.index, digest_of(name), took.items)

    def scanned(self, read: Read, took: Took) -> None:
        """Learns from the Scan of a whole table."""
        self._keep(read, SCAN, took)
        if len(self._planned) == 1:
            self._observations.sizes.scanned(read.relation.table, took)

    def _keep_mean(self, read: Read, name: Name, took: Took) -> None:
        """Learns what reads take that only have other values."""
        before = self._observations.took(self._principal, read.relation.table, name)
        self._keep(read, name, took if before is None else before.toward(took, OF_LIKE_CONDITIONS))

    def _keep(self, read: Read, name: Name, took: Took) -> None:
        self._observations.keep(self._principal, read.relation.table, name, took)


class _Reading:
    """What a read has taken so far, all of it and each of its requests that goes on."""

    def __init__(self, lessons: Lessons, read: Read) -> None:
        self._lessons, self._read = lessons, read
        self._unit = 2.0 if read.consistent else 1.0
        self._begun: dict[int, Took] = {}
        self._scanned: dict[int, Took] = {}
        self.all = NOTHING

    def heard(self, consumption: Consumption) -> None:
        """Takes note of a response."""
        took = Took(consumption.scanned, 1, consumption.read_units / self._unit)
        self.all += took
        part = consumption.part
        if part is None or self._read.branches or self._read.relation.table.virtual is not None:
            return
        before = NOTHING if part.begins else self._begun.pop(part.request, None)
        if before is None:
            return
        if not part.ends:
            self._begun[part.request] = before + took
        elif self._read.access == "Query":
            self._lessons.queried(self._read, part.request, before + took)
        else:
            self._scanned[part.request] = before + took
            if len(self._scanned) == len(self._read.requests):
                self._lessons.scanned(self._read, sum(self._scanned.values(), NOTHING))


def _by_relation(planned: Sequence[Read]) -> dict[str, tuple[Relation, Read]]:
    return {relation.name: (relation, source.read) for source in sources(planned) for relation in source.relations}


def _digest(principal: Principal, name: Name) -> bytes:
    """What a principal sees depends on their roles and client too."""
    return digest_of((principal.tenant, principal.subject, principal.client_id, sorted(principal.roles), name))


def digest_of(what: object) -> bytes:
    """16 bytes, however long the values in it are."""
    return hashlib.blake2b(repr(what).encode(errors="surrogatepass"), digest_size=16).digest()
