"""What the log tells of the Redis that replicas share, and what they tell one another at once."""

from collections.abc import Iterator

import anyio
import pytest
from structlog.testing import capture_logs

from mcp_server.adapters.redis_store.cancellations import CancellationsInRedis
from mcp_server.adapters.redis_store.connection import SETTLED_SECONDS, SharedRedis, Unanswered
from tests.support.clock import SettableClock
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


async def test_a_redis_that_can_only_be_read_is_away_until_it_can_be_written_to(redis: RedisServer) -> None:
    """As after a failover: reads are answered between refused writes, and the log does not tell of each."""
    clock = SettableClock()
    with capture_logs() as logged:
        async with SharedRedis(redis.url, clock=clock.monotonic) as shared:
            await shared.asked(lambda asked: asked.set("a", "1"))
            redis.command("REPLICAOF", "127.0.0.1", "1")
            for _ in range(5):
                clock.time += SETTLED_SECONDS / 2
                with pytest.raises(Unanswered):
                    await shared.asked(lambda asked: asked.set("a", "2"))
                assert await shared.asked(lambda asked: asked.get("a")) == b"1"
            redis.command("REPLICAOF", "NO", "ONE")
            await shared.asked(lambda asked: asked.set("a", "3"))
            assert [entry["event"] for entry in logged] == ["redis_away"]
            clock.time += SETTLED_SECONDS
            assert await shared.asked(lambda asked: asked.get("a")) == b"3"
    assert [entry["event"] for entry in logged] == ["redis_away", "redis_back"]


async def test_replicas_hear_which_calls_are_to_end_also_after_redis_was_away(redis: RedisServer) -> None:
    heard: list[str] = []
    changed = anyio.Event()

    def hear(call: str) -> None:
        heard.append(call)
        changed.set()

    async def told(call: str) -> None:
        """Tells it until it is heard: nobody knows when a subscription has begun."""
        nonlocal changed
        while call not in heard:
            changed = anyio.Event()
            await CancellationsInRedis(one).tell(call)
            with anyio.move_on_after(0.1):
                await changed.wait()

    with anyio.fail_after(60):
        async with SharedRedis(redis.url) as one, SharedRedis(redis.url) as other, anyio.create_task_group() as tasks:
            tasks.start_soon(CancellationsInRedis(other).keep_hearing, hear)
            await told("first")
            redis.server.kill()
            await CancellationsInRedis(one).tell("lost")
            redis.restart()
            await told("second")
            tasks.cancel_scope.cancel()
    assert set(heard) == {"first", "second"}
