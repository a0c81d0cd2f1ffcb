"""Other replicas hear of a caller's scopes in the order in which the caller came with them, over a real Redis."""

import asyncio
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.relay import RelayInRedis
from mcp_server.ports.relay import Kind, Relayed
from mcp_server.surface.subscriptions import Subscriptions
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.surface.exchanges import PRINCIPAL
from tests.support.redis_server import redis_serving

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


class LateRelay(RelayInRedis):
    """A relay whose first message goes out late, as one does that waits for a connection."""

    def __init__(self, redis: SharedRedis) -> None:
        super().__init__(redis, cursor_key=b"k" * 32, entropy=SystemEntropy())
        self.ready, self.begun = asyncio.Event(), list[Relayed]()

    async def send(self, message: Relayed) -> None:
        """See Relay."""
        self.begun.append(message)
        if len(self.begun) == 1:
            await self.ready.wait()
        await super().send(message)


async def test_what_a_caller_came_with_later_is_heard_later(tmp_path: Path) -> None:
    heard, hearing = list[Relayed](), asyncio.Event()

    async def caught_up() -> None:
        hearing.set()

    with anyio.fail_after(60), redis_serving(tmp_path) as redis:
        async with SharedRedis(redis.url) as first, SharedRedis(redis.url) as second:
            relay, other = LateRelay(first), RelayInRedis(second, cursor_key=b"k" * 32, entropy=SystemEntropy())
            subscriptions = Subscriptions(relay)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(other.keep_hearing, heard.append, caught_up)
                await hearing.wait()
                for scopes in ({"a"}, {"a", "b"}, {"a", "b", "c"}):
                    await subscriptions.notice(replace(PRINCIPAL, scopes=frozenset(scopes)))
                await subscriptions.notice(replace(PRINCIPAL, subject="usr_2"))
                while not heard:
                    await anyio.lowlevel.checkpoint()
                assert heard == relay.begun[1:], "another caller's does not wait, this one's do"
                relay.ready.set()
                while len(heard) < 4:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()

    of_first = heard[1:]
    assert of_first == [relay.begun[0], *relay.begun[2:]]
    assert len({one.subject for one in of_first}) == 1
    assert len({one.body for one in of_first}) == 3
    assert {one.kind for one in heard} == {Kind.SCOPES}
