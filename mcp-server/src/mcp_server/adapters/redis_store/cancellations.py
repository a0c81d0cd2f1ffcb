"""Cancellations between replicas, over a channel of Redis, `prefix:cancelled`. Nothing of them is kept."""

import asyncio
from collections.abc import Callable

from redis.exceptions import RedisError

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered

_QUIET_SECONDS = 15.0
"""After so long without a message Redis is asked whether it is still there."""
_PAUSE_SECONDS = 1.0


class CancellationsInRedis:
    """Implements Cancellations."""

    def __init__(self, redis: SharedRedis) -> None:
        self._redis, self._channel = redis, redis.key("cancelled")

    async def tell(self, call: str) -> None:
        """See Cancellations."""
        try:
            await self._redis.asked(lambda redis: redis.publish(self._channel, call))
        except Unanswered:
            return  # the log tells of it, and the call ends at its deadline

    async def keep_hearing(self, cancel: Callable[[str], None]) -> None:
        """See Cancellations."""
        while True:
            try:
                async with self._redis.listening(self._channel) as messages:
                    while True:
                        message = await messages.get_message(ignore_subscribe_messages=True, timeout=_QUIET_SECONDS)
                        if message is None:
                            await messages.ping()
                        elif message["type"] == "message":
                            cancel(message["data"].decode())
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_PAUSE_SECONDS)
