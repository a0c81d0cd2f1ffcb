"""What every Spool does: results come back as they were, part by part, for their principal alone."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import cast

import pyarrow as pa
import pytest

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.spool import CHUNK_ROWS, RedisSpool
from mcp_server.adapters.spool import MemorySpool
from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result, ResultColumn
from mcp_server.ports.spool import Spool, SpoolUnavailable
from shared_kernel.clock import SystemClock
from shared_kernel.entropy import SystemEntropy
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = pytest.mark.anyio

ADA = Principal("default", "usr_1", "c", frozenset({"query"}), "gid")
LIFETIME = 900
CURSOR_KEY = bytes(range(32))


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the session's own."""
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


@asynccontextmanager
async def redis_spool(
    redis: RedisServer, prefix: str, *, key: bytes = CURSOR_KEY, **limits: int
) -> AsyncIterator[RedisSpool]:
    """A spool there, of keys with that prefix."""
    async with SharedRedis(redis.url, prefix) as shared:
        yield RedisSpool(shared, cursor_key=key, entropy=SystemEntropy(), lifetime_seconds=LIFETIME, **limits)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
async def spool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spool]:
    """A spool of each kind."""
    if request.param == "memory":
        yield MemorySpool(clock=SystemClock(), entropy=SystemEntropy(), lifetime_seconds=LIFETIME)
        return
    async with redis_spool(request.getfixturevalue("redis"), tmp_path.name) as opened:
        yield opened


def result(rows: int, *, complete: bool = True) -> Result:
    """A result with columns of several kinds, whose rows can be told apart."""
    table = pa.table(
        {
            "n": pa.array(range(rows), pa.int64()),
            "text": pa.array([None if number % 7 == 0 else f"row {number} ü" for number in range(rows)], pa.string()),
            "price": pa.array([Decimal(number) / 100 for number in range(rows)], pa.decimal128(38, 2)),
            "tags": pa.array([[f"t{number}"] * (number % 3) for number in range(rows)], pa.list_(pa.string())),
            "parts": pa.array([{"a": number, "b": None} for number in range(rows)]),
        }
    )
    types = ("BIGINT", "VARCHAR", "DECIMAL(38,2)", "VARCHAR[]", "STRUCT(a BIGINT, b INTEGER)")
    columns = tuple(ResultColumn(name, kind) for name, kind in zip(table.column_names, types, strict=True))
    return Result(columns, table, complete)


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    ("start", "rows"),
    [(0, 1), (0, 10), (100, 1000), (999, 2), (1000, 1000), (1500, 1000), (2499, 1), (2400, 1000), (0, 5000)],
)
async def test_parts_are_what_was_put(start: int, rows: int, complete: bool, spool: Spool) -> None:
    whole = result(2500, complete=complete)
    spool_id = await spool.put(ADA, whole)
    assert spool_id is not None
    part = await spool.get(ADA, spool_id, start, rows)
    assert part is not None
    assert part.total_rows == 2500
    assert (part.result.columns, part.result.complete) == (whole.columns, complete)
    assert part.result.table.equals(whole.table.slice(start, rows))


async def test_a_slice_and_a_table_of_many_chunks_come_back_too(spool: Spool) -> None:
    whole = result(3 * CHUNK_ROWS)
    pieces = [whole.table.slice(start, 7) for start in range(11, 2100, 7)]
    table = pa.concat_tables(pieces)
    spool_id = await spool.put(ADA, Result(whole.columns, table, complete=True))
    assert spool_id is not None
    part = await spool.get(ADA, spool_id, 995, 50)
    assert part is not None
    assert part.result.table.equals(table.slice(995, 50))


@pytest.mark.parametrize(
    "other",
    [
        Principal("default", "usr_2", "c", frozenset(), "gid"),
        Principal("other", "usr_1", "c", frozenset(), "gid"),
        Principal("default", "usr_1", "d", frozenset(), "gid"),
        Principal('default","usr_1', "", "c", frozenset(), "gid"),
    ],
)
async def test_nobody_else_gets_it(other: Principal, spool: Spool) -> None:
    spool_id = await spool.put(ADA, result(10))
    assert spool_id is not None
    assert await spool.get(other, spool_id, 0, 10) is None
    assert await spool.get(ADA, spool_id, 0, 10) is not None


@pytest.mark.parametrize("unknown", ["", "unknown", "kept", "*", "a b", "\x00"])
async def test_an_id_that_nothing_has_gives_nothing(unknown: str, spool: Spool) -> None:
    await spool.put(ADA, result(10))
    assert await spool.get(ADA, unknown, 0, 10) is None


async def test_ids_are_not_repeated(spool: Spool) -> None:
    ids = [await spool.put(ADA, result(1)) for _ in range(50)]
    assert len(set(ids)) == 50


async def _ends(spool: RedisSpool) -> str:
    try:
        await spool.put(ADA, result(2500))
    except SpoolUnavailable:
        return "away"
    return "kept"


@pytest.mark.slow
class TestRedis:
    """What only a spool in Redis does."""

    async def test_another_replica_has_it(self, redis: RedisServer, tmp_path: Path) -> None:
        async with redis_spool(redis, tmp_path.name) as one, redis_spool(redis, tmp_path.name) as two:
            spool_id = await one.put(ADA, result(1200))
            assert spool_id is not None
            part = await two.get(ADA, spool_id, 1100, 100)
            assert part is not None
            assert part.result.table.equals(result(1200).table.slice(1100, 100))

    async def test_it_ends_at_its_time(self, redis: RedisServer, tmp_path: Path) -> None:
        async with redis_spool(redis, tmp_path.name) as spool:
            spool_id = await spool.put(ADA, result(1))
            key = f"{spool._owner(ADA)}:result:{spool_id}"
            for name in (key, f"{spool._owner(ADA)}:kept"):
                left = int(redis.command("PTTL", name).removeprefix(":"))
                assert 0 < left <= LIFETIME * 1000
            await spool.get(ADA, str(spool_id), 0, 1)
            assert int(redis.command("PTTL", key).removeprefix(":")) <= left
            redis.command("PEXPIRE", key, "0")
            assert await spool.get(ADA, str(spool_id), 0, 1) is None

    async def test_rows_cannot_be_read_in_redis(self, redis: RedisServer, tmp_path: Path) -> None:
        async with redis_spool(redis, tmp_path.name) as spool:
            await spool.put(ADA, result(10))
        redis.command("SAVE")
        written = b"".join(
            (Path(folder) / name).read_bytes() for folder, _, names in os.walk(redis.directory) for name in names
        )
        assert tmp_path.name.encode() in written
        for word in (b"row 3", b"VARCHAR", b"price", b"usr_1"):
            assert word not in written

    async def test_another_key_reads_nothing(self, redis: RedisServer, tmp_path: Path) -> None:
        async with redis_spool(redis, tmp_path.name) as one, redis_spool(redis, tmp_path.name, key=b"x" * 32) as two:
            spool_id = await one.put(ADA, result(10))
            assert spool_id is not None
            assert await two.get(ADA, spool_id, 0, 10) is None

    @pytest.mark.parametrize("tampered", ["moved", "swapped", "changed", "cut"])
    async def test_what_was_tampered_with_is_not_taken(self, tampered: str, redis: RedisServer, tmp_path: Path) -> None:
        async with redis_spool(redis, tmp_path.name) as spool:
            spool_id, other = await spool.put(ADA, result(2500)), await spool.put(ADA, result(2500))
            assert spool_id is not None
            key, source = f"{spool._owner(ADA)}:result:{spool_id}", f"{spool._owner(ADA)}:result:{other}"
            raw = spool._redis._redis
            one, two, theirs = [
                cast("bytes", await raw.hget(place, name)) for place, name in ((key, "1"), (key, "2"), (source, "1"))
            ]
            put = {"moved": theirs, "swapped": two, "changed": one[:-1] + bytes([one[-1] ^ 1]), "cut": one[:20]}
            await raw.hset(key, "1", cast("str", put[tampered]))
            assert await spool.get(ADA, spool_id, 1000, 10) is None
            assert await spool.get(ADA, spool_id, 0, 10) is not None

    async def test_the_oldest_of_an_owner_gives_way_and_nobody_elses(self, redis: RedisServer, tmp_path: Path) -> None:
        bob = Principal("default", "usr_2", "c", frozenset(), "gid")
        async with redis_spool(redis, tmp_path.name) as measuring:
            size = sum(map(len, measuring._sealed("x" * 60, result(100)).values()))
        async with redis_spool(redis, tmp_path.name, owner_bytes=3 * size + size // 2) as spool:
            bobs = await spool.put(bob, result(100))
            ids = [await spool.put(ADA, result(100)) for _ in range(5)]
            there = [await spool.get(ADA, str(spool_id), 0, 1) is not None for spool_id in ids]
            assert there == [False, False, True, True, True]
            assert await spool.get(bob, str(bobs), 0, 1) is not None

    async def test_a_result_that_is_too_large_is_not_kept(self, redis: RedisServer, tmp_path: Path) -> None:
        async with redis_spool(redis, tmp_path.name, result_bytes=2000) as spool:
            assert await spool.put(ADA, result(1000)) is None
            assert await spool.put(ADA, result(20000)) is None
            assert await spool.put(ADA, result(1)) is not None

    async def test_a_redis_that_is_away_is_told_and_comes_back(self, tmp_path: Path) -> None:
        with redis_serving(tmp_path / "own") as own:
            async with redis_spool(own, "mcp") as spool:
                spool_id = await spool.put(ADA, result(10))
                assert spool_id is not None
                own.server.kill()
                with pytest.raises(SpoolUnavailable):
                    await spool.get(ADA, spool_id, 0, 10)
                with pytest.raises(SpoolUnavailable):
                    await spool.put(ADA, result(1))
                own.restart()
                assert await spool.get(ADA, spool_id, 0, 10) is not None

    async def test_a_redis_that_is_full_is_one_that_is_away(self, tmp_path: Path) -> None:
        with redis_serving(tmp_path / "own", "--maxmemory", "8mb", "--maxmemory-policy", "noeviction") as own:
            async with redis_spool(own, "mcp") as spool:
                ends = [await _ends(spool) for _ in range(150)]
        assert ends[0] == "kept"
        assert ends[-1] == "away"
