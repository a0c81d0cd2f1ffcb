"""What a response of DynamoDB took.

Read units are DynamoDB's own where it is AWS that answers. Emulators report wrong ones or none, so for any other
endpoint they are computed: 0.5 for each 4096 bytes looked at (twice that when strongly consistent), rounded up per
response, for BatchGetItem per key, whether or not there is an item of that key. The bytes are the items' number times
the table's average item size, which for such endpoints comes from the catalogue's sample; a read through an index is
computed as if it held whole items.
"""

from typing import Any

from mcp_server.adapters.dynamodb.responses import BYTES, RAW, RawItems, RawResponses, requests_of
from mcp_server.domain.schema import Schema, Table
from mcp_server.planning.estimates import UNIT_BYTES, read_units
from mcp_server.planning.plan import Read
from mcp_server.ports.items import Consumption


def of_items(schema: Schema, read: Read, response: Any) -> Consumption:
    """Of a response to Query or Scan."""
    return of_look(schema, read.relation.table, response, counts=read.counts, consistent=read.consistent)


def of_look(
    schema: Schema, table: Table, response: Any, *, counts: bool = False, consistent: bool = False
) -> Consumption:
    """Of a response to Query or Scan of a table."""
    raw: RawItems = response[RAW]
    if schema.endpoint_url is None:
        units = float((raw.ConsumedCapacity or {}).get("CapacityUnits", 0.0))
    else:
        items = 0 if counts else raw.Count
        size = raw.ScannedCount * _item_size(table, memoryview(raw.Items).nbytes, items)
        units = read_units(size, consistent=consistent)
    return Consumption(raw.Count, raw.ScannedCount, response[BYTES], units * requests_of(response))


def of_batch(schema: Schema, read: Read, response: Any, items: memoryview, *, count: int, missing: int) -> Consumption:
    """Of a response to BatchGetItem with so many items of the table, `items` as they came, and none of other keys."""
    raw: RawResponses = response[RAW]
    if schema.endpoint_url is None:
        units = sum(float(part.get("CapacityUnits", 0.0)) for part in raw.ConsumedCapacity)
    else:
        # Developer Guide, DynamoDB read and write operations: "If you perform a read operation on an item that doesn't
        # exist, DynamoDB will still consume read throughput as outlined above."
        size = _item_size(read.relation.table, items.nbytes, count)
        units = count * read_units(size, consistent=read.consistent)
        units += missing * read_units(0, consistent=read.consistent)
    return Consumption(count, count, response[BYTES], units * requests_of(response))


def _item_size(table: Table, wire_bytes: int, items: int) -> float:
    if table.item_count and table.size_bytes:
        return table.size_bytes / table.item_count
    return wire_bytes / items if items else UNIT_BYTES
