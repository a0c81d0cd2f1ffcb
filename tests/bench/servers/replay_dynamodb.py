"""A DynamoDB that answers prepared bytes: it costs its callers a round trip and no more.

It holds one table, `items`, and understands equality of keys, filters and projections. An answer is worked out when its
request is first heard and replayed from then on; anything it does not understand is a ValidationException. PORT and
ITEMS come in the environment. With REPEATS, a scan comes to the table's end only after it has gone through it that
often, so that a table may be far larger than the memory that holds its pages.
"""

import asyncio
import itertools
import json
import os
import random
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import uvloop

from mcp_server.planning.plan import Request
from tests.mcp_server.planning.filter_language import Condition, compile_filter, projection

TABLE = "items"
INDEX, IN_BATCH = "by_batch", 100
"""A global secondary index, and how many items it has under each key."""
PAGE_BYTES = 1 << 20
STATUSES = ("PENDING", "PAID", "SHIPPED", "DELIVERED", "CANCELLED", "RETURNED")
CITIES = ("Oslo", "Paris", "Berlin", "Austin", "Pune", "Lyon", "Bergen")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"x-amz-target: *DynamoDB_20120810\.(\w+)", re.IGNORECASE)
_EQUALITIES = re.compile(r"(\S+) = (:\w+)(?: AND (\S+) = (:\w+))?")

Item = dict[str, dict[str, Any]]
Body = dict[str, Any]


class NotUnderstood(Exception):
    """The request holds something that this server does not know."""


def item(number: int) -> Item:
    """An order: eight scalars and a map, the same in every process."""
    draw = random.Random(number)
    return {
        "pk": {"S": f"C#{number // 20:07d}"},
        "sk": {"S": f"O#{number:09d}"},
        "batch": {"S": f"B#{number // IN_BATCH:07d}"},
        "status": {"S": draw.choice(STATUSES)},
        "amount": {"N": f"{draw.randrange(100, 1_000_000) / 100:.2f}"},
        "quantity": {"N": str(draw.randrange(1, 50))},
        "created_at": {"S": f"2025-{draw.randrange(1, 13):02d}-{draw.randrange(1, 28):02d}T08:00:00Z"},
        "gift": {"BOOL": draw.random() < 0.1},
        "address": {"M": {"city": {"S": draw.choice(CITIES)}, "zip": {"N": str(draw.randrange(10_000, 99_999))}}},
    }


class _Rounds:
    """The last page of a table that is gone through several times: it is the end but once."""

    def __init__(self, again: bytes, end: bytes, rounds: int) -> None:
        self._again, self._end, self._rounds = again, end, rounds
        self._left = rounds

    def answer(self) -> bytes:
        """The page, as it is this time."""
        self._left = self._left - 1 or self._rounds
        return self._end if self._left == self._rounds else self._again


def _place(page: int) -> Item:
    return {"pk": {"S": "P"}, "sk": {"S": f"P#{page}"}}


class Replay:
    """The table and the answers that have been worked out."""

    def __init__(self, items: Sequence[Item], repeats: int) -> None:
        self._items, self._repeats = items, repeats
        self._by_key = {(each["pk"]["S"], each["sk"]["S"]): each for each in items}
        self._partitions: dict[str, list[Item]] = {}
        for each, key in itertools.product(items, ("pk", "batch")):
            self._partitions.setdefault(each[key]["S"], []).append(each)
        self._size = repeats * sum(len(_json(each)) * 6 // 10 for each in items)
        self._answers: dict[tuple[bytes, bytes], bytes | _Rounds] = {}
        self._pages: dict[str, list[Body]] = {}

    def answer(self, operation: bytes, body: bytes) -> bytes:
        """The whole HTTP answer."""
        known = self._answers.get((operation, body))
        if known is None:
            try:
                known = self._worked_out(operation, getattr(self, f"_{operation.decode()}")(json.loads(body)))
            except (NotUnderstood, AttributeError) as problem:
                kind = "com.amazonaws.dynamodb.v20120810#ValidationException"
                sys.stderr.write(f"not understood: {operation!r} {body!r}: {problem}\n")
                known = _http(400, {"__type": kind, "message": str(problem)})
            self._answers[operation, body] = known
        return known if isinstance(known, bytes) else known.answer()

    def _worked_out(self, operation: bytes, document: Body) -> "bytes | _Rounds":
        if operation != b"Scan" or self._repeats == 1 or "LastEvaluatedKey" in document:
            return _http(200, document)
        return _Rounds(_http(200, document | {"LastEvaluatedKey": _place(0)}), _http(200, document), self._repeats)

    def _ListTables(self, _body: Body) -> Body:  # noqa: N802 - the operation's name
        return {"TableNames": [TABLE]}

    def _DescribeTable(self, _body: Body) -> Body:  # noqa: N802 - the operation's name
        keys = (("pk", "HASH"), ("sk", "RANGE"))
        return {
            "Table": {
                "TableName": TABLE,
                "TableStatus": "ACTIVE",
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": "S"} for name in (*dict(keys), "batch")
                ],
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": INDEX,
                        "IndexStatus": "ACTIVE",
                        "KeySchema": [{"AttributeName": "batch", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "ALL"},
                        "ItemCount": len(self._items),
                    }
                ],
                "ItemCount": len(self._items) * self._repeats,
                "TableSizeBytes": self._size,
            }
        }

    def _GetItem(self, body: Body) -> Body:  # noqa: N802 - the operation's name
        found = self._by_key.get((body["Key"]["pk"]["S"], body["Key"]["sk"]["S"]))
        return {"Item": _projected(body)(found)} if found else {}

    def _BatchGetItem(self, body: Body) -> Body:  # noqa: N802 - the operation's name
        wanted = body["RequestItems"][TABLE]
        found = [self._by_key.get((key["pk"]["S"], key["sk"]["S"])) for key in wanted["Keys"]]
        items = [_projected(wanted)(each) for each in found if each]
        consumed = [{"TableName": TABLE, "CapacityUnits": 0.5 * len(items)}]
        return {"Responses": {TABLE: items}, "UnprocessedKeys": {}, "ConsumedCapacity": consumed}

    def _Query(self, body: Body) -> Body:  # noqa: N802 - the operation's name
        matched = _EQUALITIES.fullmatch(body["KeyConditionExpression"].replace("(", "").replace(")", ""))
        if matched is None:
            raise NotUnderstood(body["KeyConditionExpression"])
        pairs = zip(matched.groups()[::2], matched.groups()[1::2], strict=True)
        values = {_name(body, name): body["ExpressionAttributeValues"][value]["S"] for name, value in pairs if name}
        partition = values["batch" if body.get("IndexName") == INDEX else "pk"]
        found = [each for each in self._partitions.get(partition, []) if values.get("sk") in (None, each["sk"]["S"])]
        return _page(found, len(found), body, None)

    def _Scan(self, body: Body) -> Body:  # noqa: N802 - the operation's name
        start = body.pop("ExclusiveStartKey", None)
        pages = self._pages.setdefault(json.dumps(body, sort_keys=True), [])
        if not pages:
            pages.extend(self._scan(body))
        number = 0 if start is None else int(start["sk"]["S"].removeprefix("P#"))
        return pages[number]

    def _scan(self, body: Body) -> Iterator[Body]:
        segment = self._items[body.get("Segment", 0) :: body.get("TotalSegments", 1)]
        each, size, number = [], 0, 0
        for candidate in segment:
            each.append(candidate)
            size += len(_json(candidate)) * 6 // 10  # an attribute weighs less than its JSON
            if size >= PAGE_BYTES or len(each) == body.get("Limit"):
                number += 1
                yield _page(each, len(each), body, _place(number))
                each, size = [], 0
        yield _page(each, len(each), body, None)


def _page(items: Sequence[Item], scanned: int, body: Body, last: Item | None) -> Body:
    passes, part = _filter(body), _projected(body)
    kept = [part(each) for each in items if passes(each)]
    page: Body = {"Items": kept, "Count": len(kept), "ScannedCount": scanned}
    if body.get("Select") == "COUNT":
        del page["Items"]
    if last is not None:
        page["LastEvaluatedKey"] = last
    return page | {"ConsumedCapacity": {"TableName": TABLE, "CapacityUnits": 0.5}}


def _filter(body: Body) -> Condition:
    names, values = body.get("ExpressionAttributeNames", {}), body.get("ExpressionAttributeValues", {})
    try:
        return compile_filter(body.get("FilterExpression"), names, values)
    except (AssertionError, KeyError, IndexError) as problem:
        raise NotUnderstood(body["FilterExpression"]) from problem


def _projected(arguments: Mapping[str, Any]) -> Callable[[Item], Mapping[str, Any]]:
    request = Request("Scan", arguments)
    return projection(request)


def _name(body: Mapping[str, Any], placeholder: str) -> str:
    return str(body.get("ExpressionAttributeNames", {}).get(placeholder, placeholder))


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _http(status: int, document: Body) -> bytes:
    body = _json(document)
    head = (
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'Bad Request'}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"x-amzn-RequestId: R\r\nx-amz-crc32: {zlib.crc32(body)}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, replay: Replay) -> None:
        self._replay, self._buffer = replay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < stop:
                return
            body, self._buffer = self._buffer[end + 4 : stop], self._buffer[stop:]
            operation = _OPERATION.search(head)
            self._transport.write(self._replay.answer(operation[1], body) if operation else _http(200, {}))


async def _serve() -> None:
    items = [item(number) for number in range(int(os.environ["ITEMS"]))]
    replay = Replay(items, int(os.environ.get("REPEATS", "1")))
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: _Connection(replay), "127.0.0.1", int(os.environ["PORT"]))
    await listener.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
