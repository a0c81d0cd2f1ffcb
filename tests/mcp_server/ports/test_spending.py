"""Replicas hear of one another's reads: through Redis, and through the double that the engine's tests use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.ledger import LedgerInRedis
from mcp_server.ports.spending import Ledger, LedgerUnavailable, Owner, Spent
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.ledger import HeldBook, HeldLedger
from tests.support.clock import NOON, SettableClock
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = pytest.mark.anyio

ANN: Owner = ("acme", "usr_ann")
BOB: Owner = ("acme", "usr_bob")
EVE: Owner = ("globex", "usr_ann")
LATER = NOON + 3600


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for these tests."""
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["double", pytest.param("redis", marks=pytest.mark.slow)])
async def replica(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Ledger]]:
    """Makes replicas that share one book."""
    if request.param == "double":
        book = HeldBook()
        yield lambda: HeldLedger(book)
        return
    async with AsyncExitStack() as stack:
        shared = SharedRedis(request.getfixturevalue("redis").url, tmp_path.name)
        await stack.enter_async_context(shared)
        yield lambda: LedgerInRedis(shared, SettableClock(), SystemEntropy())


async def test_each_hears_what_the_others_told_last(replica: Callable[[], Ledger]) -> None:
    first, second, third = replica(), replica(), replica()
    assert await first.exchange({ANN: [Spent(LATER, 10.0)]}) == {ANN: []}
    assert await second.exchange({ANN: [Spent(LATER, 1.0), Spent(LATER + 60, 2.0)]}) == {ANN: [Spent(LATER, 10.0)]}
    assert await first.exchange({ANN: [Spent(LATER, 20.0)]}) == {ANN: [Spent(LATER, 1.0), Spent(LATER + 60, 2.0)]}
    heard = (await third.exchange({ANN: []}))[ANN]
    assert sorted(spent.read_units for spent in heard) == [1.0, 2.0, 20.0]
    assert await first.exchange({ANN: []}) == {ANN: [Spent(LATER, 1.0), Spent(LATER + 60, 2.0)]}


async def test_owners_are_apart(replica: Callable[[], Ledger]) -> None:
    first, second = replica(), replica()
    await first.exchange({ANN: [Spent(LATER, 1.0)], BOB: [Spent(LATER, 2.0)], EVE: [Spent(LATER, 3.0)]})
    assert await second.exchange({EVE: [], ANN: [], BOB: []}) == {
        EVE: [Spent(LATER, 3.0)],
        ANN: [Spent(LATER, 1.0)],
        BOB: [Spent(LATER, 2.0)],
    }
    assert await second.exchange({}) == {}


async def test_many_owners_are_exchanged_at_once(replica: Callable[[], Ledger]) -> None:
    owners = [("acme", f"usr_{number}") for number in range(1001)]
    first, second = replica(), replica()
    await first.exchange({owner: [Spent(LATER, float(number))] for number, owner in enumerate(owners)})
    heard = await second.exchange(dict.fromkeys(owners, ()))
    assert [heard[owner] for owner in owners] == [[Spent(LATER, float(number))] for number in range(1001)]


async def test_replicas_that_tell_at_the_same_time_lose_nothing(replica: Callable[[], Ledger]) -> None:
    replicas = [replica() for _ in range(20)]
    await asyncio.gather(*(one.exchange({ANN: [Spent(LATER, 1.0)]}) for one in replicas))
    for one in replicas:
        assert len((await one.exchange({ANN: [Spent(LATER, 1.0)]}))[ANN]) == 19


@pytest.mark.parametrize("owner", [("", ""), ('a"b', "ns|ü:{x}*"), ("a", "\ud800"), ("x" * 500, "y\n" * 500)])
async def test_names_may_be_odd(replica: Callable[[], Ledger], owner: Owner) -> None:
    await replica().exchange({owner: [Spent(LATER, 1.0)]})
    assert await replica().exchange({owner: []}) == {owner: [Spent(LATER, 1.0)]}


@pytest.mark.slow
async def test_while_redis_is_away_that_is_said(tmp_path: Path) -> None:
    with redis_serving(tmp_path / "own") as own:
        async with SharedRedis(own.url) as shared:
            ledger = LedgerInRedis(shared, SettableClock(), SystemEntropy())
            own.server.kill()
            with pytest.raises(LedgerUnavailable):
                await ledger.exchange({ANN: [Spent(LATER, 1.0)]})
            own.restart()
            assert await ledger.exchange({ANN: [Spent(LATER, 1.0)]}) == {ANN: []}


@pytest.mark.slow
async def test_what_is_over_is_forgotten_in_redis(redis: RedisServer, tmp_path: Path) -> None:
    """Replicas that are long gone leave nothing behind, though their owners go on."""
    clock = SettableClock()
    async with SharedRedis(redis.url, tmp_path.name) as shared:
        for _ in range(3):
            gone = LedgerInRedis(shared, clock, SystemEntropy())
            await gone.exchange({ANN: [Spent(clock.now() + 3600, 1.0)]})
        (key,) = [line for line in redis.command("KEYS", f"{tmp_path.name}*").split("\r\n") if tmp_path.name in line]
        assert "usr_ann" not in key
        assert 0 < int(redis.command("PTTL", key).removeprefix(":")) <= 3_720_000
        assert redis.command("HLEN", key).strip() == ":3"
        clock.time += 7400
        last = LedgerInRedis(shared, clock, SystemEntropy())
        await last.exchange({ANN: [Spent(clock.now() + 3600, 1.0)]})
        assert redis.command("HLEN", key).strip() == ":1"
