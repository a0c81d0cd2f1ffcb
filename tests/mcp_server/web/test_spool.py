"""Results kept in memory: for whom, for how long, and how much."""

import pyarrow as pa
import pytest

from mcp_server.adapters.spool import LIFETIME_SECONDS, MemorySpool
from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result, ResultColumn
from shared_kernel.entropy import SystemEntropy

pytestmark = pytest.mark.anyio


class Clock:
    time = 1_000_000.0

    def now(self) -> float:
        return self.time


def principal(subject: str = "usr_1", tenant: str = "default", client: str = "c") -> Principal:
    return Principal(tenant, subject, client, frozenset({"query"}), "gid", 0)


def result(rows: int) -> Result:
    """A result of 8 bytes a row."""
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    return Result((ResultColumn("n", "BIGINT"),), table, complete=True)


def spool(clock: Clock, *, result_bytes: int = 800, total_bytes: int = 1600) -> MemorySpool:
    return MemorySpool(clock=clock, entropy=SystemEntropy(), result_bytes=result_bytes, total_bytes=total_bytes)


async def test_a_result_is_there_for_its_principal_alone() -> None:
    kept = spool(Clock())
    spool_id = await kept.put(principal(), result(10), "row_limit")
    assert spool_id is not None
    found = await kept.get(principal(), spool_id)
    assert found is not None
    assert (found.result.table.num_rows, found.stop_reason) == (10, "row_limit")
    for other in (principal("usr_2"), principal(tenant="other"), principal(client="d")):
        assert await kept.get(other, spool_id) is None
    assert await kept.get(principal(), "unknown") is None


async def test_a_result_expires_after_fifteen_minutes_however_often_it_is_read() -> None:
    clock = Clock()
    kept = spool(clock)
    spool_id = await kept.put(principal(), result(1), "row_limit")
    assert spool_id is not None
    clock.time += LIFETIME_SECONDS - 1
    assert await kept.get(principal(), spool_id) is not None
    clock.time += 1
    assert await kept.get(principal(), spool_id) is None


async def test_a_result_that_is_too_large_is_not_kept_and_costs_nobody_anything() -> None:
    kept = spool(Clock())
    small = await kept.put(principal(), result(10), "row_limit")
    assert await kept.put(principal(), result(101), "row_limit") is None
    assert small is not None
    assert await kept.get(principal(), small) is not None


async def test_the_longest_unused_result_gives_way() -> None:
    kept = spool(Clock(), result_bytes=400)
    ids = [await kept.put(principal(f"usr_{number}"), result(50), "row_limit") for number in range(4)]
    assert ids[0] is not None
    assert await kept.get(principal("usr_0"), ids[0]) is not None
    await kept.put(principal("usr_9"), result(50), "row_limit")
    left = [
        await kept.get(principal(f"usr_{number}"), str(spool_id)) is not None for number, spool_id in enumerate(ids)
    ]
    assert left == [True, False, True, True]


async def test_one_principal_cannot_push_out_everyone_else() -> None:
    kept = spool(Clock(), result_bytes=400)
    other = await kept.put(principal("usr_2"), result(50), "row_limit")
    for _ in range(20):
        await kept.put(principal("usr_1"), result(50), "row_limit")
    assert other is not None
    assert await kept.get(principal("usr_2"), other) is not None


async def test_a_slice_counts_with_all_that_it_keeps_alive() -> None:
    kept = spool(Clock())
    whole = result(1000)
    assert (
        await kept.put(principal(), Result(whole.columns, whole.table.slice(0, 1), complete=False), "row_limit") is None
    )
