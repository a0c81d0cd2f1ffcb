"""Proofs of possession are good for one request, on every replica where replicas share a Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.used_proofs import UsedProofsInRedis
from mcp_server.adapters.used_proofs import UsedProofsInMemory
from mcp_server.ports.used_proofs import UsedProofs
from tests.support.clock import SettableClock
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for these tests."""
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
async def used(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[UsedProofs]:
    """What remembers proofs, of each kind."""
    if request.param == "memory":
        yield UsedProofsInMemory(SettableClock())
        return
    async with SharedRedis(request.getfixturevalue("redis").url, tmp_path.name) as shared:
        yield UsedProofsInRedis(shared, SettableClock())


async def test_each_is_used_once(used: UsedProofs) -> None:
    assert [await used.use(mark, 120) for mark in ("a", "b", "a", "b", "", "")] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]


async def test_of_many_uses_at_once_one_wins(used: UsedProofs) -> None:
    assert sorted(await asyncio.gather(*(used.use("a", 120) for _ in range(40)))) == [False] * 39 + [True]


async def test_they_are_bounded_and_forgotten_in_time() -> None:
    """The bound lets the oldest go: it is a second line behind URL, method, token and minute."""
    clock = SettableClock()
    used = UsedProofsInMemory(clock, capacity=3)
    for mark in "abcd":
        assert await used.use(mark, 120)
    assert [await used.use(mark, 120) for mark in "bcd"] == [False] * 3
    assert len(used._used) == 3
    clock.time += 120
    assert await used.use("b", 120)
    assert len(used._used) == 1


@pytest.mark.slow
async def test_replicas_know_of_each_others(redis: RedisServer, tmp_path: Path) -> None:
    async with SharedRedis(redis.url, tmp_path.name) as one, SharedRedis(redis.url, tmp_path.name) as two:
        replicas = [UsedProofsInRedis(shared, SettableClock()) for shared in (one, two)]
        uses = (replicas[number % 2].use("a proof", 120) for number in range(40))
        assert sorted(await asyncio.gather(*uses)) == [False] * 39 + [True]
        keys = redis.command("KEYS", f"{tmp_path.name}:*")
        assert "a proof" not in keys
        (key,) = [line for line in keys.split("\r\n") if line.startswith(tmp_path.name)]
        assert 0 < int(redis.command("PTTL", key).removeprefix(":")) <= 120_000


@pytest.mark.slow
async def test_while_redis_is_away_each_replica_knows_its_own(tmp_path: Path) -> None:
    with redis_serving(tmp_path / "own") as own:
        async with SharedRedis(own.url) as shared:
            used = UsedProofsInRedis(shared, SettableClock())
            own.server.kill()
            assert [await used.use("a", 120) for _ in range(2)] == [True, False]
            own.restart()
            assert [await used.use("b", 120) for _ in range(2)] == [True, False]
