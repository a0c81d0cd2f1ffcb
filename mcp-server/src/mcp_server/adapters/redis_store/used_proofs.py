"""Proofs that have been used on any replica."""

import hashlib

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.adapters.used_proofs import UsedProofsInMemory
from shared_kernel.clock import Clock


class UsedProofsInRedis:
    """Implements UsedProofs for all replicas; while Redis does not answer, for this one."""

    def __init__(self, redis: SharedRedis, clock: Clock) -> None:
        self._redis, self._here = redis, UsedProofsInMemory(clock)

    async def use(self, mark: str, seconds: float) -> bool:
        """See UsedProofs."""
        if not await self._here.use(mark, seconds):
            return False
        key = self._redis.key(f"proof:{hashlib.sha256(mark.encode()).hexdigest()}")
        try:
            # None where the key was there before.
            answer = await self._redis.asked(lambda redis: redis.set(key, 1, nx=True, px=int(seconds * 1000)))
        except Unanswered:
            return True
        return answer is not None
