"""Single requests for items, each told to whoever observes its read, at the pace of its table."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import msgspec

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
from mcp_server.adapters.dynamodb.spans import request_span
from mcp_server.domain.schema import Schema, Table
from mcp_server.planning.plan import Operation, Read, Request
from mcp_server.ports.items import Consumption, Observer, Part, TableChanged

BATCH_ATTEMPTS = 7
FIRST_PAUSE_SECONDS = 0.05

_BATCH = msgspec.json.Decoder(list[msgspec.Raw])

_Taken = TypeVar("_Taken")


class Requests:
    """Sends requests for items; what came of those that were given up is told later."""

    def __init__(self, clients: DynamoDbClients, decoding: PageDecoding) -> None:
        self._clients, self._decoding = clients, decoding
        self._given_up = GivenUp()

    def under_way(self, observers: Collection[Observer]) -> Awaitable[None] | None:
        """See ItemSource.under_way."""
        return self._given_up.under_way(observers)

    async def asked(self, schema: Schema, table: Table, ask: Callable[[], Awaitable[_Taken]]) -> _Taken:
        """What `ask` answers, at the table's pace."""
        return await self._clients.paces.of(schema, table.physical_name).run(partial(asked_until_readable, ask))

    def _tell(self, schema: Schema, read: Read, taken: Consumption, observe: Observer) -> None:
        """Tells what a response took: the table's pace, where that is bounded, and the observer."""
        if schema.read_units_per_second is not None:
            self._clients.paces.of(schema, read.relation.table.physical_name).spent(taken.read_units)
        observe(taken)

    async def response(
        self,
        schema: Schema,
        read: Read,
        operation: Operation,
        arguments: Mapping[str, Any],
        observe: Observer,
        told: "Told",
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

    async def batches(
        self,
        schema: Schema,
        read: Read,
        request: Request,
        observe: Observer,
        take: Callable[[msgspec.Raw, int], Awaitable[_Taken | None]],
    ) -> AsyncGenerator[_Taken]:
        """What `take` makes of the items of some keys, and of their number, but for where it makes nothing."""
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

        async def ask() -> tuple[_Taken | None, RawResponses]:
            items, count, raw = await self._given_up.answer(asked(), lost, observe)
            return await take(items, count), raw

        for pause in _pauses():
            with refusals(schema, read.relation.table):
                taken, raw = await self.asked(schema, read.relation.table, ask)
            if taken is not None:
                yield taken
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


class Told:
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
def refusals(schema: Schema, table: Table) -> Iterator[None]:
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
