"""The table, driven through aioboto3. Every read is strongly consistent, but for those of the index.

Nothing of the driver's gets past this module: a failed condition is a value's exception with the item it met, all else
that goes wrong is StoreUnavailable. botocore sends a request again once that was lost or throttled; for transactions
with the same ClientRequestToken, so that they happen once. A write that is sent again and had happened already meets
its own result, which the verbs recognise. Collisions with another transaction are tried again here.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
from botocore.exceptions import ClientError

from auth_server.adapters.dynamodb_store.items import NEVER, Item, Key, Wire, encode, from_wire, to_wire
from auth_server.adapters.dynamodb_store.writes import Put, Write, operation, parameters
from auth_server.ports.store import StoreUnavailable
from shared_kernel.entropy import Entropy

INDEX = "due"
LISTING = 30.0
"""How many times longer than a verb of a request an operator's list may take."""
ATTEMPTS = 8
"""Times that a request is sent that collides with others."""
_FIRST_PAUSE = 0.01
_PASSING = {"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}
"""Why a transaction may be cancelled that can go through a moment later."""
_BATCH = 100
"""Keys that one BatchGetItem takes."""
_WRITE_BATCH = 25
"""Items that one BatchWriteItem takes."""


class ConditionFailed(Exception):
    """A write's condition did not hold; `met` is the item it met, None if there was none."""

    def __init__(self, met: Item | None) -> None:
        super().__init__("a condition did not hold")
        self.met = met


class TransactionFailed(Exception):
    """A condition of a transaction did not hold.

    `met` is the item that its first write met, None if that write's condition held or there was none.
    """

    def __init__(self, met: Item | None) -> None:
        super().__init__("a condition of a transaction did not hold")
        self.met = met


class _Collision(Exception):
    """Another transaction is at work on the same item, or there is no capacity left for this one."""


class Table:
    """A table that exists. Every method raises StoreUnavailable."""

    def __init__(self, client: Any, name: str, entropy: Entropy, patience: float) -> None:
        self._client, self._name, self._entropy, self._patience = client, name, entropy, patience
        self._log = structlog.get_logger("store")
        self._is_away = False

    def new_name(self) -> str:
        """A random name that nothing else has."""
        return self._entropy.token(128)

    def one_of(self, names: Sequence[str]) -> str:
        """One of the names, at random."""
        return names[int.from_bytes(self._entropy.bytes(4)) % len(names)]

    @asynccontextmanager
    async def in_time(self, factor: float = 1.0) -> AsyncIterator[None]:
        """Bounds a verb: one that takes longer than `factor` times the usual patience raises StoreUnavailable."""
        try:
            async with asyncio.timeout(self._patience * factor):
                yield
        except TimeoutError as error:
            self._note_fault("verb", "too_slow")
            raise StoreUnavailable from error

    async def get(self, key: Key) -> Item | None:
        """The item of that key."""
        answer = await self._call("get_item", TableName=self._name, Key=to_wire(key._asdict()), ConsistentRead=True)
        return from_wire(answer["Item"]) if "Item" in answer else None

    async def get_many(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """The items that there are, each read at some moment of its own."""
        found: dict[Key, Item] = {}
        distinct = list(dict.fromkeys(keys))
        for start in range(0, len(distinct), _BATCH):
            left = [to_wire(key._asdict()) for key in distinct[start : start + _BATCH]]
            for attempt in range(ATTEMPTS):
                left = await self._read_batch(left, found)
                if not left:
                    break
                await self._pause(attempt)
            else:
                self._note_fault("batch_get_item", "unprocessed")
                raise StoreUnavailable
        return found

    async def _read_batch(self, keys: list[Wire], found: dict[Key, Item]) -> list[Wire]:
        """Adds what is found of a batch; gives the keys that DynamoDB had no capacity left for."""
        request = {self._name: {"Keys": keys, "ConsistentRead": True}}
        answer = await self._call("batch_get_item", RequestItems=request)
        for item in map(from_wire, answer["Responses"].get(self._name, [])):
            found[key_of(item)] = item
        unread: list[Wire] = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
        return unread

    async def write(self, write: Write) -> None:
        """Writes one item. Raises ConditionFailed."""
        method = f"{operation(write).lower()}_item"
        await self._persistently(method, parameters(write, self._name))

    async def transact(self, writes: Sequence[Write]) -> None:
        """Writes all items or none. Raises TransactionFailed."""
        if len(writes) == 1:
            try:
                await self.write(writes[0])
            except ConditionFailed as failed:
                raise TransactionFailed(failed.met) from failed
            return
        request = [{operation(write): parameters(write, self._name)} for write in writes]
        await self._persistently("transact_write_items", {"TransactItems": request})

    async def put_all(self, puts: Sequence[Put]) -> None:
        """Writes all items, each for itself; conditions do not count."""
        for start in range(0, len(puts), _WRITE_BATCH):
            left: list[Any] = [
                {"PutRequest": {"Item": parameters(put, self._name)["Item"]}}
                for put in puts[start : start + _WRITE_BATCH]
            ]
            for attempt in range(ATTEMPTS):
                answer = await self._call("batch_write_item", RequestItems={self._name: left})
                left = answer.get("UnprocessedItems", {}).get(self._name, [])
                if not left:
                    break
                await self._pause(attempt)
            else:
                self._note_fault("batch_write_item", "unprocessed")
                raise StoreUnavailable

    async def children(self, pk: str, prefix: str, page_size: int | None = None) -> AsyncIterator[list[Item]]:
        """A partition's items whose sort key begins so, in pages."""
        async for page in self._pages(
            ConsistentRead=True,
            KeyConditionExpression="#pk = :pk AND begins_with(#sk, :prefix)",
            ExpressionAttributeNames={"#pk": "pk", "#sk": "sk"},
            ExpressionAttributeValues={":pk": encode(pk), ":prefix": encode(prefix)},
            **_limit(page_size),
        ):
            yield page

    async def queued(self, queue: str, until: float = NEVER, page_size: int | None = None) -> AsyncIterator[list[Key]]:
        """The keys in a queue that are due by then, the longest overdue first, in pages. May lag by some seconds."""
        async for page in self._pages(**_queue(queue, until), **_limit(page_size)):
            yield [key_of(item) for item in page]

    async def count(self, queue: str) -> int:
        """How many items are in a queue. May lag by some seconds."""
        request = {**_queue(queue, NEVER), "Select": "COUNT"}
        count = 0
        while True:
            answer = await self._call("query", TableName=self._name, **request)
            count += int(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                return count
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def all_of(self, sk: str) -> AsyncIterator[list[Item]]:
        """All items of that sort key, in pages. Reads the whole table."""
        return self._scanned("#key = :text", "sk", sk)

    def all_under(self, prefix: str) -> AsyncIterator[list[Item]]:
        """All items whose partition key begins so, in pages. Reads the whole table."""
        return self._scanned("begins_with(#key, :text)", "pk", prefix)

    def all_beginning(self, prefix: str) -> AsyncIterator[list[Item]]:
        """All items whose sort key begins so, in pages. Reads the whole table."""
        return self._scanned("begins_with(#key, :text)", "sk", prefix)

    def _scanned(self, condition: str, key: str, text: str) -> AsyncIterator[list[Item]]:
        return self._pages(
            "scan",
            ConsistentRead=True,
            FilterExpression=condition,
            ExpressionAttributeNames={"#key": key},
            ExpressionAttributeValues={":text": encode(text)},
        )

    async def _pages(self, method: str = "query", **request: Any) -> AsyncIterator[list[Item]]:
        while True:
            answer = await self._call(method, TableName=self._name, **request)
            yield [from_wire(item) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _persistently(self, method: str, request: dict[str, Any]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._call(method, **request)
            except _Collision:
                await self._pause(attempt)
            else:
                return
        self._note_fault(method, "collisions")
        raise StoreUnavailable

    async def _pause(self, attempt: int) -> None:
        """Waits for a random while, in which whoever is in the way gets done."""
        fraction = int.from_bytes(self._entropy.bytes(2)) / 0xFFFF
        await asyncio.sleep(_FIRST_PAUSE * 2**attempt * fraction)

    async def _call(self, method: str, **request: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = await getattr(self._client, method)(**request)
        except ClientError as error:
            raise self._judged(error, method) from error
        except Exception as error:  # only the driver runs in here, and its layers raise what they like
            self._note_fault(method, type(error).__name__)
            raise StoreUnavailable from error
        if self._is_away:
            self._is_away = False
            self._log.warning("store_back")
        return answer

    def _judged(self, error: ClientError, method: str) -> Exception:
        code = error.response["Error"].get("Code", "")
        if code == "ConditionalCheckFailedException":
            met = error.response.get("Item")
            return ConditionFailed(from_wire(met) if met else None)
        if code == "TransactionConflictException":
            return _Collision()
        reasons = error.response.get("CancellationReasons", [])
        codes = [reason.get("Code") for reason in reasons]
        if "ConditionalCheckFailed" in codes:
            met = reasons[0].get("Item")
            return TransactionFailed(from_wire(met) if met else None)
        if code == "TransactionCanceledException" and set(codes) <= _PASSING:
            return _Collision()
        # The message may quote values; the code and the reasons never do.
        self._note_fault(method, ":".join([code, *filter(None, codes)]))
        return StoreUnavailable()

    def _note_fault(self, method: str, cause: str) -> None:
        """Logs the first fault after a success."""
        if not self._is_away:
            self._is_away = True
            self._log.error("store_away", operation=method, cause=cause)


def _queue(queue: str, until: float) -> dict[str, Any]:
    """The parameters of a query for what is due in a queue by then."""
    return {
        "IndexName": INDEX,
        "KeyConditionExpression": "#queue = :queue AND #due <= :due",
        "ExpressionAttributeNames": {"#queue": "queue", "#due": "due"},
        "ExpressionAttributeValues": {":queue": encode(queue), ":due": encode(until)},
    }


def _limit(page_size: int | None) -> dict[str, Any]:
    return {} if page_size is None else {"Limit": page_size}


def key_of(item: Item) -> Key:
    """The item's key."""
    return Key(item["pk"], item["sk"])
