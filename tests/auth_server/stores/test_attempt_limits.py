"""Limits by address, never by account alone (D12), the same for all processes of a store."""

from pathlib import Path

import pytest

from auth_server.adapters.attempt_limits import StoreAttemptLimiter
from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.ports.store import Store, StoreUnavailable
from tests.auth_server.stores.backends import BACKENDS
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE = "203.0.113.1", "203.0.113.2"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def limiter(store: Store, clock: SettableClock) -> StoreAttemptLimiter:
    return StoreAttemptLimiter(store, clock)


async def test_d12_guesses_at_a_secret_are_slowed_down_where_they_come_from(limiter: StoreAttemptLimiter) -> None:
    for _ in range(10):
        assert await limiter.client_authentication_failed("client_a", HERE) is None
    wait = await limiter.client_authentication_failed("client_a", HERE)
    assert wait is not None
    assert 1 <= wait <= 60
    assert await limiter.client_authentication_failed("client_a", ELSEWHERE) is None
    assert await limiter.client_authentication_failed("client_b", HERE) is None


async def test_d12_one_address_cannot_try_client_after_client(limiter: StoreAttemptLimiter) -> None:
    for n in range(200):
        await limiter.client_authentication_failed(f"client_{n}", HERE)
    assert await limiter.client_authentication_failed("client_new", HERE) is not None
    assert await limiter.client_authentication_failed("client_new", ELSEWHERE) is None


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1"),
        ("203.0.113.1", "::ffff:203.0.113.1", "203.0.113.2"),
        ("fe80::1%eth0", "fe80::2%eth1", "2001:db8::1"),
        ("unix", "unix", "other"),
    ],
)
async def test_addresses_of_one_subscriber_count_together(
    limiter: StoreAttemptLimiter, address: str, same: str, other: str
) -> None:
    for _ in range(10):
        assert await limiter.sign_in_attempt("ada@example.com", address) is None
    assert await limiter.sign_in_attempt("ada@example.com", same) is not None
    assert await limiter.sign_in_attempt("ada@example.com", other) is None
    await limiter.sign_in_succeeded("ada@example.com", same)
    assert await limiter.sign_in_attempt("ada@example.com", address) is None


async def test_the_window_moves(limiter: StoreAttemptLimiter, clock: SettableClock) -> None:
    for _ in range(10):
        assert await limiter.client_authentication_failed("client_a", HERE) is None
        clock.time += 2
    assert await limiter.client_authentication_failed("client_a", HERE) == 40
    clock.time += 39.5
    assert await limiter.client_authentication_failed("client_a", HERE) == 1
    clock.time += 0.5
    assert await limiter.client_authentication_failed("client_a", HERE) is None
    assert await limiter.client_authentication_failed("client_a", HERE) == 2


@pytest.mark.parametrize("jump", [-30 * 86400, 30 * 86400])
async def test_a_wall_clock_that_is_set_prolongs_no_wait(
    limiter: StoreAttemptLimiter, clock: SettableClock, jump: float
) -> None:
    """Nor does it end the wait of a network, in the process that told it to wait."""
    for _ in range(11):
        wait = await limiter.client_authentication_failed("client_a", HERE)
    assert wait == 60
    clock.wall += jump
    assert await limiter.client_authentication_failed("client_a", HERE) == 60
    clock.time += 60
    assert await limiter.client_authentication_failed("client_a", HERE) is None


async def test_processes_count_together(backend: str, tmp_path: Path, clock: SettableClock) -> None:
    """Two processes allow no more attempts than one, and a sign-in at one of them helps at the other."""
    async with BACKENDS[backend](tmp_path / "store") as one, BACKENDS[backend](tmp_path / "store") as two:
        limiters = [StoreAttemptLimiter(one, clock), StoreAttemptLimiter(two, clock)]
        outcomes = [await limiters[n % 2].sign_in_attempt("ada@example.com", HERE) for n in range(14)]
        assert outcomes == [None] * 10 + [300] * 4
        await limiters[0].sign_in_succeeded("ada@example.com", HERE)
        assert await limiters[1].sign_in_attempt("ada@example.com", HERE) is None


async def test_a_flood_that_is_refused_costs_the_store_nothing(tmp_path: Path, clock: SettableClock) -> None:
    store = SqliteStore.open(tmp_path / "store")
    limiter = StoreAttemptLimiter(store, clock)
    for n in range(201):
        await limiter.client_authentication_failed(f"client_{n}", HERE)
    store.close()
    assert await limiter.client_authentication_failed("client_a", HERE) == 60
    with pytest.raises(StoreUnavailable):
        await limiter.client_authentication_failed("client_a", ELSEWHERE)
