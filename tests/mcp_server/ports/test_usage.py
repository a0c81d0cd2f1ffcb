"""What was read is kept by tenant, subject, day and table: in memory and in Redis alike."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from mcp_server.adapters.redis_store.connection import SharedRedis
from mcp_server.adapters.redis_store.usage import UsageInRedis
from mcp_server.adapters.usage_days import PEOPLE, UsageDay, UsageInMemory
from mcp_server.domain.principal import Principal
from mcp_server.ports.usage import DAYS_KEPT, TableDay, TableUsage, Total, Usage, UsageRecords, UsageUnavailable
from shared_kernel.entropy import SystemEntropy
from tests.support.clock import NOON, SettableClock
from tests.support.redis_server import RedisServer, redis_serving

pytestmark = pytest.mark.anyio

ANN, BOB = (Principal("acme", subject, "cli", frozenset(), "gid") for subject in ("usr_ann", "usr_bob"))
EVE = Principal("globex", "usr_ann", "cli", frozenset(), "gid")
DAY = 86_400.0
TODAY = datetime.fromtimestamp(NOON, UTC).date()
DAYS = [TODAY - timedelta(before) for before in range(3)]


def usage(**tables: tuple[int, float]) -> Usage:
    """What a statement took: by table its items and read units."""
    reads = tuple(TableUsage("shop", name, *taken) for name, taken in tables.items())
    items, units = sum(read.items for read in reads), sum(read.read_units for read in reads)
    return Usage("digest", tuple(sorted(tables)), items, 1, 100, units, 0.001, 0.002, reads)


def by_table(found: object) -> dict[tuple[int, str], tuple[int, int, float]]:
    """By days ago and table: statements, items, read units."""
    assert isinstance(found, list)
    assert all(isinstance(one, TableDay) and one.schema == "shop" for one in found)
    return {
        ((TODAY - one.day).days, one.table): (one.total.statements, one.total.items, one.total.read_units)
        for one in found
    }


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for these tests."""
    with redis_serving(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[UsageRecords, SettableClock]]:
    """Each of the adapters, and its clock."""
    clock = SettableClock()
    if request.param == "memory":
        yield UsageInMemory(clock), clock
        return
    async with SharedRedis(request.getfixturevalue("redis").url, tmp_path.name) as shared:
        yield UsageInRedis(shared, clock, SystemEntropy()), clock


async def test_it_is_added_up_by_day_and_table(records: tuple[UsageRecords, SettableClock]) -> None:
    kept, clock = records
    kept.record(ANN, usage(orders=(3, 1.5), people=(1, 0.5)))
    kept.record(ANN, usage(orders=(4, 2.0)))
    kept.record(BOB, usage(orders=(10, 5.0)))
    clock.time += DAY
    kept.record(ANN, usage(orders=(1, 0.5)))
    days = [TODAY + timedelta(1), TODAY]
    assert by_table(list(await kept.of_person("acme", "usr_ann", days))) == {
        (-1, "orders"): (1, 1, 0.5),
        (0, "orders"): (2, 7, 3.5),
        (0, "people"): (1, 1, 0.5),
    }
    assert by_table(list(await kept.of_person("acme", "usr_ann", days[1:]))) == {
        (0, "orders"): (2, 7, 3.5),
        (0, "people"): (1, 1, 0.5),
    }
    found, people = await kept.of_tenant("acme", days)
    assert by_table(list(found)) == {
        (-1, "orders"): (1, 1, 0.5),
        (0, "orders"): (3, 17, 8.5),
        (0, "people"): (1, 1, 0.5),
    }
    assert people == {"usr_ann": Total(3, 9, 4.5), "usr_bob": Total(1, 10, 5.0)}


def of_requests(requests: int, rows: int, *, rest: bool = False) -> Usage:
    """What a statement took over one table, with a result of so many rows."""
    reads = (TableUsage("shop", "orders", 2, 1.0, requests),)
    return Usage("digest", ("shop.orders",), 2, requests, 100, 1.0, 0.001, 0.002, reads, rows=rows, rest=rest)


async def test_requests_and_rows_are_added_up(records: tuple[UsageRecords, SettableClock]) -> None:
    kept, _ = records
    kept.record(ANN, of_requests(3, 10))
    kept.record(ANN, of_requests(2, 0, rest=True))
    kept.record(BOB, of_requests(1, 1))
    found, people = await kept.of_tenant("acme", [TODAY])
    assert [one.total for one in found] == [Total(2, 6, 3.0, requests=6, rows=11)]
    assert people == {"usr_ann": Total(1, 4, 2.0, requests=5, rows=10), "usr_bob": Total(1, 2, 1.0, requests=1, rows=1)}
    (own,) = await kept.of_person("acme", "usr_ann", [TODAY])
    assert own.total == people["usr_ann"]


async def test_samples_are_added_up_and_are_no_statements(records: tuple[UsageRecords, SettableClock]) -> None:
    kept, _ = records
    kept.record(ANN, of_requests(3, 10))
    for _ in range(2):
        kept.record_sample(ANN, TableUsage("shop", "orders", 100, 12.5, 1))
    kept.record_sample(BOB, TableUsage("shop", "orders", 0, 0.5, 1))
    found, people = await kept.of_tenant("acme", [TODAY])
    assert [one.total for one in found] == [Total(1, 202, 26.5, requests=6, rows=10)]
    assert people == {"usr_ann": Total(1, 202, 26.0, requests=5, rows=10), "usr_bob": Total(0, 0, 0.5, requests=1)}
    (own,) = await kept.of_person("acme", "usr_ann", [TODAY])
    assert own.total == people["usr_ann"]


async def test_tenants_are_apart_even_where_subjects_are_called_alike(
    records: tuple[UsageRecords, SettableClock],
) -> None:
    kept, _ = records
    kept.record(ANN, usage(orders=(3, 1.5)))
    kept.record(EVE, usage(secrets=(9, 9.0)))
    assert by_table(list(await kept.of_person("acme", "usr_ann", DAYS))) == {(0, "orders"): (1, 3, 1.5)}
    assert by_table(list(await kept.of_person("globex", "usr_ann", DAYS))) == {(0, "secrets"): (1, 9, 9.0)}
    found, people = await kept.of_tenant("globex", DAYS)
    assert by_table(list(found)) == {(0, "secrets"): (1, 9, 9.0)}
    assert people == {"usr_ann": Total(1, 9, 9.0)}


async def test_who_read_nothing_has_nothing(records: tuple[UsageRecords, SettableClock]) -> None:
    kept, _ = records
    kept.record(ANN, usage())
    assert list(await kept.of_person("acme", "usr_ann", DAYS)) == []
    assert await kept.of_tenant("acme", DAYS) == ([], {})


@pytest.mark.parametrize(
    "subject", ["a subject", "ns|ünï:{x}\U0001f600", 'quo"ted\\', "new\nline", "\ud800", "*", "n", "x" * 1000]
)
async def test_names_may_be_odd(records: tuple[UsageRecords, SettableClock], subject: str) -> None:
    """Another issuer's subjects are any text; what is none in UTF-8 is told apart no longer."""
    kept, _ = records
    principal = Principal('od"d:{t}', subject, "cli", frozenset(), "gid")
    kept.record(principal, usage(**{"my-table.ü": (2, 1.0)}))
    assert by_table(list((await kept.of_tenant(principal.tenant, DAYS))[0])) == {(0, "my-table.ü"): (1, 2, 1.0)}
    (found,) = (await kept.of_tenant(principal.tenant, DAYS))[1]
    assert found == (subject if subject != "\ud800" else found)
    for asked in (found, subject):
        assert by_table(list(await kept.of_person(principal.tenant, asked, DAYS))) == {(0, "my-table.ü"): (1, 2, 1.0)}


def test_people_beyond_the_bound_are_counted_under_no_name() -> None:
    day = UsageDay()
    for number in range(PEOPLE + 2):
        day.add(f"usr_{number}", usage(orders=(1, 0.5)))
    day.add("usr_0", usage(orders=(1, 0.5)))
    assert len(day.people) == PEOPLE + 1
    assert (day.people[""], day.people["usr_0"]) == (Total(2, 2, 1.0), Total(2, 2, 1.0))
    assert day.tables == {("shop", "orders"): Total(PEOPLE + 3, PEOPLE + 3, (PEOPLE + 3) / 2)}
    assert "" not in day.tables_of


async def test_memory_forgets_old_days() -> None:
    clock = SettableClock()
    kept = UsageInMemory(clock)
    for _ in range(DAYS_KEPT + 5):
        kept.record(ANN, usage(orders=(1, 0.5)))
        clock.time += DAY
    assert len(kept._days) == DAYS_KEPT


def _replicas(url: str, prefix: str, count: int, people: int = PEOPLE) -> tuple[AsyncExitStack, list[UsageInRedis]]:
    stack, entropy = AsyncExitStack(), SystemEntropy()
    shared = [SharedRedis(url, prefix) for _ in range(count)]
    for one in shared:
        stack.push_async_exit(one)
    return stack, [UsageInRedis(one, SettableClock(), entropy, people) for one in shared]


@pytest.mark.slow
async def test_replicas_add_to_the_same_days(redis: RedisServer, tmp_path: Path) -> None:
    stack, replicas = _replicas(redis.url, tmp_path.name, 4)
    async with stack:
        for number in range(400):
            replicas[number % 4].record(ANN if number % 3 else BOB, usage(orders=(2, 0.5), people=(1, 1.0)))
        async with anyio.create_task_group() as tasks:
            for replica in replicas:
                tasks.start_soon(replica.hand_on)
        for replica in replicas:
            found, people = await replica.of_tenant("acme", [TODAY])
            assert by_table(list(found)) == {(0, "orders"): (400, 800, 200.0), (0, "people"): (400, 400, 400.0)}
            assert people == {"usr_ann": Total(266, 798, 399.0), "usr_bob": Total(134, 402, 201.0)}


@pytest.mark.slow
async def test_what_redis_may_have_got_is_not_counted_twice(redis: RedisServer, tmp_path: Path) -> None:
    """Its answer was lost: the same batch is given again, by its name."""
    stack, (kept,) = _replicas(redis.url, tmp_path.name, 1)
    async with stack:
        kept.record(ANN, usage(orders=(3, 1.5)))
        day = kept._fresh[("acme", TODAY)]
        for _ in range(3):
            await kept._add("a-name", "acme", TODAY, day)
        kept._fresh.clear()
        assert by_table(list(await kept.of_person("acme", "usr_ann", DAYS))) == {(0, "orders"): (1, 3, 1.5)}


@pytest.mark.slow
async def test_what_an_older_replica_counted_is_read_and_added_to(redis: RedisServer, tmp_path: Path) -> None:
    """It knew neither requests nor rows."""
    stack, (kept,) = _replicas(redis.url, tmp_path.name, 1)
    async with stack:
        for whose, key in (('["shop", "orders"]', "tables"), ("usr_ann", "people")):
            counted = [f"n{whose}", "7", f"i{whose}", "70", f"u{whose}", "3.5"]
            redis.command("HSET", kept._key("acme", TODAY, key), *counted)
        found, people = await kept.of_tenant("acme", [TODAY])
        assert [one.total for one in found] == [Total(7, 70, 3.5)]
        assert people == {"usr_ann": Total(7, 70, 3.5)}
        kept.record(ANN, of_requests(3, 10))
        found, _ = await kept.of_tenant("acme", [TODAY])
        assert [one.total for one in found] == [Total(8, 72, 4.5, requests=3, rows=10)]


@pytest.mark.slow
async def test_it_waits_here_while_redis_is_away(tmp_path: Path) -> None:
    with redis_serving(tmp_path / "own") as own:
        stack, (kept,) = _replicas(own.url, "mcp", 1)
        async with stack:
            kept.record(ANN, usage(orders=(1, 0.5)))
            assert await kept.hand_on()
            own.server.kill()
            for _ in range(3):
                kept.record(ANN, usage(orders=(1, 0.5)))
                assert not await kept.hand_on()
            with pytest.raises(UsageUnavailable):
                await kept.of_person("acme", "usr_ann", DAYS)
            own.restart()
            found = by_table(list(await kept.of_person("acme", "usr_ann", DAYS)))
            # Redis without a file on disk forgets what it had when it is killed.
            assert found in ({(0, "orders"): (4, 4, 2.0)}, {(0, "orders"): (3, 3, 1.5)})


@pytest.mark.slow
async def test_redis_is_given_it_beside_requests_and_at_the_end(redis: RedisServer, tmp_path: Path) -> None:
    stack, (kept, other) = _replicas(redis.url, tmp_path.name, 2)
    async with stack:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kept.keep_handing_on)
            kept.record(ANN, usage(orders=(1, 0.5)))
            handed_on = False
            with anyio.fail_after(30):
                while not handed_on:
                    handed_on = bool(await other.of_person("acme", "usr_ann", DAYS))
            kept.record(ANN, usage(orders=(1, 0.5)))
            tasks.cancel_scope.cancel()
        assert by_table(list(await other.of_person("acme", "usr_ann", DAYS))) == {(0, "orders"): (2, 2, 1.0)}


@pytest.mark.slow
async def test_in_redis_people_are_bounded_and_days_expire(redis: RedisServer, tmp_path: Path) -> None:
    stack, replicas = _replicas(redis.url, tmp_path.name, 3, people=4)
    async with stack:
        for number in range(9):
            principal = Principal("acme", f"usr_{number}", "cli", frozenset(), "gid")
            replicas[number % 3].record(principal, usage(orders=(1, 0.5)))
            assert await replicas[number % 3].hand_on()
        replicas[0].record(Principal("acme", "usr_1", "cli", frozenset(), "gid"), usage(orders=(1, 0.5)))
        found, people = await replicas[0].of_tenant("acme", [TODAY])
        assert by_table(list(found)) == {(0, "orders"): (10, 10, 5.0)}
        assert people == {
            "": Total(5, 5, 2.5),
            **{f"usr_{n}": Total(1 + (n == 1), 1 + (n == 1), 0.5 + 0.5 * (n == 1)) for n in range(4)},
        }
    answer = redis.command("KEYS", f"*{tmp_path.name}*")
    keys = [line for line in answer.split("\r\n") if tmp_path.name in line]
    days = [key for key in keys if ":batch:" not in key]
    assert len(days) == 2 + 4
    for key in keys:
        assert 0 < int(redis.command("PTTL", key).removeprefix(":")) <= (DAYS_KEPT + 1) * 86_400_000
        assert "usr_" not in key
    assert len({key.partition("}")[0] for key in keys}) == 1, "one slot"


def test_days_are_those_of_utc() -> None:
    assert date(2027, 1, 15) == TODAY
