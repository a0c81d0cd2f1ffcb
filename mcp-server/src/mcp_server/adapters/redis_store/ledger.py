"""What principals have read on each replica, told by all of them through Redis.

For each owner there is a hash, `prefix:spent:<owner>`, the owner as a digest, with a field for each replica that has
read for it: what counts, as JSON. It expires an hour after it was last told of.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from redis.asyncio import Redis

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.ports.spending import LedgerUnavailable, Owner, Spent
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

_TOGETHER = 200
"""Owners that are exchanged in one round trip."""
_LIFETIME = 3_720_000
"""Milliseconds after which nothing counts that was told: an hour, and twice the minute to which it is rounded."""


class LedgerInRedis:
    """Implements Ledger. Each process is a replica of its own, so that one that was restarted hears of its past."""

    def __init__(self, redis: SharedRedis, clock: Clock, entropy: Entropy) -> None:
        self._redis, self._clock, self._replica = redis, clock, entropy.token(128)

    async def exchange(self, here: Mapping[Owner, Sequence[Spent]]) -> Mapping[Owner, Sequence[Spent]]:
        """See Ledger."""
        found, owners = dict[Owner, Sequence[Spent]](), list(here)
        over = list[tuple[str, str]]()
        for start in range(0, len(owners), _TOGETHER):
            some = {owner: here[owner] for owner in owners[start : start + _TOGETHER]}
            answers = await self._asked(partial(self._told, some))
            for owner, fields in zip(some, answers[2::3], strict=True):
                others = {name.decode(): _read(value) for name, value in fields.items()}
                others.pop(self._replica, None)
                found[owner] = [spent for told in others.values() for spent in told]
                over += [(self._key(owner), name) for name, told in others.items() if self._is_over(told)]
        if over:
            await self._asked(lambda redis: _forget(redis, over))
        return found

    def _told(self, here: Mapping[Owner, Sequence[Spent]], redis: Redis) -> Awaitable[Any]:
        pipeline = redis.pipeline(transaction=False)
        for owner, told in here.items():
            key = self._key(owner)
            pipeline.hset(key, self._replica, json.dumps([[spent.until, spent.read_units] for spent in told]))
            pipeline.pexpire(key, _LIFETIME)
            pipeline.hgetall(key)
        return pipeline.execute()

    def _is_over(self, told: Sequence[Spent]) -> bool:
        """Whether nothing of it counts any longer, by any replica's clock."""
        return all(spent.until < self._clock.now() - _LIFETIME / 1000 for spent in told)

    def _key(self, owner: Owner) -> str:
        digest = hashlib.sha256(json.dumps(owner).encode()).hexdigest()[:32]
        return self._redis.key(f"spent:{digest}")

    async def _asked(self, question: Callable[[Redis], Awaitable[Any]]) -> Any:
        try:
            return await self._redis.asked(question)
        except Unanswered as error:
            raise LedgerUnavailable from error


def _forget(redis: Redis, fields: Sequence[tuple[str, str]]) -> Awaitable[Any]:
    pipeline = redis.pipeline(transaction=False)
    for key, name in fields:
        pipeline.hdel(key, name)
    return pipeline.execute()


def _read(told: bytes) -> list[Spent]:
    return [Spent(until, read_units) for until, read_units in json.loads(told)]
