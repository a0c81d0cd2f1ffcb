"""Results kept in Redis, so that whichever replica is asked has the next page.

A result is a hash of sealed chunks, `{prefix:owner}:result:<id>`, of which a page fetches the one or two that it needs;
`{prefix:owner}:kept` names those of an owner with their sizes, by the time at which they expire. Nothing in Redis can
be read without the key that seals cursors, nor be taken for another result, owner or place.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, cast

import anyio.to_thread
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from redis.asyncio import Redis

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result, ResultColumn
from mcp_server.ports.spool import Part, SpoolUnavailable
from shared_kernel.entropy import Entropy

CHUNK_ROWS = 1000
RESULT_BYTES = 16 * 1024 * 1024
"""Most bytes of one result as they are stored, compressed and sealed."""
OWNER_BYTES = 4 * RESULT_BYTES
"""Most bytes of one principal's results; the oldest give way."""
_NONCE_BYTES = 12
_HEAD = "head"

# Makes room among an owner's results, oldest first, and notes the new one.
_NOTE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
local kept = redis.call('ZRANGE', KEYS[2], 0, -1)
local total = tonumber(ARGV[2])
for _, member in ipairs(kept) do total = total + tonumber(string.match(member, '%d+$')) end
for _, member in ipairs(kept) do
  if total <= tonumber(ARGV[4]) then break end
  redis.call('UNLINK', ARGV[5] .. string.match(member, '^[^ ]+'))
  redis.call('ZREM', KEYS[2], member)
  total = total - tonumber(string.match(member, '%d+$'))
end
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[1] .. ' ' .. ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
"""


class RedisSpool:
    """A Spool in Redis, shared by all replicas with the same `cursor_key`."""

    def __init__(
        self,
        redis: SharedRedis,
        *,
        cursor_key: bytes,
        entropy: Entropy,
        lifetime_seconds: float,
        result_bytes: int = RESULT_BYTES,
        owner_bytes: int = OWNER_BYTES,
    ) -> None:
        self._redis, self._entropy = redis, entropy
        self._lifetime = int(lifetime_seconds * 1000)
        self._result_bytes, self._owner_bytes = result_bytes, owner_bytes
        key = HKDF(SHA256(), length=32, salt=None, info=b"dynamosql spool").derive(cursor_key)
        self._cipher = AESGCM(key)

    async def put(self, principal: Principal, result: Result) -> str | None:
        """See Spool."""
        if result.table.nbytes > 8 * self._result_bytes:  # it will not be compressed by so much
            return None
        spool_id, owner = self._entropy.token(128), self._owner(principal)
        stem = f"{owner}:result:"
        key, kept = f"{stem}{spool_id}", f"{owner}:kept"
        fields = await anyio.to_thread.run_sync(self._sealed, key, result, abandon_on_cancel=True)
        size = sum(map(len, fields.values()))
        if size > self._result_bytes:
            return None

        def keep(redis: Redis) -> Awaitable[Any]:
            pipeline = redis.pipeline(transaction=True)
            pipeline.hset(key, mapping=cast("Any", fields))
            pipeline.pexpire(key, self._lifetime)
            pipeline.eval(_NOTE, 2, key, kept, spool_id, str(size), str(self._lifetime), str(self._owner_bytes), stem)
            return pipeline.execute()

        await self._asked(keep)
        return spool_id

    async def get(self, principal: Principal, spool_id: str, start: int, rows: int) -> Part | None:
        """See Spool."""
        key = f"{self._owner(principal)}:result:{spool_id}"
        first, last = start // CHUNK_ROWS, (start + max(rows, 1) - 1) // CHUNK_ROWS
        names = [_HEAD, *map(str, range(first, last + 1))]
        found = await self._asked(lambda redis: redis.hmget(key, names))
        sealed = {name: value for name, value in zip(names, found, strict=True) if value is not None}
        if _HEAD not in sealed:
            return None
        try:
            return await anyio.to_thread.run_sync(self._part, key, sealed, start, rows, abandon_on_cancel=True)
        except InvalidTag:  # another key sealed it, or it is not what we wrote
            return None

    async def _asked(self, question: Callable[[Redis], Awaitable[Any]]) -> Any:
        try:
            return await self._redis.asked(question)
        except Unanswered as error:
            raise SpoolUnavailable from error

    def _owner(self, principal: Principal) -> str:
        """What the keys of an owner begin with; in a cluster they are in one slot."""
        owner = json.dumps([principal.tenant, principal.subject, principal.client_id])
        return self._redis.slot(hashlib.sha256(owner.encode()).hexdigest()[:32])

    def _sealed(self, key: str, result: Result) -> dict[str, bytes]:
        head = {
            "columns": [asdict(column) for column in result.columns],
            "complete": result.complete,
            "rows": result.table.num_rows,
        }
        parts = {_HEAD: json.dumps(head).encode()}
        for number in range(-(-result.table.num_rows // CHUNK_ROWS)):
            parts[str(number)] = _written(result.table.slice(number * CHUNK_ROWS, CHUNK_ROWS))
        return {name: self._seal(f"{key} {name}", part) for name, part in parts.items()}

    def _part(self, key: str, sealed: dict[str, bytes], start: int, rows: int) -> Part | None:
        opened = {name: self._open(f"{key} {name}", value) for name, value in sealed.items()}
        head = json.loads(opened.pop(_HEAD))
        if start >= head["rows"] or not opened:
            return None
        first = min(map(int, opened))
        table = pa.concat_tables([_read(opened[name]) for name in sorted(opened, key=int)])
        columns = tuple(ResultColumn(**column) for column in head["columns"])
        part = table.slice(start - first * CHUNK_ROWS, rows)
        return Part(Result(columns, part, head["complete"]), head["rows"])

    def _seal(self, place: str, part: bytes) -> bytes:
        nonce = self._entropy.bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, part, place.encode())

    def _open(self, place: str, sealed: bytes) -> bytes:
        return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], place.encode())


def _written(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(table)
    return cast("bytes", sink.getvalue().to_pybytes())


def _read(written: bytes) -> pa.Table:
    with pa.ipc.open_stream(written) as reader:
        return reader.read_all()
