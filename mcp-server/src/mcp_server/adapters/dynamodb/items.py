"""Reads relations from DynamoDB: runs a plan's requests in parallel, page by page."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

import anyio
import msgspec
import pyarrow as pa

from mcp_server.adapters.concurrency import all_of
from mcp_server.adapters.decoding.item_decoding import PageDecoder, arrow_schema
from mcp_server.adapters.dynamodb import clients as dynamodb
from mcp_server.adapters.dynamodb.clients import DynamoDbClients, failures_of
from mcp_server.adapters.dynamodb.page_decoding import PageDecoding
from mcp_server.adapters.dynamodb.requesting import Requests, Told, refusals
from mcp_server.adapters.dynamodb.responses import RawItems
from mcp_server.adapters.dynamodb.seen import Seen, keys_of_items
from mcp_server.domain.schema import Schema
from mcp_server.planning.plan import Read, Request
from mcp_server.planning.requests import KEYS_A_REQUEST
from mcp_server.planning.streaming import Key, key_names
from mcp_server.ports.items import Observer, Stretch

PARALLEL_REQUESTS = 8
PAGES_AHEAD = 2
MOST_LOOKED_UP = 500
"""Keys of an index whose items are fetched at a time for a page: each request for a hundred may bring 16 MB."""

_Taken = TypeVar("_Taken")


class DynamoDbItems:
    """See ItemSource."""

    def __init__(self, clients: DynamoDbClients) -> None:
        self._decoding = PageDecoding()
        self._requests = Requests(clients, self._decoding)

    def arrow_schema(self, read: Read) -> pa.Schema:
        """See ItemSource.arrow_schema."""
        return arrow_schema(read.relation)

    async def pages(self, schema: Schema, read: Read, observe: Observer) -> AsyncGenerator[pa.RecordBatch]:
        """See ItemSource.pages."""
        decoder = PageDecoder(read.relation, schema.overrides.get(read.relation.table.name, {}))
        alone = self._one_after_the_other(schema, read, decoder, observe)
        if alone is not None:
            async with aclosing(alone):
                async for page in alone:
                    yield page
            return
        ready: asyncio.Queue[pa.RecordBatch | None] = asyncio.Queue(PAGES_AHEAD)
        requests = self._followed(schema, read, decoder, observe)
        made = sum(len(one.requests) for one in read.branches or (read,))

        async def follow() -> None:
            for request in requests:
                async with aclosing(request) as pages:
                    async for page in pages:
                        await ready.put(page)

        async def follow_all() -> None:
            try:
                await all_of(follow() for _ in range(min(PARALLEL_REQUESTS, made)))
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
                reading.exception()  # retrieve the exception, or asyncio warns

    async def count(self, schema: Schema, read: Read, observe: Observer) -> int:
        """See ItemSource.count."""
        numbers = iter(range(len(read.requests)))

        async def count_of(raw: RawItems) -> int:
            return raw.Count

        async def follow() -> int:
            found = 0
            for number in numbers:
                async with aclosing(self._answers(schema, read, number, observe, count_of)) as counts:
                    async for count in counts:
                        found += count
            return found

        return sum(await all_of(follow() for _ in range(min(PARALLEL_REQUESTS, len(read.requests)))))

    def under_way(self, observers: Collection[Observer]) -> Awaitable[None] | None:
        """See ItemSource.under_way."""
        return self._requests.under_way(observers)

    def _one_after_the_other(
        self, schema: Schema, read: Read, decoder: PageDecoder, observe: Observer
    ) -> AsyncGenerator[pa.RecordBatch] | None:
        """The pages of a read of which nothing is read ahead; None for any other."""
        if read.lookup is not None:
            return self._looked_up(schema, read, read.lookup, decoder, observe)
        if read.access == "GetItem" and len(read.requests) == 1:
            return self._pages(schema, read, 0, decoder, observe)
        if read.enough is not None and not read.of_each:
            return self._first(schema, read, range(len(read.requests)), decoder, observe)
        return None

    async def _first(
        self, schema: Schema, read: Read, numbers: Iterable[int], decoder: PageDecoder, observe: Observer
    ) -> AsyncGenerator[pa.RecordBatch]:
        """The pages of some of a read's requests until there are enough rows."""
        rows = 0
        for number in numbers:
            async with aclosing(self._pages(schema, read, number, decoder, observe)) as pages:
                async for page in pages:
                    yield page
                    rows += page.num_rows
                    if read.enough is not None and rows >= read.enough:
                        return

    async def _looked_up(
        self, schema: Schema, read: Read, lookup: Mapping[str, Any], decoder: PageDecoder, observe: Observer
    ) -> AsyncGenerator[pa.RecordBatch]:
        """The items whose keys the requests yield, each once: one that moves within the index may come twice."""
        seen = Seen(read.relation.table)
        for number in range(len(read.requests)):
            async with aclosing(self._of_keys((schema, read, number), lookup, decoder, observe, seen)) as pages:
                async for page in pages:
                    yield page

    async def _of_keys(
        self,
        of: tuple[Schema, Read, int],
        lookup: Mapping[str, Any],
        decoder: PageDecoder,
        observe: Observer,
        seen: Seen,
    ) -> AsyncGenerator[pa.RecordBatch]:
        """The items whose keys one request yields, but for those that were seen before."""
        schema, read, number = of

        async def keys_of(raw: RawItems) -> list[dict[str, Any]]:
            keys = seen.keys(raw.Items)
            return [keys[place] for place in seen.new(keys)]

        async with aclosing(self._answers(schema, read, number, observe, keys_of)) as answers:
            async for keys in answers:
                with failures_of(schema, read.relation.table.physical_name):
                    wanted = [dynamodb.from_wire(key) for key in keys]
                for start in range(0, len(wanted), KEYS_A_REQUEST):
                    batch = Request("BatchGetItem", {**lookup, "Keys": wanted[start : start + KEYS_A_REQUEST]})
                    take = partial(self._decoding.page, decoder)
                    async with aclosing(self._requests.batches(schema, read, batch, observe, take)) as pages:
                        async for page in pages:
                            yield page

    def _followed(
        self, schema: Schema, read: Read, decoder: PageDecoder, observe: Observer
    ) -> Iterator[AsyncGenerator[pa.RecordBatch]]:
        """The pages of each request of a read, or of the branches of one that unites them."""
        for number in range(len(read.requests)):
            if read.of_each:
                yield self._first(schema, read, [number], decoder, observe)
            else:
                yield self._pages(schema, read, number, decoder, observe)
        seen = Seen(read.relation.table)
        for branch in read.branches:
            for number in range(len(branch.requests)):
                if branch.lookup is None:
                    yield self._pages(schema, branch, number, decoder, observe, seen)
                else:
                    yield self._of_keys((schema, branch, number), branch.lookup, decoder, observe, seen)

    def _pages(
        self,
        schema: Schema,
        read: Read,
        number: int,
        decoder: PageDecoder,
        observe: Observer,
        seen: Seen | None = None,
    ) -> AsyncGenerator[pa.RecordBatch]:
        """The pages of one request that hold items; where those that were `seen` are known, of the others."""
        request = read.requests[number]
        if request.operation == "BatchGetItem":
            take = partial(self._decoding.page, decoder, seen=seen)
            return self._requests.batches(schema, read, request, observe, take)

        async def page_of(raw: RawItems) -> pa.RecordBatch | None:
            return await self._decoding.page(decoder, raw.Items, raw.Count, seen)

        return self._answers(schema, read, number, observe, page_of)

    async def _answers(
        self,
        schema: Schema,
        read: Read,
        number: int,
        observe: Observer,
        take: Callable[[RawItems], Awaitable[_Taken | None]],
    ) -> AsyncGenerator[_Taken]:
        """What `take` makes of the responses to one request, but for those of which it makes nothing."""
        table, request = read.relation.table, read.requests[number]
        arguments = dict(request.arguments)
        told = Told(number)

        async def ask() -> tuple[_Taken | None, RawItems]:
            raw = await self._requests.response(schema, read, request.operation, arguments, observe, told)
            taken = await take(raw)
            told.taken = True
            return taken, raw

        while True:
            with refusals(schema, table):
                taken, raw = await self._requests.asked(schema, table, ask)
                if raw.LastEvaluatedKey:
                    arguments["ExclusiveStartKey"] = dynamodb.from_wire(raw.LastEvaluatedKey)
                    if "Limit" in arguments:
                        arguments["Limit"] *= 2
            if taken is not None:
                yield taken
            if not raw.LastEvaluatedKey:
                return

    async def stretch(
        self, schema: Schema, read: Read, request: int, after: Key | None, limit: int | None, observe: Observer
    ) -> Stretch:
        """See ItemSource.stretch."""
        table, one = read.relation.table, read.requests[request]
        decoder = PageDecoder(read.relation, schema.overrides.get(table.name, {}))
        if read.lookup is not None:
            limit = min(limit or MOST_LOOKED_UP, MOST_LOOKED_UP)
        arguments = dict(one.arguments) if limit is None else {**one.arguments, "Limit": limit}
        told, names = Told(request), key_names(read)

        async def ask() -> Stretch:
            raw = await self._requests.response(schema, read, one.operation, arguments, observe, told)
            items, places = await self._decoding.decoded(decoder.decode_with_places, raw.Items, raw.Count) or (None, ())
            return Stretch(
                items, raw.LastEvaluatedKey or None, lambda row: keys_of_items(raw.Items, names)[places[row]]
            )

        async def ask_for_keys() -> tuple[Sequence[Key], Key | None]:
            raw = await self._requests.response(schema, read, one.operation, arguments, observe, told)
            return keys_of_items(raw.Items, names), raw.LastEvaluatedKey or None

        with refusals(schema, table):
            if after is not None:
                arguments["ExclusiveStartKey"] = dynamodb.from_wire(after)
            if read.lookup is None:
                return await self._requests.asked(schema, table, ask)
            keys, last = await self._requests.asked(schema, table, ask_for_keys)
        return await self._stretch_of(schema, read, read.lookup, keys, last, decoder, observe)

    async def _stretch_of(
        self,
        schema: Schema,
        read: Read,
        lookup: Mapping[str, Any],
        keys: Sequence[Key],
        after: Key | None,
        decoder: PageDecoder,
        observe: Observer,
    ) -> Stretch:
        """The items of some keys of an index, in the order of these."""
        seen, places = Seen(read.relation.table), dict[str, int]()
        own = seen.own(keys)
        places = {repr(own[place]): place for place in seen.new(own)}

        async def take(items: msgspec.Raw, count: int) -> tuple[pa.RecordBatch, list[int]] | None:
            found = [places[repr(key)] for key in seen.keys(items)]
            batch, rows = await self._decoding.decoded(decoder.decode_with_places, items, count) or (None, ())
            return None if batch is None else (batch, [found[row] for row in rows])

        async def fetched(start: int) -> list[tuple[pa.RecordBatch, list[int]]]:
            with failures_of(schema, read.relation.table.physical_name):
                some = [dynamodb.from_wire(own[place]) for place in [*places.values()][start : start + KEYS_A_REQUEST]]
            request = Request("BatchGetItem", {**lookup, "Keys": some})
            async with aclosing(self._requests.batches(schema, read, request, observe, take)) as batches:
                return [batch async for batch in batches]

        several = await all_of(fetched(start) for start in range(0, len(places), KEYS_A_REQUEST))
        batches = [one for some in several for one in some]
        order = sorted((place, row) for row, place in enumerate(place for _, found in batches for place in found))
        if not order:
            return Stretch(None, after, keys.__getitem__)
        items = pa.concat_batches([batch for batch, _ in batches]).take(pa.array([row for _, row in order], pa.int64()))
        return Stretch(items, after, lambda row: keys[order[row][0]])
