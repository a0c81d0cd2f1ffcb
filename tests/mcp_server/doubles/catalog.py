"""A catalogue of tables in memory."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mcp_server.adapters import table_description as description
from mcp_server.adapters.decoding.restricted_items import restricted_items
from mcp_server.adapters.decoding.virtual_items import of_virtual_table
from mcp_server.adapters.partition_sizes import with_partition_sizes
from mcp_server.adapters.table_description import Samples
from mcp_server.domain.restriction import Restriction, Rows
from mcp_server.domain.schema import Column, Schema, Table
from mcp_server.ports.catalog import RECENT_SECONDS, Described, Listing, Payer, Refresh, Resample, Summaries
from mcp_server.ports.items import Consumption, Observer
from shared_kernel.clock import Clock
from tests.mcp_server.doubles.tables import HeldTables

SAMPLE_READ_UNITS = 0.5
"""Of each sample."""


def unpaid(_consumption: Consumption) -> None:
    """Hears what a search for a column takes, and charges nobody."""


class ServicePays:
    """A Payer of samples that no caller is charged for."""

    def check(self) -> None:
        return

    def observer(self, table: Table) -> None:
        return


class HeldCatalog:
    """A Catalog: it samples all items, and remembers for `stale_after_seconds`."""

    stale_after_seconds = 300

    def __init__(self, tables: HeldTables, clock: Clock) -> None:
        self._tables, self._clock = tables, clock
        self._known: dict[tuple[Any, ...], tuple[Any, float, float]] = {}
        self._learnt: dict[tuple[Any, ...], dict[str, Column]] = {}

    async def list_tables(self, schema: Schema, refresh: Refresh) -> Listing:
        names = tuple(sorted({*(self._tables if schema.tables is None else schema.tables), *schema.virtual_tables}))
        found, at, refreshed = self._get(("list", schema.name), refresh, lambda: names)
        return Listing(found, refreshed, at)

    async def summaries(self, schema: Schema, names: Sequence[str], refresh: Refresh) -> Summaries:
        found = [
            self._get(("summary", schema.name, name), refresh, partial(self._described, schema, name))[0]
            for name in names
            if schema.shows(name)
        ]
        return Summaries(tuple(table for table in found if table is not None))

    def known(self, schema: Schema, name: str, rows: Rows = ()) -> Table | None:
        table, _at, loaded = self._known.get(("table", schema.name, name, rows), (None, 0.0, 0.0))
        fresh = self._clock.monotonic() - loaded < self.stale_after_seconds
        return table if table is not None and fresh and schema.shows(name) else None

    async def describe(
        self, schema: Schema, name: str, refresh: Resample, rows: Rows = (), *, payer: Payer | None = None
    ) -> Described | None:
        key = ("table", schema.name, name, rows)
        if refresh == "recent":
            recent = key in self._known and self._clock.monotonic() - self._known[key][2] < RECENT_SECONDS
            refresh = "skip" if recent else "force"
        if refresh == "force":
            self._learnt.pop(key, None)
        if not schema.shows(name):
            return None
        table, _at, refreshed = self._get(key, refresh, partial(self._paid_for, schema, name, rows, payer))
        return None if table is None else Described(table, refreshed)

    async def probe(
        self,
        schema: Schema,
        name: str,
        attribute: str,
        observe: Observer,
        rows: Rows = (),
        *,
        fields: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> bool:
        key = ("table", schema.name, name, rows)
        table = self._known[key][0] if key in self._known else None
        if table is None or not schema.shows(name):
            return False
        if not hidden and description.shows(table, attribute, fields):
            return True
        items = self._items(table, rows)
        values = [item[attribute] for item in items if _has(item, (attribute, *fields)) and not hidden]
        scanned = len(self._tables[table.physical_name].items)
        observe(Consumption(items=len(values), scanned=scanned, bytes=2, read_units=SAMPLE_READ_UNITS))
        if values:
            await self.learn(description.with_found(table, attribute, values, len(items)))
        return bool(values)

    async def learn(self, table: Table) -> None:
        key = ("table", table.schema, table.name, table.rows)
        _table, at, loaded = self._known[key]
        self._learnt.setdefault(key, {}).update({column.name: column for column in table.columns})
        self._known[key] = (table, at, loaded)

    def _items(self, table: Table, rows: Rows) -> list[Any]:
        """Those of a table that the rows allow."""
        items = restricted_items(self._tables[table.physical_name].items, Restriction(rows=rows))
        return items if table.virtual is None else of_virtual_table(items, table.virtual)

    def _get(self, key: tuple[Any, ...], refresh: Refresh, look: Callable[[], Any]) -> tuple[Any, float, bool]:
        """What is known under a key, or else what is there now."""
        if key in self._known:
            value, at, loaded = self._known[key]
            fresh = self._clock.monotonic() - loaded < self.stale_after_seconds
            if refresh == "skip" or (refresh == "if_stale" and fresh):
                return value, at, False
        now = look()
        self._known.pop(key, None)
        if now is not None:
            self._known[key] = (now, self._clock.now(), self._clock.monotonic())
        return now, self._clock.now(), True

    def _described(self, schema: Schema, name: str) -> Table | None:
        virtual = schema.virtual_tables.get(name)
        held = self._tables.get(name if virtual is None else virtual.source)
        if held is None:
            return None
        table = description.table_of(schema, held.description(), self._clock.now())
        return table if virtual is None else description.as_virtual(table, virtual)

    def _paid_for(self, schema: Schema, name: str, rows: Rows, payer: Payer | None) -> Table | None:
        """A sample, in one response that takes as much of every table."""
        if payer is not None:
            payer.check()
        table = self._sampled(schema, name, rows)
        observe = payer.observer(table) if payer is not None and table is not None else None
        if observe is not None and table is not None:
            items = len(self._tables[table.physical_name].items)
            observe(Consumption(items=items, scanned=items, bytes=2, read_units=SAMPLE_READ_UNITS))
        return table

    def _sampled(self, schema: Schema, name: str, rows: Rows) -> Table | None:
        table = self._described(schema, name)
        if table is None:
            return None
        samples, items = Samples(), self._items(table, rows)
        samples.add(items)
        found = description.sampled(table, samples, schema.overrides.get(name, {}), measured=False, whole=True)
        if table.virtual is not None:
            share = len(items) / max(1, len(self._tables[table.physical_name].items))
            found = replace(description.with_slots(found, table.virtual), own_share=share)
        seen = description.keep_wider(found, self._learnt.get(("table", schema.name, name, rows), {}))
        if not rows:
            sized = zip(seen.indexes, with_partition_sizes(seen, [items]).indexes, strict=True)
            # Of others, partitions are as large as there are many, until one is read.
            return replace(seen, indexes=tuple(told if told.projected is not None else one for one, told in sized))
        whole = self._sampled(schema, name, ())
        return whole and replace(whole, columns=seen.columns, rows=rows, own_share=None)


def _has(item: dict[str, Any], path: tuple[str, ...]) -> bool:
    """Whether an item has an attribute, and its map the fields, one within the other."""
    value: Any = {"M": item}
    for step in path:
        value = value.get("M", {}).get(step)
        if value is None:
            return False
    return True
