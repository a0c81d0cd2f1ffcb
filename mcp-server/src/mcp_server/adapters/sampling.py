"""Looks at some items of a table: at the beginnings of the segments of its scan.

A scan walks the table in the order of hashed keys, so the segments' beginnings are a fair draw. Who may see some rows
only is shown what those hold: where they lie in a few partitions, of the table or of an index that holds whole items,
these are looked at, since few of a large table's other items may be among them.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import anyio.to_thread
import msgspec

from mcp_server.adapters.concurrency import all_of
from mcp_server.adapters.decoding.attribute_values import Item
from mcp_server.adapters.decoding.restricted_items import restricted_items
from mcp_server.adapters.decoding.virtual_items import of_virtual_table
from mcp_server.adapters.dynamodb.clients import DynamoDbClients, failures_of
from mcp_server.adapters.dynamodb.consumption import of_look
from mcp_server.adapters.dynamodb.given_up import GivenUp
from mcp_server.adapters.dynamodb.lost import Lost
from mcp_server.adapters.dynamodb.responses import RAW, RawItems, UnreadableResponse, asked_until_readable
from mcp_server.adapters.dynamodb.spans import request_span
from mcp_server.adapters.table_description import Samples
from mcp_server.domain.restriction import AllowedValues, Restriction, Rows
from mcp_server.domain.schema import AttributeType, KeyAttribute, Schema, Table
from mcp_server.planning.estimates import UNIT_BYTES, read_units
from mcp_server.ports.items import Consumption, Observer

SEGMENTS = 8
"""How many places of a table are looked at, and the most partitions that are."""
SECONDS_OF_A_LOOK = 5
"""For how long a table whose read units per second are bounded may be taken up by all of its looks together."""

_ITEMS = msgspec.json.Decoder(list[dict[str, dict[str, Any]]])


def _unobserved(_: Consumption) -> None:
    """Hears of what nobody pays for."""


class Look(NamedTuple):
    """What was found at one place."""

    items: list[Item]
    scanned: int
    ended: bool
    """Whether that was all there is."""


async def looks(
    clients: DynamoDbClients,
    schema: Schema,
    table: Table,
    *,
    limit: int,
    rows: Rows = (),
    conditions: Mapping[str, Any] | None = None,
    observe: Observer = _unobserved,
) -> list[Look]:
    """Looks at the first `limit` items of each segment, or at as many in all of the partitions in which `rows` lie.

    What is kept of them are the items that meet the conditions, arguments of a request, and that `rows` allow; of a
    virtual table its own, with its columns. `observe` hears of every response when it arrives, also of those to
    requests that are under way when nobody waits for the looks any more; what it raises ends the looks. Raises
    Failure, UnreadableResponse.
    """
    places = list(_partitions(table, rows))
    requests = places or [{"Segment": segment, "TotalSegments": SEGMENTS} for segment in range(SEGMENTS)]
    each = max(1, min(limit * SEGMENTS, _affordable(schema, table)) // len(requests))
    found = await all_of(
        _look(clients, schema, table, {**_both(place, conditions or {}), "Limit": each}, observe) for place in requests
    )
    return [look._replace(items=_own(look.items, table, rows)) for look in found]


def _affordable(schema: Schema, table: Table) -> int:
    """How many items are looked at in a table whose read units are bounded: its statements wait for what is over."""
    if schema.read_units_per_second is None or not table.item_count or not table.size_bytes:
        return sys.maxsize
    units = schema.read_units_per_second * SECONDS_OF_A_LOOK
    return int(units / read_units(UNIT_BYTES, consistent=False) * UNIT_BYTES * table.item_count / table.size_bytes)


def _own(items: list[Item], table: Table, rows: Rows) -> list[Item]:
    if rows:
        items = restricted_items(items, Restriction(rows=rows))
    return items if table.virtual is None else of_virtual_table(items, table.virtual)


def _partitions(table: Table, rows: Rows) -> Iterator[Mapping[str, Any]]:
    """What asks for the partitions in which all the rows lie; nothing where no key tells them, or too many do."""
    indexes = [(index.hash_keys, {"IndexName": index.name}) for index in table.indexes if index.active]
    whole = {index.name for index in table.indexes if index.projected is None}
    for keys, index in [((table.hash_key,), {}), *indexes]:
        if len(keys) != 1 or (index and index["IndexName"] not in whole):
            continue
        for values in (_values(rule, keys[0]) for rule in rows if rule.attribute == keys[0].name):
            if 0 < len(values) <= SEGMENTS:
                for value in values:
                    yield {
                        **index,
                        "KeyConditionExpression": "#partition = :partition",
                        "ExpressionAttributeNames": {"#partition": keys[0].name},
                        "ExpressionAttributeValues": {":partition": value},
                    }
                return


def _values(rule: AllowedValues, key: KeyAttribute) -> Sequence[Mapping[str, str]]:
    """The keys that a rule allows, as DynamoDB writes them."""
    if key.type is AttributeType.NUMBER:
        return [{"N": f"{number:f}"} for number in sorted(rule.numbers)]
    return [{"S": text} for text in sorted(rule.texts)] if key.type is AttributeType.STRING else []


def _both(place: Mapping[str, Any], conditions: Mapping[str, Any]) -> dict[str, Any]:
    names = {**place.get("ExpressionAttributeNames", {}), **conditions.get("ExpressionAttributeNames", {})}
    return {**place, **conditions, **({"ExpressionAttributeNames": names} if names else {})}


async def _look(
    clients: DynamoDbClients, schema: Schema, table: Table, arguments: Mapping[str, Any], observe: Observer
) -> Look:
    operation = "Scan" if "Segment" in arguments else "Query"
    client, pace = clients.of(schema), clients.paces.of(schema, table.physical_name)
    send = client.scan if operation == "Scan" else client.query
    lost, given_up = Lost(), GivenUp()

    async def asked() -> RawItems:
        with request_span(operation, schema, table.physical_name):
            answer = send(TableName=table.physical_name, ReturnConsumedCapacity="TOTAL", **arguments)
            response = await lost.before(answer)
        taken = of_look(schema, table, response)
        pace.spent(taken.read_units)
        observe(taken)
        raw: RawItems = response[RAW]
        return raw

    async def ask() -> Look:
        raw = await given_up.answer(asked(), lost, observe)
        # Who is cancelled does not wait for the thread.
        items = await anyio.to_thread.run_sync(_items, raw, abandon_on_cancel=True)
        return Look(items, raw.ScannedCount, not raw.LastEvaluatedKey)

    with failures_of(schema, table.physical_name):
        return await pace.run(partial(asked_until_readable, ask))


def _items(raw: RawItems) -> list[Item]:
    """The items of a response. Raises UnreadableResponse."""
    try:
        items: list[Item] = _ITEMS.decode(raw.Items)
        samples_of(items)
    except (msgspec.DecodeError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnreadableResponse from error
    if len(items) != raw.Count:
        message = "another number of items than it counts"
        raise UnreadableResponse(message)
    return items


def samples_of(*places: list[Item]) -> Samples:
    """What the items of some places hold. Raises MalformedValue."""
    samples = Samples()
    for items in places:
        samples.add(items)
    return samples
