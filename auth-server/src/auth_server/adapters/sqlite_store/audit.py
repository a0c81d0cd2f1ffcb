"""The audit trail in SQLite."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import astuple

from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.audit import AuditBatch, AuditHead

BATCH_COLUMNS = "sequence, time_ms, previous, hash, body"
"""The fields of an AuditBatch, in order."""
_PIECE = 200
"""Batches that are read, or forgotten, at a time."""


class SqliteAudit:
    """Implements AuditStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def audit_head(self) -> AuditHead:
        """See AuditStore."""
        return await self._database.read(_head)

    async def append_audit(self, batch: AuditBatch) -> bool:
        """See AuditStore."""
        return await self._database.write(_append, batch)

    async def audit_batches(self, since: float = 0.0) -> AsyncIterator[AuditBatch]:
        """See AuditStore."""
        after = await self._database.read(_last_before, since)
        while batches := await self._database.read(_after, after):
            for batch in batches:
                yield batch
            after = batches[-1].sequence

    async def audit_of(self, flow_id: str) -> Sequence[AuditBatch]:
        """See AuditStore."""
        return await self._database.read(_of, flow_id)

    async def forget_audit(self, before: float) -> int:
        """See AuditStore."""
        total = 0
        while forgotten := await self._database.write(_forget, before):
            total += forgotten
        return total


def insert_batch(db: sqlite3.Connection, batch: AuditBatch) -> None:
    """Adds the batch that follows the head, and makes it the head."""
    db.execute(f"INSERT INTO audit ({BATCH_COLUMNS}) VALUES (?, ?, ?, ?, ?)", astuple(batch))
    flows = [(flow_id, batch.sequence) for flow_id in batch.flow_ids()]
    db.executemany("INSERT INTO audit_flows (flow_id, sequence) VALUES (?, ?)", flows)
    db.execute("UPDATE store SET audit_sequence = ?, audit_time_ms = ?, audit_hash = ?", astuple(batch.head))


def _head(db: sqlite3.Connection) -> AuditHead:
    return AuditHead(*db.execute("SELECT audit_sequence, audit_time_ms, audit_hash FROM store").fetchone())


def _append(db: sqlite3.Connection, batch: AuditBatch) -> bool:
    head = _head(db)
    if (batch.sequence, batch.previous) == (head.sequence + 1, head.hash):
        insert_batch(db, batch)
        return True
    there = db.execute("SELECT hash FROM audit WHERE sequence = ?", (batch.sequence,)).fetchone()
    return there is not None and bool(there[0] == batch.hash)


def _last_before(db: sqlite3.Connection, since: float) -> int:
    """The number of the last batch that is older."""
    last: int | None = db.execute("SELECT max(sequence) FROM audit WHERE time_ms < ?", (since * 1000,)).fetchone()[0]
    return last or 0


def _after(db: sqlite3.Connection, sequence: int) -> list[AuditBatch]:
    rows = db.execute(
        f"SELECT {BATCH_COLUMNS} FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?", (sequence, _PIECE)
    )
    return [AuditBatch(*row) for row in rows]


def _of(db: sqlite3.Connection, flow_id: str) -> list[AuditBatch]:
    rows = db.execute(
        f"SELECT {BATCH_COLUMNS} FROM audit WHERE sequence IN (SELECT sequence FROM audit_flows WHERE flow_id = ?)"
        " ORDER BY sequence",
        (flow_id,),
    )
    return [AuditBatch(*row) for row in rows]


def _forget(db: sqlite3.Connection, before: float) -> int:
    rows = db.execute(
        f"SELECT {BATCH_COLUMNS} FROM audit WHERE time_ms < ? ORDER BY sequence LIMIT ?", (before * 1000, _PIECE)
    ).fetchall()
    for batch in (AuditBatch(*row) for row in rows):
        flows = [(flow_id, batch.sequence) for flow_id in batch.flow_ids()]
        db.executemany("DELETE FROM audit_flows WHERE flow_id = ? AND sequence = ?", flows)
        db.execute("DELETE FROM audit WHERE sequence = ?", (batch.sequence,))
    return len(rows)
