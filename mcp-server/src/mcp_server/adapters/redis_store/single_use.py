"""What has been used on any replica."""

import hashlib

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.adapters.single_use import SingleUseInMemory
from shared_kernel.clock import Clock


class SingleUseInRedis:
    """Implements SingleUse for all replicas; while Redis does not answer, for this one.

    `kind` keeps the marks of one kind apart from those of others in the same Redis.
    """

    def __init__(self, redis: SharedRedis, clock: Clock, kind: str) -> None:
        self._redis, self._kind, self._here = redis, kind, SingleUseInMemory(clock)

    async def use(self, mark: str, seconds: float) -> bool:
        """See SingleUse."""
        if not await self._here.use(mark, seconds):
            return False
        key = self._redis.key(f"{self._kind}:{hashlib.sha256(mark.encode()).hexdigest()}")
        try:
            # None where the key was there before.
            answer = await self._redis.asked(lambda redis: redis.set(key, 1, nx=True, px=int(seconds * 1000)))
        except Unanswered:
            return True
        return answer is not None
