"""The connection to Redis: bounded, without repetitions of the driver's own, and told of in the log when it is lost."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

SECONDS = 3.0
"""How long Redis may take for an answer, or to be connected to."""
SETTLED_SECONDS = 3.0
"""It counts as back once nothing has failed for so long: one that cannot be written to answers some questions."""
_CONNECTIONS = 16
_log = structlog.get_logger("redis")


class Unanswered(Exception):
    """Redis is away, full, or answers with an error."""


class SharedRedis:
    """A Redis that replicas share; an asynchronous context manager. All keys begin with `prefix`.

    It connects when it is first needed, and again after every failure. Raises ValueError for a URL that is none.
    """

    def __init__(self, url: str, prefix: str = "mcp", *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=SECONDS,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 0),
            # Where these may come, redis-py 8.1.0 hands out idle connections that the server has closed (its issue
            # 4252): after Redis was away, each of them would fail a question that it answers.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        options = self._pool.connection_kwargs
        # For logs: without user and password.
        self._place = f"{options.get('host')}:{options.get('port', 6379)}/{options.get('db', 0)}"
        self._redis = Redis(connection_pool=self._pool)
        self._prefix, self._clock = prefix, clock
        self._failed_at: float | None = None
        """When the last question failed since it is away."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._redis.aclose()
        await self._pool.disconnect()

    def key(self, name: str) -> str:
        """The key of that name, in a slot of its own."""
        return f"{self._prefix}:{name}"

    def slot(self, name: str) -> str:
        """What keys begin with that are to be in one slot."""
        return f"{{{self._prefix}:{name}}}"

    @asynccontextmanager
    async def listening(self, channel: str) -> AsyncIterator[PubSub]:
        """The messages of a channel, on a connection of their own. Raises redis-py's exceptions."""
        async with self._redis.pubsub() as messages:
            await messages.subscribe(channel)
            yield messages

    async def asked(self, question: Callable[[Redis], Awaitable[Any]]) -> Any:
        """What Redis answers. Raises Unanswered."""
        try:
            answer = await question(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            if self._failed_at is None:
                _log.error("redis_away", place=self._place, cause=error)
            self._failed_at = self._clock()
            raise Unanswered from error
        if self._failed_at is not None and self._clock() - self._failed_at >= SETTLED_SECONDS:
            self._failed_at = None
            _log.warning("redis_back", place=self._place)
        return answer
