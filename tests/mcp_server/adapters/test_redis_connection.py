"""What the log tells of the Redis that replicas share."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

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
