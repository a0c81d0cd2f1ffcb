"""The catalogue: which tables there are, and what columns sampling finds in them.

A sample is the first items of several segments of a parallel scan: at most 8 × 100 items are read, however large the
table is, or 8 × 500 where many of them may be of another kind, or not be there for whoever asks.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast

import anyio
import anyio.to_thread
import botocore.exceptions

from mcp_server.adapters import table_description as description
from mcp_server.adapters.concurrency import all_of
from mcp_server.adapters.decoding.attribute_values import Item
from mcp_server.adapters.dynamodb.clients import DynamoDbClients, failures_of, too_slow
from mcp_server.adapters.dynamodb.responses import UnreadableResponse, asked_until_readable
from mcp_server.adapters.dynamodb.spans import request_span
from mcp_server.adapters.partition_sizes import with_partition_sizes
from mcp_server.adapters.sampling import looks, samples_of
from mcp_server.adapters.shared_loads import Known, SharedLoads
from mcp_server.domain.failures import Failure
from mcp_server.domain.restriction import Rows
from mcp_server.domain.schema import Column, Schema, Table
from mcp_server.ports.catalog import RECENT_SECONDS, Described, Listing, Payer, Refresh, Resample, Summaries
from mcp_server.ports.items import Consumption, Observer
from mcp_server.ports.tally import UNTALLIED, Tally
from shared_kernel.clock import Clock

ITEMS_PER_SEGMENT, ITEMS_PER_SEGMENT_OF_MANY_KINDS = 100, 500
ITEMS_PER_SEGMENT_PROBED = 500
PROBES = 20
"""How many attributes that are not there are looked for in a table while its sample is fresh."""
MOST_SAMPLES_OF_ROWS = 1000
"""How many samples are kept of tables that some see only in part, of all tables together."""
PARALLEL_DESCRIPTIONS = 8
"""Of one schema; its listings, of up to 200 tables, have as many again, so that no statement waits behind them."""
MAX_LISTED = 5000
LOAD_SECONDS = 20.0
"""Most time that one load may take."""

_Wanted = Literal["summary", "table"]
"""What a description is for: a line of a listing, or a table to sample."""

_Key = tuple[Any, ...]
"""What is known: a word for what it is, a schema, a table, and the rows that it was sampled of, if not of all."""
_PARTS_OF_WHOLE = 3


class DynamoDbCatalog:
    """See Catalog. Concurrent callers who want the same thing share one request for it."""

    def __init__(
        self,
        clients: DynamoDbClients,
        clock: Clock,
        *,
        stale_after_seconds: int = 300,
        load_seconds: float = LOAD_SECONDS,
        tally: Tally = UNTALLIED,
    ) -> None:
        self.stale_after_seconds = stale_after_seconds
        self._clients, self._clock, self._tally = clients, clock, tally
        self._loads: SharedLoads[_Key] = SharedLoads(
            clock,
            seconds=load_seconds,
            stale_after_seconds=stale_after_seconds,
            late=lambda key: too_slow(key[1]),
            tally=tally,
        )
        self._learnt: dict[_Key, dict[str, Column]] = {}
        self._probed: dict[_Key, dict[tuple[str, ...], float]] = {}
        """When attributes, and fields of their maps, that were not found were looked for, on the monotonic clock."""
        self._probing: dict[_Key, asyncio.Event] = {}
        self._describing: dict[tuple[str, _Wanted], anyio.CapacityLimiter] = {}
        """Each schema has its own: what hangs in one must not hold up another tenant's."""

    async def list_tables(self, schema: Schema, refresh: Refresh) -> Listing:
        """See Catalog.list_tables."""
        key = ("list", schema.name)
        names, at, refreshed = await self._loads.get(key, refresh, lambda: self._list(schema))
        return Listing(names, refreshed, at)

    async def summaries(self, schema: Schema, names: Sequence[str], refresh: Refresh) -> Summaries:
        """See Catalog.summaries."""

        async def summary(name: str) -> Table | Failure | None:
            key = ("summary", schema.name, name)
            try:
                table, _at, _refreshed = await self._loads.get(
                    key, refresh, lambda: self._describe(schema, name, "summary")
                )
            except Failure as failure:
                return failure
            return cast("Table | None", table)

        shown = [name for name in names if schema.shows(name)]
        found = await all_of(map(summary, shown))
        failures = {name: one for name, one in zip(shown, found, strict=True) if isinstance(one, Failure)}
        return Summaries(tuple(one for one in found if isinstance(one, Table)), failures)

    def known(self, schema: Schema, name: str, rows: Rows = ()) -> Table | None:
        """See Catalog.known."""
        found = self._loads.fresh(_table(schema.name, name, rows)) if schema.shows(name) else None
        return cast("Table | None", found)

    async def describe(
        self, schema: Schema, name: str, refresh: Resample, rows: Rows = (), *, payer: Payer | None = None
    ) -> Described | None:
        """See Catalog.describe."""
        if not schema.shows(name):
            return None
        key = _table(schema.name, name, rows)
        if refresh == "recent":
            refresh = "skip" if self._loads.age(key) < RECENT_SECONDS else "force"
        return await self._described(schema, name, rows, refresh, payer, payer.check if payer is not None else _allow)

    async def learn(self, table: Table) -> None:
        """See Catalog.learn. Later samples do not forget it; a forced refresh does."""
        key = _table(table.schema, table.name, table.rows)
        known = self._loads.known(key)
        before = {column.name: column for column in known.value.columns} if known and known.value else {}
        learnt = self._learnt.setdefault(key, {})
        learnt |= {column.name: column for column in table.columns if before.get(column.name) != column}
        at, loaded = (known.at, known.loaded) if known else (table.refreshed_at, self._clock.monotonic())
        self._loads.keep(key, Known(description.with_columns(table, table.columns), at, loaded))

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
        """See Catalog.probe. Concurrent callers look for the same thing one after the other: the first may find it."""
        path = (attribute, *fields)
        under_way = (*_table(schema.name, name, rows), path)
        while under_way in self._probing:
            await self._probing[under_way].wait()
        over = self._probing[under_way] = asyncio.Event()
        try:
            return await self._probe(schema, name, path, observe, rows, hidden=hidden)
        finally:
            del self._probing[under_way]
            over.set()

    async def _probe(
        self, schema: Schema, name: str, path: tuple[str, ...], observe: Observer, rows: Rows, *, hidden: bool
    ) -> bool:
        attribute, *fields = path
        key = _table(schema.name, name, rows)
        known = self._loads.known(key)
        if known is None or not schema.shows(name):
            return False
        if not hidden and description.shows(known.value, attribute, fields):
            return True  # somebody else has found it
        probed = self._probed.setdefault(key, {})
        for old in [one for one, at in probed.items() if self._clock.monotonic() - at >= self.stale_after_seconds]:
            del probed[old]
        if path in probed or len(probed) >= PROBES:
            return False
        table: Table = known.value
        names = {f"#{place}": step for place, step in enumerate(path)}
        there = f"({'.'.join(names)})"
        condition = f"attribute_exists{there}" + f" AND attribute_not_exists{there}" * hidden
        has = {"FilterExpression": condition, "ExpressionAttributeNames": names}
        limit = ITEMS_PER_SEGMENT_PROBED
        found = await looks(self._clients, schema, table, limit=limit, rows=rows, conditions=has, observe=observe)
        values = [item[attribute] for look in found for item in look.items]
        if not values:
            probed[path] = self._clock.monotonic()
            return False
        now = (self._loads.known(key) or known).value  # others may have learnt of it or of more
        if not description.shows(now, attribute, fields):
            await self.learn(description.with_found(now, attribute, values, sum(look.scanned for look in found)))
        return True

    async def some_items(self, schema: Schema, name: str) -> tuple[Table, list[Item]] | None:
        """A table and a sample of its items as they are stored; None if there is no such table. Raises Failure."""
        table = await self._describe_real(schema, name, "table")
        if table is None:
            return None
        found = await looks(self._clients, schema, table, limit=ITEMS_PER_SEGMENT_OF_MANY_KINDS)
        return table, [item for look in found for item in look.items]

    async def aclose(self) -> None:
        """Ends the loading that is still under way."""
        await self._loads.aclose()

    async def _list(self, schema: Schema) -> tuple[str, ...]:
        if schema.tables is not None:
            return tuple(sorted({*schema.tables, *schema.virtual_tables}))
        client = self._clients.of(schema)
        names: list[str] = []
        start = None
        while len(names) < MAX_LISTED:
            with failures_of(schema):
                after: dict[str, str] = {"ExclusiveStartTableName": start} if start else {}
                with request_span("ListTables", schema, None):
                    page = await asked_until_readable(partial(client.list_tables, **after))
            names += page["TableNames"]
            start = page.get("LastEvaluatedTableName")
            if not start:
                break
        return tuple(sorted({*names, *schema.virtual_tables}))

    async def _describe(self, schema: Schema, name: str, wanted: _Wanted) -> Table | None:
        virtual = schema.virtual_tables.get(name)
        if virtual is not None:
            source = await self._describe_real(schema, virtual.source, wanted)
            return None if source is None else description.as_virtual(source, virtual)
        return await self._describe_real(schema, name, wanted)

    async def _describe_real(self, schema: Schema, name: str, wanted: _Wanted) -> Table | None:
        client = self._clients.of(schema)
        place = schema.name, wanted
        limiter = self._describing.get(place)
        if limiter is None:
            limiter = self._describing[place] = anyio.CapacityLimiter(PARALLEL_DESCRIPTIONS)
        with failures_of(schema, name):
            try:
                async with limiter:
                    with request_span("DescribeTable", schema, name):
                        answer = await asked_until_readable(partial(_description, client, name))
            except botocore.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("ResourceNotFoundException", "ValidationException"):
                    return None  # a name that DynamoDB would not even allow is no table either
                raise
        if not description.readable(answer):
            return None
        return description.table_of(schema, answer, self._clock.now())

    async def _described(
        self,
        schema: Schema,
        name: str,
        rows: Rows,
        refresh: Refresh,
        payer: Payer | None,
        check: Callable[[], None],
    ) -> Described | None:
        """The table, for whose sample `check` is asked. It raises here, and not to others who wait for the load."""
        key = _table(schema.name, name, rows)

        def begin() -> None:
            check()
            if refresh == "force":
                self._learnt.pop(key, None)

        load = partial(self._sample, schema, name, rows, refresh, payer)
        table, _at, refreshed = await self._loads.get(key, refresh, load, begin)
        if rows and refreshed:
            self._drop_oldest_of_rows()
        return Described(table, refreshed) if table is not None else None

    def _drop_oldest_of_rows(self) -> None:
        of_rows = [key for key in self._loads if len(key) > _PARTS_OF_WHOLE]
        for key in of_rows[:-MOST_SAMPLES_OF_ROWS]:
            self._loads.drop(key)
            self._learnt.pop(key, None)
            self._probed.pop(key, None)

    async def _sample(
        self, schema: Schema, name: str, rows: Rows, refresh: Refresh, payer: Payer | None
    ) -> Table | None:
        table = await self._describe(schema, name, "table")
        if table is None:
            return None
        # Of several kinds of items one may be rare.
        of_many = table.virtual is not None or rows
        limit = ITEMS_PER_SEGMENT_OF_MANY_KINDS if of_many else ITEMS_PER_SEGMENT
        observe = self._observer(payer.observer(table) if payer is not None else None)
        found = await looks(self._clients, schema, table, limit=limit, rows=rows, observe=observe)
        places = [look.items for look in found]
        samples = await anyio.to_thread.run_sync(samples_of, *places, abandon_on_cancel=True)
        overrides = schema.overrides.get(name, {})
        whole = all(look.ended for look in found)
        seen = description.sampled(table, samples, overrides, measured=schema.endpoint_url is None, whole=whole)
        if seen.virtual is not None:
            share = samples.items / max(1, sum(look.scanned for look in found))
            seen = replace(description.with_slots(seen, seen.virtual), own_share=share)
        seen = description.keep_wider(seen, self._learnt.get(_table(schema.name, name, rows), {}))
        if not rows:
            seen = await anyio.to_thread.run_sync(with_partition_sizes, seen, places, abandon_on_cancel=True)
            return replace(seen, refreshed_at=self._clock.now())
        described = await self._described(schema, name, (), refresh, payer, _allow)
        if described is None:
            return None
        return replace(described.table, columns=seen.columns, rows=rows, own_share=None, refreshed_at=self._clock.now())

    def _observer(self, paying: Observer | None) -> Observer:
        """What hears of a sample: whoever pays, and the metrics."""

        def observe(taken: Consumption) -> None:
            self._tally.sampled("service" if paying is None else "caller", taken.items, taken.read_units)
            if paying is not None:
                paying(taken)

        return observe


def _allow() -> None:
    """Lets a sample begin that belongs to one which was allowed, or that the service pays."""


def _table(schema: str, name: str, rows: Rows) -> _Key:
    return ("table", schema, name, rows) if rows else ("table", schema, name)


async def _description(client: Any, name: str) -> Mapping[str, Any]:
    """What DescribeTable tells of a table. Raises UnreadableResponse, and botocore's exceptions."""
    answer: Mapping[str, Any] = (await client.describe_table(TableName=name))["Table"]
    if answer["TableName"] != name:
        message = "another table"
        raise UnreadableResponse(message)
    return answer
