"""The levels that clients have set with `logging/setLevel`.

One sorted set, `prefix:log-levels`, has a member for each, `DIGEST LEVEL`, by the time at which it was set in seconds
since the epoch; of several members of one sign-in, the last counts.
"""

from collections.abc import Awaitable, Sequence
from typing import Any

from redis.asyncio import Redis

from mcp_server.adapters.redis_store.connection import SharedRedis, Unanswered
from mcp_server.ports.log_levels import LIFETIME_SECONDS, MOST_LEVELS, SetLevel


class LogLevelsInRedis:
    """Implements LogLevelStore."""

    def __init__(self, redis: SharedRedis, *, most: int = MOST_LEVELS) -> None:
        self._redis, self._key, self._most = redis, redis.key("log-levels"), most

    async def put(self, level: SetLevel) -> None:
        """See LogLevelStore."""

        def write(redis: Redis) -> Awaitable[Any]:
            writing = redis.pipeline(transaction=True)
            writing.zadd(self._key, {f"{level.sign_in} {level.level}": level.at})
            writing.zremrangebyscore(self._key, "-inf", level.at - LIFETIME_SECONDS)
            writing.zremrangebyrank(self._key, 0, -self._most - 1)
            writing.expire(self._key, round(LIFETIME_SECONDS))
            return writing.execute()

        try:
            await self._redis.asked(write)
        except Unanswered:
            return  # the log tells of it

    async def all(self) -> Sequence[SetLevel]:
        """See LogLevelStore."""
        try:
            found = await self._redis.asked(lambda redis: redis.zrange(self._key, 0, -1, withscores=True))
        except Unanswered:
            return ()
        return [_read(member.decode(), at) for member, at in found]


def _read(member: str, at: float) -> SetLevel:
    sign_in, level = member.split(" ")
    return SetLevel(sign_in, level, at)
