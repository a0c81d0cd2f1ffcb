"""Replicas hear what the others run: through Redis, and through the double that the engine's tests use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from mcp_server.adapters.redis_store.board import BoardInRedis
from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.ports.board import LIFETIME_SECONDS, Board, BoardUnavailable, Load
from mcp_server.ports.spending import Owner
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.mcp_server.doubles.board import HeldBoard, HeldNotices
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = pytest.mark.anyio

ANN: Owner = ("acme", "usr_ann")
BOB: Owner = ("acme", "usr_bob")
EVE: Owner = ("globex", "usr_ann")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for these tests."""
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["double", pytest.param("redis", marks=pytest.mark.slow)])
async def replica(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Board]]:
    """Makes replicas that share one board."""
    if request.param == "double":
        notices = HeldNotices(SystemClock())
        yield lambda: HeldBoard(notices)
        return
    async with AsyncExitStack() as stack:
        shared = SharedRedis(request.getfixturevalue("redis").url, tmp_path.name)
        await stack.enter_async_context(shared)
        yield lambda: BoardInRedis(shared, SystemEntropy())


def in_order(replicas: Sequence[Mapping[Owner, Load]]) -> list[Mapping[Owner, Load]]:
    """Replicas in the order of what they run of Ann's, since their own order means nothing."""
    return sorted(replicas, key=lambda loads: loads.get(ANN, Load(0)).running)


async def test_each_hears_what_every_other_one_told_last(replica: Callable[[], Board]) -> None:
    first, second, third = replica(), replica(), replica()
    assert await first.exchange({ANN: Load(1), EVE: Load(4, 0.25)}) == []
    assert await second.exchange({ANN: Load(2), BOB: Load(0, 1.5)}) == [{ANN: Load(1), EVE: Load(4, 0.25)}]
    assert await first.exchange({ANN: Load(3)}) == [{ANN: Load(2), BOB: Load(0, 1.5)}]
    assert in_order(await third.exchange({})) == [{ANN: Load(2), BOB: Load(0, 1.5)}, {ANN: Load(3)}]
    assert in_order(await first.exchange({})) == [{}, {ANN: Load(2), BOB: Load(0, 1.5)}]


async def test_replicas_that_tell_at_the_same_time_lose_nothing(replica: Callable[[], Board]) -> None:
    replicas = [replica() for _ in range(20)]
    await asyncio.gather(*(one.exchange({ANN: Load(number)}) for number, one in enumerate(replicas)))
    heard = in_order(await replicas[7].exchange({}))
    assert [loads[ANN].running for loads in heard] == [number for number in range(20) if number != 7]


@pytest.mark.parametrize("owner", [("", ""), ('a"b', "ns|ü:{x}* 1"), ("a", "\ud800"), ("x" * 500, "y\n" * 500)])
async def test_names_may_be_odd(replica: Callable[[], Board], owner: Owner) -> None:
    await replica().exchange({owner: Load(1)})
    assert await replica().exchange({}) == [{owner: Load(1)}]


@pytest.mark.slow
async def test_a_replica_that_says_nothing_more_is_forgotten(replica: Callable[[], Board]) -> None:
    gone, other = replica(), replica()
    await gone.exchange({ANN: Load(2)})
    began = anyio.current_time()
    with anyio.fail_after(LIFETIME_SECONDS + 10):
        while await other.exchange({BOB: Load(1)}):
            pass
    assert anyio.current_time() - began > LIFETIME_SECONDS - 0.1
    assert await gone.exchange({}) == [{BOB: Load(1)}]


@pytest.mark.slow
async def test_redis_keeps_none_that_is_gone(redis: RedisServer, tmp_path: Path) -> None:
    """Neither replicas that were restarted while others go on, nor the last one."""
    key = f"{tmp_path.name}:running"
    async with SharedRedis(redis.url, tmp_path.name) as shared:
        for _ in range(3):
            await BoardInRedis(shared, SystemEntropy()).exchange({ANN: Load(1)})
        assert redis.command("HLEN", key) == ":3\r\n"
        last = BoardInRedis(shared, SystemEntropy())
        with anyio.fail_after(LIFETIME_SECONDS + 10):
            while await last.exchange({}):
                pass
        assert redis.command("HLEN", key) == ":1\r\n"
        assert 0 < int(redis.command("PTTL", key).removeprefix(":")) <= LIFETIME_SECONDS * 1000


@pytest.mark.slow
async def test_while_redis_is_away_that_is_said(tmp_path: Path) -> None:
    with redis_serving(tmp_path / "own") as own:
        async with SharedRedis(own.url) as shared:
            board = BoardInRedis(shared, SystemEntropy())
            own.server.kill()
            with pytest.raises(BoardUnavailable):
                await board.exchange({ANN: Load(1)})
            own.restart()
            assert await board.exchange({ANN: Load(1)}) == []
