"""Reads relations from DynamoDB: runs a plan's requests in parallel, page by page."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import anyio
import msgspec
import pyarrow as pa

from mcp_server.adapters.concurrency import all_of
from mcp_server.adapters.decoding.item_decoding import PageDecoder, arrow_schema
from mcp_server.adapters.dynamodb import clients as dynamodb
from mcp_server.adapters.dynamodb import consumption
from mcp_server.adapters.dynamodb.clients import DynamoDbClients, RequestRefused, failures_of
from mcp_server.adapters.dynamodb.given_up import GivenUp
from mcp_server.adapters.dynamodb.lost import Lost
from mcp_server.adapters.dynamodb.page_decoding import PageDecoding
from mcp_server.adapters.dynamodb.responses import (
    RAW,
    RawItems,
    RawResponses,
    UnreadableResponse,
    asked_until_readable,
    requests_of,
)
from mcp_server.adapters.dynamodb.seen import Seen, keys_of_items
from mcp_server.adapters.dynamodb.spans import request_span
from mcp_server.domain.schema import Schema, Table
from mcp_server.planning.plan import Operation, Read, Request
from mcp_server.planning.requests import KEYS_A_REQUEST
from mcp_server.planning.streaming import Key, key_names
from mcp_server.ports.items import Consumption, Observer, Part, Stretch, TableChanged

PARALLEL_REQUESTS = 8
PAGES_AHEAD = 2
BATCH_ATTEMPTS = 7
FIRST_PAUSE_SECONDS = 0.05

_BATCH = msgspec.json.Decoder(list[msgspec.Raw])

_Taken = TypeVar("_Taken")


class DynamoDbItems:
    """See ItemSource."""

    def __init__(self, clients: DynamoDbClients) -> None:
        self._clients = clients
        self._given_up = GivenUp()
        self._decoding = PageDecoding()

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
        return self._given_up.under_way(observers)

    async def _asked(self, schema: Schema, table: Table, ask: Callable[[], Awaitable[_Taken]]) -> _Taken:
        """What `ask` answers, at the table's pace."""
        return await self._clients.paces.of(schema, table.physical_name).run(partial(asked_until_readable, ask))

    def _tell(self, schema: Schema, read: Read, taken: Consumption, observe: Observer) -> None:
        """Tells what a response took: the table's pace, where that is bounded, and the observer."""
        if schema.read_units_per_second is not None:
            self._clients.paces.of(schema, read.relation.table.physical_name).spent(taken.read_units)
        observe(taken)

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
                    async with aclosing(self._batches(schema, read, batch, decoder, observe)) as pages:
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
            return self._batches(schema, read, request, decoder, observe, seen)

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
        told = _Told(number)

        async def ask() -> tuple[_Taken | None, RawItems]:
            raw = await self._response(schema, read, request.operation, arguments, observe, told)
            taken = await take(raw)
            told.taken = True
            return taken, raw

        while True:
            with _refusals(schema, table):
                taken, raw = await self._asked(schema, table, ask)
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
        arguments = dict(one.arguments) if limit is None else {**one.arguments, "Limit": limit}
        told = _Told(request)

        async def ask() -> Stretch:
            raw = await self._response(schema, read, one.operation, arguments, observe, told)
            items, places = await self._decoding.decoded(decoder.decode_with_places, raw.Items, raw.Count) or (None, ())
            return Stretch(
                items, raw.LastEvaluatedKey or None, lambda row: keys_of_items(raw.Items, key_names(read))[places[row]]
            )

        with _refusals(schema, table):
            if after is not None:
                arguments["ExclusiveStartKey"] = dynamodb.from_wire(after)
            return await self._asked(schema, table, ask)

    async def _response(
        self,
        schema: Schema,
        read: Read,
        operation: Operation,
        arguments: Mapping[str, Any],
        observe: Observer,
        told: "_Told",
    ) -> RawItems:
        """One response to Query or Scan, once it is told what it took."""
        client, name = self._clients.sender_of(schema), read.relation.table.physical_name
        ask = client.scan if operation == "Scan" else client.query

        async def asked() -> RawItems:
            with request_span(operation, schema, name) as tell:
                response = await told.lost.before(ask(**arguments, TableName=name, ReturnConsumedCapacity="TOTAL"))
                raw: RawItems = response[RAW]
                tell({"aws.dynamodb.count": raw.Count, "aws.dynamodb.scanned_count": raw.ScannedCount})
            taken = consumption.of_items(schema, read, response)
            part = told.part(begins="ExclusiveStartKey" not in arguments, ends=not raw.LastEvaluatedKey)
            if requests_of(response) > 1:
                part = None
            unshown = await self._unshown(read, raw.Items, raw.Count, told.lost)
            self._tell(schema, read, replace(taken, unshown=unshown, part=part), observe)
            return raw

        return await self._given_up.answer(asked(), told.lost, observe)

    async def _batches(
        self,
        schema: Schema,
        read: Read,
        request: Request,
        decoder: PageDecoder,
        observe: Observer,
        seen: Seen | None = None,
    ) -> AsyncGenerator[pa.RecordBatch]:
        name = read.relation.table.physical_name
        client = self._clients.sender_of(schema)
        wanted: dict[str, Any] = dict(request.arguments)
        lost = Lost()

        async def asked() -> tuple[msgspec.Raw, int, RawResponses]:
            with request_span("BatchGetItem", schema, name):
                batch = client.batch_get_item(RequestItems={name: wanted}, ReturnConsumedCapacity="TOTAL")
                response = await lost.before(batch)
            raw: RawResponses = response[RAW]
            items = raw.Responses.get(name, msgspec.Raw(b"[]"))
            count = _count(items)
            left = raw.UnprocessedKeys[name].Keys if name in raw.UnprocessedKeys else []
            missing = len(wanted["Keys"]) - len(left) - count
            taken = consumption.of_batch(
                schema, read, response, memoryview(items), count=count, missing=max(missing, 0)
            )
            unshown = await self._unshown(read, items, count, lost)
            self._tell(schema, read, replace(taken, unshown=unshown), observe)
            if missing < 0:
                message = "more items than keys"
                raise UnreadableResponse(message)
            return items, count, raw

        async def ask() -> tuple[pa.RecordBatch | None, RawResponses]:
            items, count, raw = await self._given_up.answer(asked(), lost, observe)
            return await self._decoding.page(decoder, items, count, seen), raw

        for pause in _pauses():
            with _refusals(schema, read.relation.table):
                page, raw = await self._asked(schema, read.relation.table, ask)
            if page is not None:
                yield page
            unprocessed = raw.UnprocessedKeys.get(name)
            if unprocessed is None or not unprocessed.Keys:
                return
            # "If DynamoDB returns any unprocessed items, you should retry the batch operation on those items. However,
            # we strongly recommend that you use an exponential backoff algorithm." (BatchGetItem)
            with failures_of(schema, name):
                wanted["Keys"] = [dynamodb.from_wire(key) for key in unprocessed.Keys]
            self._clients.paces.of(schema, name).slower()
            await asyncio.sleep(pause)
        raise dynamodb.throttled(schema)

    async def _unshown(self, read: Read, items: msgspec.Raw, count: int, lost: Lost) -> frozenset[str]:
        """The attributes of a response's items that the result's `*` does not show."""
        if not read.relation.starred or lost.given_up:
            return frozenset()
        return await self._decoding.unshown(read, items, count)


class _Told:
    """What is told of the responses to one request: a response that is asked for again counts twice."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.taken = True
        """Whether the response before could be read."""
        self.lost = Lost()

    def part(self, *, begins: bool, ends: bool) -> Part | None:
        """Which part of the request the next response is, if it is heard of for the first time."""
        if not self.taken:
            return None
        self.taken = False
        return Part(self._number, begins, ends)


def _count(items: msgspec.Raw) -> int:
    try:
        return len(_BATCH.decode(items))
    except msgspec.DecodeError as error:
        raise UnreadableResponse from error


@contextmanager
def _refusals(schema: Schema, table: Table) -> Iterator[None]:
    """As failures_of, for requests that follow the table's description."""
    try:
        with failures_of(schema, table.physical_name):
            yield
    except RequestRefused as refused:
        if refused.reason != "ValidationException":
            raise
        raise TableChanged(table, refused) from refused


def _pauses() -> Iterator[float]:
    return (FIRST_PAUSE_SECONDS * 2**attempt for attempt in range(BATCH_ATTEMPTS))
