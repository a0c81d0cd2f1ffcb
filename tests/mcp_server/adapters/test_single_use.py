"""Proofs of possession and a person's yes are good for one request, on every replica where replicas share a Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.single_use import SingleUseInRedis
from mcp_server.adapters.single_use import SingleUseInMemory
from mcp_server.ports.single_use import SingleUse
from tests.support.clock import SettableClock
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for these tests."""
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
async def used(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SingleUse]:
    """Each of the adapters."""
    if request.param == "memory":
        yield SingleUseInMemory(SettableClock())
        return
    async with SharedRedis(request.getfixturevalue("redis").url, tmp_path.name) as shared:
        yield SingleUseInRedis(shared, SettableClock(), "proof")


async def test_each_is_used_once(used: SingleUse) -> None:
    assert [await used.use(mark, 120) for mark in ("a", "b", "a", "b", "", "")] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]


async def test_of_many_uses_at_once_one_wins(used: SingleUse) -> None:
    assert sorted(await asyncio.gather(*(used.use("a", 120) for _ in range(40)))) == [False] * 39 + [True]


async def test_they_are_bounded_and_forgotten_in_time() -> None:
    """The bound lets the oldest go: a proof and a yes are bound to more than their use."""
    clock = SettableClock()
    used = SingleUseInMemory(clock, capacity=3)
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
        replicas = [SingleUseInRedis(shared, SettableClock(), "proof") for shared in (one, two)]
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
            used = SingleUseInRedis(shared, SettableClock(), "proof")
            own.server.kill()
            assert [await used.use("a", 120) for _ in range(2)] == [True, False]
            own.restart()
            assert [await used.use("b", 120) for _ in range(2)] == [True, False]


@pytest.mark.slow
async def test_kinds_are_apart(redis: RedisServer, tmp_path: Path) -> None:
    async with SharedRedis(redis.url, tmp_path.name) as shared:
        kinds = [SingleUseInRedis(shared, SettableClock(), kind) for kind in ("proof", "confirmation")]
        assert [await used.use("a", 120) for used in kinds] == [True, True]
        assert [await used.use("a", 120) for used in kinds] == [False, False]
