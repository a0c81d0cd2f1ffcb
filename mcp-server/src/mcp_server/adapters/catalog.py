"""The catalogue: which tables there are, and what columns sampling finds in them.

A sample is the first items of several segments of a parallel scan. A scan walks the table in the order of hashed keys,
so the segments' beginnings are a fair draw; at most 8 × 100 items are read, however large the table is.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, cast

import anyio
import anyio.to_thread
import botocore.exceptions
import msgspec

from mcp_server.adapters import table_description as description
from mcp_server.adapters.concurrency import all_of
from mcp_server.adapters.decoding.attribute_values import Item
from mcp_server.adapters.decoding.virtual_items import of_virtual_table
from mcp_server.adapters.dynamodb.clients import DynamoDbClients, failures_of, too_slow
from mcp_server.adapters.dynamodb.responses import RAW, RawItems, UnreadableResponse, asked_until_readable
from mcp_server.adapters.dynamodb.spans import request_span
from mcp_server.adapters.partition_sizes import with_partition_sizes
from mcp_server.adapters.table_description import Samples
from mcp_server.domain.schema import AttributeType, Column, Schema, Table
from mcp_server.ports.catalog import Described, Listing, Refresh
from mcp_server.ports.tally import UNTALLIED, Tally
from shared_kernel.clock import Clock

SEGMENTS = 8
ITEMS_PER_SEGMENT, ITEMS_PER_SEGMENT_OF_MANY_KINDS = 100, 500
ITEMS_PER_SEGMENT_PROBED = 500
PROBES = 20
"""How many attributes that are not there are looked for in a table while its sample is fresh."""
PARALLEL_DESCRIPTIONS = 8
MAX_LISTED = 5000
LOAD_SECONDS = 20.0
"""Most time that one load may take; everybody who waits for it is told, and the next caller starts another."""

_ITEMS = msgspec.json.Decoder(list[dict[str, dict[str, Any]]])
_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    value: Any
    at: float
    """When it was loaded: seconds since the epoch, to show."""
    loaded: float
    """The same moment on the monotonic clock, to tell its age by."""


class _Look(NamedTuple):
    """What was found in some of a segment."""

    items: list[Item]
    scanned: int
    ended: bool
    """Whether that was the whole segment."""


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
        self._load_seconds = load_seconds
        self._clients, self._clock, self._tally = clients, clock, tally
        self._known: dict[_Key, _Known] = {}
        self._loading: dict[_Key, asyncio.Task[Any]] = {}
        self._learnt: dict[_Key, dict[str, Column]] = {}
        self._probed: dict[_Key, dict[str, float]] = {}
        """When attributes that were not found were looked for, on the monotonic clock."""
        self._describing = anyio.CapacityLimiter(PARALLEL_DESCRIPTIONS)

    async def list_tables(self, schema: Schema, refresh: Refresh) -> Listing:
        """See Catalog.list_tables."""
        key = ("list", schema.name)
        names, at, refreshed = await self._get(key, refresh, lambda: self._list(schema))
        return Listing(names, refreshed, at)

    async def summaries(self, schema: Schema, names: Sequence[str], refresh: Refresh) -> tuple[Table, ...]:
        """See Catalog.summaries."""

        async def summary(name: str) -> Table | None:
            key = ("summary", schema.name, name)
            table, _at, _refreshed = await self._get(key, refresh, lambda: self._describe(schema, name))
            return cast("Table | None", table)

        tables = await all_of(summary(name) for name in names if schema.shows(name))
        return tuple(table for table in tables if table is not None)

    async def describe(self, schema: Schema, name: str, refresh: Refresh) -> Described | None:
        """See Catalog.describe."""
        if not schema.shows(name):
            return None
        key = ("table", schema.name, name)
        if refresh == "force":
            self._learnt.pop(key, None)
        table, _at, refreshed = await self._get(key, refresh, lambda: self._sample(schema, name))
        return Described(table, refreshed) if table is not None else None

    async def learn(self, table: Table) -> None:
        """See Catalog.learn. Later samples do not forget it; a forced refresh does."""
        key = ("table", table.schema, table.name)
        known = self._known.get(key)
        before = {column.name: column for column in known.value.columns} if known and known.value else {}
        learnt = self._learnt.setdefault(key, {})
        learnt |= {column.name: column for column in table.columns if before.get(column.name) != column}
        at, loaded = (known.at, known.loaded) if known else (table.refreshed_at, self._clock.monotonic())
        self._known[key] = _Known(description.with_columns(table, table.columns), at, loaded)

    async def probe(self, schema: Schema, name: str, attribute: str) -> bool:
        """See Catalog.probe."""
        key = ("table", schema.name, name)
        known = self._known.get(key)
        if known is None or not schema.shows(name):
            return False
        if known.value.column(attribute) is not None:
            return True  # somebody else has found it
        probed = self._probed.setdefault(key, {})
        for old in [one for one, at in probed.items() if self._clock.monotonic() - at >= self.stale_after_seconds]:
            del probed[old]
        if attribute in probed or len(probed) >= PROBES:
            return False
        probed[attribute] = self._clock.monotonic()
        table: Table = known.value
        found = await all_of(self._with_attribute(schema, table, segment, attribute) for segment in range(SEGMENTS))
        values = [item[attribute] for items, _ in found for item in items]
        if not values:
            return False
        probed.pop(attribute, None)
        now = self._known.get(key, known).value  # others may have learnt of it or of more
        if now.column(attribute) is None:
            await self.learn(description.with_found(now, attribute, values, sum(looked_at for _, looked_at in found)))
        return True

    async def _with_attribute(
        self, schema: Schema, table: Table, segment: int, attribute: str
    ) -> tuple[list[Item], int]:
        """The items of some of a segment that have an attribute, and how many were looked at."""
        has = {"FilterExpression": "attribute_exists(#a)", "ExpressionAttributeNames": {"#a": attribute}}
        look = await self._look(schema, table, segment, ITEMS_PER_SEGMENT_PROBED, has)
        items = look.items if table.virtual is None else of_virtual_table(look.items, table.virtual)
        return items, look.scanned

    async def text_keys(self, schema: Schema, name: str) -> list[dict[str, str]]:
        """The texts among the primary keys of a sample of items; none if there is no such table. Raises Failure."""
        table = await self._describe_real(schema, name)
        if table is None:
            return []
        names = [key.name for key in table.key if key.type is AttributeType.STRING]
        limit = ITEMS_PER_SEGMENT_OF_MANY_KINDS
        segments = await all_of(self._items(schema, table, segment, limit) for segment in range(SEGMENTS))
        return [{key: str(item[key]["S"]) for key in names} for items in segments for item in items]

    async def aclose(self) -> None:
        """Ends the loading that is still under way."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    async def _get(
        self, key: _Key, refresh: Refresh, load: Callable[[], Coroutine[Any, Any, Any]]
    ) -> tuple[Any, float, bool]:
        """What is known under a key, when it was loaded, and whether that was now. Only what exists is remembered."""
        known = self._known.get(key)
        hit = known is not None and (refresh == "skip" or (refresh == "if_stale" and not self._stale(known)))
        if refresh != "force":  # which does not ask what is known
            self._tally.cache_asked("tables", hit=hit)
        if known is not None and hit:
            return known.value, known.at, False
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._load(key, load))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._loaded(key, done))
        # A caller who gives up does not take the others' answer away.
        value, at = await asyncio.shield(task)
        return value, at, True

    def _stale(self, known: _Known) -> bool:
        return self._clock.monotonic() - known.loaded >= self.stale_after_seconds

    async def _load(self, key: _Key, load: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, float]:
        try:
            async with asyncio.timeout(self._load_seconds):
                value = await load()
        except TimeoutError:
            raise too_slow(key[1]) from None
        at = self._clock.now()
        if value is None:
            self._known.pop(key, None)
        else:
            self._known[key] = _Known(value, at, self._clock.monotonic())
        return value, at

    def _loaded(self, key: _Key, task: asyncio.Task[Any]) -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # retrieve the exception, or asyncio warns

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

    async def _describe(self, schema: Schema, name: str) -> Table | None:
        virtual = schema.virtual_tables.get(name)
        if virtual is not None:
            source = await self._describe_real(schema, virtual.source)
            return None if source is None else description.as_virtual(source, virtual)
        return await self._describe_real(schema, name)

    async def _describe_real(self, schema: Schema, name: str) -> Table | None:
        client = self._clients.of(schema)
        with failures_of(schema, name):
            try:
                async with self._describing:
                    with request_span("DescribeTable", schema, name):
                        answer = await asked_until_readable(partial(_description, client, name))
            except botocore.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("ResourceNotFoundException", "ValidationException"):
                    return None  # a name that DynamoDB would not even allow is no table either
                raise
        if not description.readable(answer):
            return None
        return description.table_of(schema, answer, self._clock.now())

    async def _sample(self, schema: Schema, name: str) -> Table | None:
        table = await self._describe(schema, name)
        if table is None:
            return None
        looks = await all_of(self._segment(schema, table, segment) for segment in range(SEGMENTS))
        segments = [look.items for look in looks]
        samples = await anyio.to_thread.run_sync(_samples, *segments)
        overrides = schema.overrides.get(name, {})
        whole = all(look.ended for look in looks)
        found = description.sampled(table, samples, overrides, measured=schema.endpoint_url is None, whole=whole)
        if found.virtual is not None:
            found = description.with_slots(found, found.virtual)
        found = await anyio.to_thread.run_sync(with_partition_sizes, found, segments)
        learnt = self._learnt.get(("table", schema.name, name), {})
        return description.keep_wider(replace(found, refreshed_at=self._clock.now()), learnt)

    async def _segment(self, schema: Schema, table: Table, segment: int) -> _Look:
        if table.virtual is None:
            return await self._look(schema, table, segment, ITEMS_PER_SEGMENT, {})
        # Of several kinds of items one may be rare.
        look = await self._look(schema, table, segment, ITEMS_PER_SEGMENT_OF_MANY_KINDS, {})
        return look._replace(items=of_virtual_table(look.items, table.virtual))

    async def _items(self, schema: Schema, table: Table, segment: int, limit: int) -> list[Item]:
        return (await self._look(schema, table, segment, limit, {})).items

    async def _look(
        self, schema: Schema, table: Table, segment: int, limit: int, conditions: Mapping[str, Any]
    ) -> _Look:
        """Looks at the first items of a segment, and keeps those that meet conditions."""
        client = self._clients.of(schema)

        async def ask() -> _Look:
            with request_span("Scan", schema, table.physical_name):
                response = await client.scan(
                    TableName=table.physical_name, Segment=segment, TotalSegments=SEGMENTS, Limit=limit, **conditions
                )
            raw: RawItems = response[RAW]
            return _Look(await anyio.to_thread.run_sync(_items, raw), raw.ScannedCount, not raw.LastEvaluatedKey)

        with failures_of(schema, table.physical_name):
            return await asked_until_readable(ask)


async def _description(client: Any, name: str) -> Mapping[str, Any]:
    """What DescribeTable tells of a table. Raises UnreadableResponse, and botocore's exceptions."""
    answer: Mapping[str, Any] = (await client.describe_table(TableName=name))["Table"]
    if answer["TableName"] != name:
        message = "another table"
        raise UnreadableResponse(message)
    return answer


def _items(raw: RawItems) -> list[Item]:
    """The items of a response. Raises UnreadableResponse."""
    try:
        items: list[Item] = _ITEMS.decode(raw.Items)
        _samples(items)
    except (msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableResponse from error
    if len(items) != raw.Count:
        message = "another number of items than it counts"
        raise UnreadableResponse(message)
    return items


def _samples(*segments: list[Item]) -> Samples:
    samples = Samples()
    for items in segments:
        samples.add(items)
    return samples
