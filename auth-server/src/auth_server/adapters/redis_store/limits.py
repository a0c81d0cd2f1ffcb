"""Windows of attempts, and marks of what was used, in Redis."""

from auth_server.adapters.redis_store.database import Database


class RedisLimits:
    """Implements LimitStore and ReplayStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_attempt(self, key: str, hits: int, seconds: float, now: float) -> float | None:
        """See LimitStore."""
        leaves_at: bytes = await self._database.run("count_attempt", key, hits, seconds, now)
        return float(leaves_at) if leaves_at else None

    async def forget_attempts(self, key: str) -> None:
        """See LimitStore."""
        await self._database.run("forget_attempts", key)

    async def use_once(self, key: str, expires_at: float, now: float) -> bool:
        """See ReplayStore."""
        # A repetition would find the mark of the first call, and not know it from another's.
        return bool(await self._database.run("use_once", key, expires_at, now, repeatable=False, durable=True))
