"""The audit trail in Redis: a stream, whose ids are the time and the number of each batch."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from auth_server.adapters.redis_store.database import Argument, Database
from auth_server.domain.audit import EMPTY, AuditBatch, AuditHead

_PIECE = 100
"""Batches that one script reads."""


class RedisAudit:
    """Implements AuditStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def audit_head(self) -> AuditHead:
        """See AuditStore."""
        sequence, time_ms, hashed = await self._database.run("audit_head")
        return AuditHead(int(sequence), int(time_ms), hashed) if sequence else EMPTY

    async def append_audit(self, batch: AuditBatch) -> bool:
        """See AuditStore."""
        place = (batch.sequence, batch.time_ms, batch.previous, batch.hash, batch.body)
        return bool(await self._database.run("append_audit", *place, *batch.flow_ids(), durable=True))

    async def audit_batches(self, since: float = 0.0) -> AsyncIterator[AuditBatch]:
        """See AuditStore."""
        start = f"{int(since * 1000)}-0"
        while found := await self._database.run("audit_batches", start, _PIECE):
            for entry in found:
                yield _batch(entry)
            start = f"({found[-1][0].decode()}"

    async def audit_of(self, flow_id: str) -> Sequence[AuditBatch]:
        """See AuditStore."""
        batches: list[AuditBatch] = []
        first = 0
        while found := await self._database.run("audit_of", flow_id, first, first + _PIECE - 1):
            batches += map(_batch, found)
            first += _PIECE
        return batches

    async def forget_audit(self, before: float) -> int:
        """See AuditStore."""
        forgotten = 0
        async for batch in self.audit_batches():
            if batch.time_ms >= before * 1000:
                break
            forgotten += await self._database.run("forget_audit", stream_id(batch), *batch.flow_ids())
        return forgotten


def stream_id(batch: AuditBatch) -> str:
    """The id under which a batch stands in the stream."""
    return f"{batch.time_ms}-{batch.sequence}"


def batch_fields(batch: AuditBatch) -> dict[str, Argument]:
    """The fields of a batch in the stream, in order."""
    return {"previous": batch.previous, "hash": batch.hash, "body": batch.body}


def head_fields(head: AuditHead) -> dict[str, Argument]:
    """The fields of the store that say where the trail ends."""
    return {"audit_sequence": head.sequence, "audit_time_ms": head.time_ms, "audit_hash": head.hash}


def _batch(entry: Any) -> AuditBatch:
    identifier, (_, previous, _, hashed, _, body) = entry
    time_ms, sequence = map(int, identifier.split(b"-"))
    return AuditBatch(sequence, time_ms, previous, hashed, body)
