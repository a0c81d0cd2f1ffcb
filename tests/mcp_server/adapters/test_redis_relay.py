"""What replicas tell one another at once over Redis, and the log levels that it keeps for those that come later."""

from collections.abc import Iterator

import anyio
import pytest
from structlog.testing import capture_logs

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.log_levels import LogLevelsInRedis
from mcp_server.adapters.redis_store.relay import RelayInRedis
from mcp_server.ports.log_levels import LIFETIME_SECONDS, SetLevel
from mcp_server.ports.relay import Kind, Relayed
from shared_kernel.entropy import SystemEntropy
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KEY, OTHER_KEY = b"k" * 32, b"o" * 32


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


def relay(shared: SharedRedis, key: bytes = KEY) -> RelayInRedis:
    """What relays messages through this Redis."""
    return RelayInRedis(shared, cursor_key=key, entropy=SystemEntropy())


class Listener:
    """What one replica has heard, and how often it has caught up."""

    def __init__(self) -> None:
        self.heard: list[Relayed] = []
        self.caught_up = 0
        self._changed = anyio.Event()

    def hear(self, message: Relayed) -> None:
        """Takes a message."""
        self.heard.append(message)
        self._tell()

    async def catch_up(self) -> None:
        """Notes that hearing has begun."""
        self.caught_up += 1
        self._tell()

    async def times(self, caught_up: int, heard: int) -> None:
        """Returns once it has caught up so often, and heard so much."""
        while self.caught_up < caught_up or len(self.heard) < heard:
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


async def test_replicas_hear_one_another_also_after_redis_was_away(redis: RedisServer) -> None:
    first, second = Relayed(Kind.CANCELLATION, "first"), Relayed(Kind.LOG_LEVEL, "second", "1.0 debug")
    listener = Listener()
    with anyio.fail_after(60):
        async with SharedRedis(redis.url) as one, SharedRedis(redis.url) as other, anyio.create_task_group() as tasks:
            tasks.start_soon(relay(other).keep_hearing, listener.hear, listener.catch_up)
            await listener.times(1, 0)
            await relay(one).send(first)
            await listener.times(1, 1)
            redis.server.kill()
            await relay(one).send(Relayed(Kind.CANCELLATION, "lost"))
            redis.restart()
            await listener.times(2, 1)
            await relay(one).send(second)
            await listener.times(2, 2)
            tasks.cancel_scope.cancel()
    assert listener.heard == [first, second]


async def test_what_has_not_our_seal_is_not_heard(redis: RedisServer) -> None:
    listener, ours = Listener(), Relayed(Kind.CANCELLATION, "ours")
    with anyio.fail_after(60), capture_logs() as logged:
        async with SharedRedis(redis.url) as one, SharedRedis(redis.url) as other, anyio.create_task_group() as tasks:
            tasks.start_soon(relay(other).keep_hearing, listener.hear, listener.catch_up)
            await listener.times(1, 0)
            await relay(one, OTHER_KEY).send(Relayed(Kind.CANCELLATION, "theirs"))
            for made_up in (b"", b"x", b'["cancellation", "made up", ""]'):
                await one.asked(lambda asked, made_up=made_up: asked.publish(one.key("relay"), made_up))  # type: ignore[misc]
            await relay(one).send(ours)
            await listener.times(1, 1)
            tasks.cancel_scope.cancel()
    assert listener.heard == [ours]
    assert [entry["event"] for entry in logged] == ["relayed_message_foreign"] * 4


async def test_the_levels_that_were_set_last_are_kept_for_a_day(redis: RedisServer) -> None:
    async with SharedRedis(redis.url) as shared:
        levels = LogLevelsInRedis(shared, most=3)
        assert await levels.all() == []
        old = SetLevel("a", "debug", 1_000.5)
        await levels.put(old)
        assert await levels.all() == [old]
        fresh = [SetLevel(name, "error", 2_000.0 + LIFETIME_SECONDS + at) for at, name in enumerate("bcde")]
        for level in fresh:
            await levels.put(level)
        assert await levels.all() == fresh[1:]
        again = SetLevel("c", "info", fresh[-1].at + 1)
        await levels.put(again)
        assert await levels.all() == [fresh[2], fresh[3], again]
        assert 0 < await shared.asked(lambda asked: asked.ttl(shared.key("log-levels"))) <= LIFETIME_SECONDS


async def test_without_redis_no_level_is_kept_and_nobody_waits(redis: RedisServer) -> None:
    redis.server.kill()
    async with SharedRedis(redis.url) as shared:
        levels = LogLevelsInRedis(shared)
        await levels.put(SetLevel("a", "debug", 1.0))
        assert await levels.all() == ()
