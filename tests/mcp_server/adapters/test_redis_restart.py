"""A Redis that was away answers again as soon as it is back."""

from pathlib import Path

import anyio
import pytest

from mcp_server.adapters.redis_store.connection import SharedRedis
from tests.support.redis_server import redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

AT_ONCE = 8


async def test_connections_that_were_idle_meanwhile_lose_no_question(tmp_path: Path) -> None:
    """Each of them was closed by the server; what was asked at once before takes all of them afterwards."""
    answers: list[bytes] = []

    async def ask(shared: SharedRedis) -> None:
        answers.append(await shared.asked(lambda redis: redis.get("a")))

    with redis_serving(tmp_path / "redis") as server:
        async with SharedRedis(server.url) as shared:
            await shared.asked(lambda redis: redis.set("a", "1"))
            for _ in range(3):
                async with anyio.create_task_group() as tasks:
                    for _ in range(AT_ONCE):
                        tasks.start_soon(ask, shared)
                server.server.kill()
                await anyio.to_thread.run_sync(server.restart)
    assert answers == [b"1"] * 3 * AT_ONCE
