"""Limits by address, never by account alone (D12)."""

import pytest

from auth_server.adapters.attempt_limits import MemoryAttemptLimiter
from tests.support.clock import SettableClock

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE = "203.0.113.1", "203.0.113.2"


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def limiter(clock: SettableClock) -> MemoryAttemptLimiter:
    return MemoryAttemptLimiter(clock)


async def test_d12_guesses_at_a_secret_are_slowed_down_where_they_come_from(limiter: MemoryAttemptLimiter) -> None:
    for _ in range(10):
        assert await limiter.client_authentication_failed("client_a", HERE) is None
    wait = await limiter.client_authentication_failed("client_a", HERE)
    assert wait is not None
    assert 1 <= wait <= 60
    assert await limiter.client_authentication_failed("client_a", ELSEWHERE) is None
    assert await limiter.client_authentication_failed("client_b", HERE) is None


async def test_d12_one_address_cannot_try_client_after_client(limiter: MemoryAttemptLimiter) -> None:
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
    limiter: MemoryAttemptLimiter, address: str, same: str, other: str
) -> None:
    for _ in range(10):
        assert await limiter.sign_in_attempt("ada@example.com", address) is None
    assert await limiter.sign_in_attempt("ada@example.com", same) is not None
    assert await limiter.sign_in_attempt("ada@example.com", other) is None
    await limiter.sign_in_succeeded("ada@example.com", same)
    assert await limiter.sign_in_attempt("ada@example.com", address) is None


async def test_the_window_moves(limiter: MemoryAttemptLimiter, clock: SettableClock) -> None:
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
async def test_a_wall_clock_that_is_set_neither_ends_nor_prolongs_a_wait(
    limiter: MemoryAttemptLimiter, clock: SettableClock, jump: float
) -> None:
    for _ in range(11):
        wait = await limiter.client_authentication_failed("client_a", HERE)
    assert wait == 60
    clock.wall += jump
    assert await limiter.client_authentication_failed("client_a", HERE) == 60
    clock.time += 60
    assert await limiter.client_authentication_failed("client_a", HERE) is None


async def test_expired_keys_are_forgotten_and_others_kept(limiter: MemoryAttemptLimiter, clock: SettableClock) -> None:
    for n in range(900):
        await limiter.authorization_attempt(f"198.51.{n // 250}.{n % 250}")
    clock.time += 60
    for _ in range(120):
        await limiter.authorization_attempt(HERE)
    assert len(limiter._windows) == 1
    assert await limiter.authorization_attempt(HERE) == 60
