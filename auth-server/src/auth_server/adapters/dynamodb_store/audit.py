"""The audit trail in DynamoDB: a partition for every hour, and for every flow the batches that tell of it.

Pointers are put before their batch is appended: one that leads to no batch, or to one of another process that was
faster, is not seen, and is deleted with its batch.
"""

from collections.abc import AsyncIterator, Sequence

from auth_server.adapters.dynamodb_store.items import (
    AUDIT,
    AUDIT_HEAD,
    Item,
    Key,
    audit_key,
    audit_pointer_key,
    audited_flow,
)
from auth_server.adapters.dynamodb_store.table import Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import NEW, Delete, Put, Update
from auth_server.domain.audit import EMPTY, AuditBatch, AuditHead

_HOUR_MS = 3_600_000


class DynamoDbAudit:
    """Implements AuditStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def audit_head(self) -> AuditHead:
        """See AuditStore."""
        async with self._table.in_time():
            return _head(await self._table.get(AUDIT_HEAD))

    async def append_audit(self, batch: AuditBatch) -> bool:
        """See AuditStore."""
        async with self._table.in_time():
            await self._table.put_all(_pointers(batch))
            first = {"first_hour": _hour(batch)}
            if batch.sequence == 1:
                head = Update(AUDIT_HEAD, _place(batch.head), NEW, at_first=first)
            else:
                before = {"before": batch.sequence - 1, "previous": batch.previous}
                head = Update(AUDIT_HEAD, _place(batch.head), "#sequence = :before AND #hash = :previous", before)
            try:
                await self._table.transact([head, Put(_key(batch), _item(batch), NEW)])
            except TransactionFailed:
                there = await self._table.get(_key(batch))
                return there is not None and there["hash"] == batch.hash
            return True

    async def audit_batches(self, since: float = 0.0) -> AsyncIterator[AuditBatch]:
        """See AuditStore."""
        end = await self._table.get(AUDIT_HEAD)
        if end is None:
            return
        earliest = int(since * 1000)
        first, last = max(int(end["first_hour"]), earliest // _HOUR_MS), int(end["time_ms"]) // _HOUR_MS
        for hour in range(first, last + 1):
            async for page in self._table.children(f"{AUDIT}{hour}", "batch#"):
                for batch in map(_batch, page):
                    if batch.time_ms >= earliest:
                        yield batch

    async def audit_of(self, flow_id: str) -> Sequence[AuditBatch]:
        """See AuditStore."""
        keys: list[Key] = []
        async for page in self._table.children(audited_flow(flow_id), "batch#"):
            keys += [audit_key(int(pointer["hour"]), int(pointer["sequence"])) for pointer in page]
        found = await self._table.get_many(keys)
        batches = [_batch(found[key]) for key in keys if key in found]
        return [batch for batch in batches if flow_id in batch.flow_ids()]

    async def forget_audit(self, before: float) -> int:
        """See AuditStore."""
        forgotten, first_hour = 0, None
        async for batch in self.audit_batches():
            first_hour = _hour(batch)
            if batch.time_ms >= before * 1000:
                break
            for pointer in _pointers(batch):
                await self._table.write(Delete(pointer.key))
            await self._table.write(Delete(_key(batch)))
            forgotten += 1
        if forgotten:
            await self._table.write(Update(AUDIT_HEAD, {"first_hour": first_hour}))
        return forgotten


def restored(batch: AuditBatch) -> list[Put]:
    """The items of a batch that a copy brings; the head comes last."""
    return [*_pointers(batch), Put(_key(batch), _item(batch))]


def restored_head(batches: Sequence[AuditBatch]) -> Update:
    """Makes the last of the batches that a copy brings the last one of the trail."""
    return Update(AUDIT_HEAD, _place(batches[-1].head), at_first={"first_hour": _hour(batches[0])})


def _pointers(batch: AuditBatch) -> list[Put]:
    place = {"sequence": batch.sequence, "hour": _hour(batch)}
    return [Put(audit_pointer_key(flow_id, batch.sequence), place) for flow_id in sorted(batch.flow_ids())]


def _hour(batch: AuditBatch) -> int:
    return batch.time_ms // _HOUR_MS


def _key(batch: AuditBatch) -> Key:
    return audit_key(_hour(batch), batch.sequence)


def _place(head: AuditHead) -> Item:
    return {"sequence": head.sequence, "time_ms": head.time_ms, "hash": head.hash}


def _item(batch: AuditBatch) -> Item:
    return {**_place(batch.head), "previous": batch.previous, "body": batch.body}


def _head(item: Item | None) -> AuditHead:
    return AuditHead(int(item["sequence"]), int(item["time_ms"]), item["hash"]) if item else EMPTY


def _batch(item: Item) -> AuditBatch:
    return AuditBatch(int(item["sequence"]), int(item["time_ms"]), item["previous"], item["hash"], item["body"])
