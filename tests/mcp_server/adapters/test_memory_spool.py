"""Results kept in memory: for whom, for how long, and how much."""

import pyarrow as pa
import pytest

from mcp_server.adapters.spool import MemorySpool
from mcp_server.domain.principal import Principal
from mcp_server.ports.relational import Result, ResultColumn
from shared_kernel.entropy import SystemEntropy
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

LIFETIME = 900


def principal(subject: str = "usr_1", tenant: str = "default", client: str = "c") -> Principal:
    return Principal(tenant, subject, client, frozenset({"query"}), "gid")


def result(rows: int) -> Result:
    """A result of 8 bytes a row."""
    table = pa.table({"n": pa.array(range(rows), pa.int64())})
    return Result((ResultColumn("n", "BIGINT"),), table, complete=True)


def spool(
    clock: SettableClock, *, result_bytes: int = 800, total_bytes: int = 1600, entry_bytes: int = 0
) -> MemorySpool:
    return MemorySpool(
        clock=clock,
        entropy=SystemEntropy(),
        lifetime_seconds=LIFETIME,
        result_bytes=result_bytes,
        total_bytes=total_bytes,
        entry_bytes=entry_bytes,
    )


async def test_a_result_is_there_for_its_principal_alone() -> None:
    kept = spool(SettableClock())
    spool_id = await kept.put(principal(), result(10))
    assert spool_id is not None
    found = await kept.get(principal(), spool_id, 0, 1000)
    assert found is not None
    assert (found.result.table.num_rows, found.total_rows) == (10, 10)
    for other in (principal("usr_2"), principal(tenant="other"), principal(client="d")):
        assert await kept.get(other, spool_id, 0, 1000) is None
    assert await kept.get(principal(), "unknown", 0, 1000) is None


async def test_a_result_expires_at_its_time_however_often_it_is_read() -> None:
    clock = SettableClock()
    kept = spool(clock)
    spool_id = await kept.put(principal(), result(1))
    assert spool_id is not None
    clock.time += LIFETIME - 1
    assert await kept.get(principal(), spool_id, 0, 1000) is not None
    clock.time += 1
    assert await kept.get(principal(), spool_id, 0, 1000) is None


async def test_a_result_that_is_too_large_is_not_kept_and_costs_nobody_anything() -> None:
    kept = spool(SettableClock())
    small = await kept.put(principal(), result(10))
    assert await kept.put(principal(), result(101)) is None
    assert small is not None
    assert await kept.get(principal(), small, 0, 1000) is not None


async def test_the_longest_unused_result_gives_way() -> None:
    kept = spool(SettableClock(), result_bytes=400)
    ids = [await kept.put(principal(f"usr_{number}"), result(50)) for number in range(4)]
    assert ids[0] is not None
    assert await kept.get(principal("usr_0"), ids[0], 0, 1000) is not None
    await kept.put(principal("usr_9"), result(50))
    left = [
        await kept.get(principal(f"usr_{number}"), str(spool_id), 0, 1000) is not None
        for number, spool_id in enumerate(ids)
    ]
    assert left == [True, False, True, True]


async def test_one_principal_cannot_push_out_everyone_else() -> None:
    kept = spool(SettableClock(), result_bytes=400)
    other = await kept.put(principal("usr_2"), result(50))
    for _ in range(20):
        await kept.put(principal("usr_1"), result(50))
    assert other is not None
    assert await kept.get(principal("usr_2"), other, 0, 1000) is not None


async def test_a_slice_counts_with_all_that_it_keeps_alive() -> None:
    kept = spool(SettableClock())
    whole = result(1000)
    assert await kept.put(principal(), Result(whole.columns, whole.table.slice(0, 1), complete=False)) is None


async def test_many_small_results_are_bounded_by_what_they_take_beside_their_data() -> None:
    kept = spool(SettableClock(), total_bytes=1_000_000, entry_bytes=4000)
    ids = [await kept.put(principal(f"usr_{number % 10}"), result(0)) for number in range(1000)]
    found = [
        await kept.get(principal(f"usr_{number % 10}"), str(spool_id), 0, 1) for number, spool_id in enumerate(ids)
    ]
    assert [number for number, part in enumerate(found) if part] == list(range(750, 1000))


async def test_what_has_expired_is_let_go_with_the_next_result_also_if_it_was_read_lately() -> None:
    clock = SettableClock()
    kept = spool(clock, total_bytes=10_000, entry_bytes=1000)
    first = await kept.put(principal(), result(0))
    for _ in range(5):
        await kept.put(principal(), result(0))
        assert await kept.get(principal(), str(first), 0, 1) is not None
    assert kept._all.size == 5000, "half of it"
    clock.time += LIFETIME
    await kept.put(principal(), result(0))
    assert (kept._all.size, len(kept._by_age), len(kept._of)) == (1000, 1, 1)


@pytest.mark.parametrize("jump", [-30 * 86400, 30 * 86400])
async def test_a_wall_clock_that_is_set_neither_ends_nor_prolongs_a_results_life(jump: float) -> None:
    clock = SettableClock()
    kept = spool(clock)
    spool_id = await kept.put(principal(), result(1))
    assert spool_id is not None
    clock.wall += jump
    assert await kept.get(principal(), spool_id, 0, 1000) is not None
    clock.time += LIFETIME
    assert await kept.get(principal(), spool_id, 0, 1000) is None
