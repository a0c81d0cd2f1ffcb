"""Reads relations from DynamoDB: runs a plan's requests in parallel, page by page.

Read units are DynamoDB's own where it is AWS that answers. Emulators report wrong ones or none, so for any other
endpoint they are computed: 0.5 for each 4096 bytes looked at (twice that when strongly consistent), rounded up per
response, for BatchGetItem per item. The bytes are the items' number times the table's average item size, which
for such endpoints comes from the catalogue's sample; a read through an index is computed as if it held whole items, and
keys that no item has are not counted.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pyarrow as pa

from mcp_server.adapters.concurrency import all_of
from mcp_server.adapters.decoding.item_decoding import MalformedPage, PageDecoder, arrow_schema
from mcp_server.adapters.dynamodb import clients as dynamodb
from mcp_server.adapters.dynamodb.clients import (
    BYTES,
    RAW,
    DynamoDbClients,
    RawItems,
    RawResponses,
    failures_of,
)
from mcp_server.domain.schema import Schema
from mcp_server.planning.plan import Read, Request
from mcp_server.ports.items import Consumption, Page

BLOCK_BYTES = 4096
PARALLEL_REQUESTS = 8
PAGES_AHEAD = 2
DECODING_THREADS = 2
BATCH_ATTEMPTS = 7
FIRST_PAUSE_SECONDS = 0.05

_BATCH = msgspec.json.Decoder(list[msgspec.Raw])

Observer = Callable[[Consumption], None]


class DynamoDbItems:
    """See ItemSource."""

    def __init__(self, clients: DynamoDbClients) -> None:
        self._clients = clients
        self._decoding = anyio.CapacityLimiter(DECODING_THREADS)

    def arrow_schema(self, read: Read) -> pa.Schema:
        """See ItemSource.arrow_schema."""
        return arrow_schema(read.relation)

    async def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[Page]:
        """See ItemSource.pages."""
        decoder = PageDecoder(read.relation, schema.overrides.get(read.relation.table.physical_name, {}))
        ready: asyncio.Queue[Page | None] = asyncio.Queue(PAGES_AHEAD)
        requests = iter(read.requests)

        async def follow() -> None:
            for request in requests:
                async with aclosing(self._responses(schema, read, request)) as responses:
                    async for items, consumption in responses:
                        observe(consumption)
                        if consumption.items:
                            batch = await self._decoded(decoder, schema, read, items)
                            await ready.put(Page(batch, consumption))

        async def follow_all() -> None:
            try:
                await all_of(follow() for _ in range(min(PARALLEL_REQUESTS, len(read.requests))))
            except Exception:
                await ready.put(None)
                raise
            await ready.put(None)

        reading = asyncio.create_task(follow_all())
        try:
            while (page := await ready.get()) is not None:
                yield page
            await reading
        finally:
            reading.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait((reading,))
            if not reading.cancelled():
                reading.exception()  # heard here, should nobody have waited for it

    async def _decoded(self, decoder: PageDecoder, schema: Schema, read: Read, items: msgspec.Raw) -> pa.RecordBatch:
        try:
            return await anyio.to_thread.run_sync(
                decoder.decode, bytes(items), abandon_on_cancel=True, limiter=self._decoding
            )
        except MalformedPage as error:
            raise dynamodb.unreadable(schema, read.relation.table.physical_name, error) from error

    def _responses(
        self, schema: Schema, read: Read, request: Request
    ) -> AsyncGenerator[tuple[msgspec.Raw, Consumption]]:
        if request.operation == "BatchGetItem":
            return self._batches(schema, read, request)
        return self._pages(schema, read, request)

    async def _pages(
        self, schema: Schema, read: Read, request: Request
    ) -> AsyncGenerator[tuple[msgspec.Raw, Consumption]]:
        table = read.relation.table
        client = self._clients.of(schema)
        operation = client.scan if request.operation == "Scan" else client.query
        arguments = {**request.arguments, "TableName": table.physical_name, "ReturnConsumedCapacity": "TOTAL"}
        while True:
            with failures_of(schema, table.physical_name):
                response = await operation(**arguments)
            raw: RawItems = response[RAW]
            if schema.endpoint_url is None:
                read_units = float((raw.ConsumedCapacity or {}).get("CapacityUnits", 0.0))
            else:
                size = raw.ScannedCount * _item_size(read, memoryview(raw.Items).nbytes, raw.Count)
                read_units = _units(size, consistent=read.consistent)
            yield raw.Items, Consumption(raw.Count, raw.ScannedCount, response[BYTES], read_units)
            if not raw.LastEvaluatedKey:
                return
            with failures_of(schema, table.physical_name):
                arguments["ExclusiveStartKey"] = dynamodb.from_wire(raw.LastEvaluatedKey)

    async def _batches(
        self, schema: Schema, read: Read, request: Request
    ) -> AsyncGenerator[tuple[msgspec.Raw, Consumption]]:
        name = read.relation.table.physical_name
        client = self._clients.of(schema)
        wanted: dict[str, Any] = dict(request.arguments)
        for pause in _pauses():
            with failures_of(schema, name):
                response = await client.batch_get_item(RequestItems={name: wanted}, ReturnConsumedCapacity="TOTAL")
            raw: RawResponses = response[RAW]
            items = raw.Responses.get(name, msgspec.Raw(b"[]"))
            count = len(_BATCH.decode(items))
            if schema.endpoint_url is None:
                read_units = sum(float(part.get("CapacityUnits", 0.0)) for part in raw.ConsumedCapacity)
            else:
                each = _units(_item_size(read, memoryview(items).nbytes, count), consistent=read.consistent)
                read_units = count * each
            yield items, Consumption(count, count, response[BYTES], read_units)
            unprocessed = raw.UnprocessedKeys.get(name)
            if not unprocessed:
                return
            # "If DynamoDB returns any unprocessed items, you should retry the batch operation on those items. However,
            # we strongly recommend that you use an exponential backoff algorithm." (BatchGetItem)
            with failures_of(schema, name):
                wanted = {**wanted, "Keys": [dynamodb.from_wire(key) for key in unprocessed.Keys]}
            await asyncio.sleep(pause)
        raise dynamodb.throttled(schema)


def _pauses() -> Iterator[float]:
    return (FIRST_PAUSE_SECONDS * 2**attempt for attempt in range(BATCH_ATTEMPTS))


def _item_size(read: Read, wire_bytes: int, items: int) -> float:
    table = read.relation.table
    if table.item_count and table.size_bytes:
        return table.size_bytes / table.item_count
    return wire_bytes / items if items else BLOCK_BYTES


def _units(size: float, *, consistent: bool) -> float:
    return max(1, math.ceil(size / BLOCK_BYTES)) * (1.0 if consistent else 0.5)
