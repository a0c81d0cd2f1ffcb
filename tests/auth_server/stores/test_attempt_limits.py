"""Limits by address, never by account alone (D12)."""

import pytest

from auth_server.adapters.attempt_limits import MemoryAttemptLimiter
from shared_kernel.clock import SystemClock

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE = "203.0.113.1", "203.0.113.2"


@pytest.fixture
def limiter() -> MemoryAttemptLimiter:
    return MemoryAttemptLimiter(SystemClock())


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


async def test_expired_keys_are_forgotten_and_others_kept(limiter: MemoryAttemptLimiter) -> None:
    for _ in range(9):
        await limiter.sign_in_attempt("ada@example.com", HERE)
    events = limiter._storage.events
    events["expired"] = []  # what the library leaves of a key when its last entry expires
    for n in range(1000):
        await limiter.sign_in_attempt("ada@example.com", f"198.51.{n // 250}.{n % 250}")
    assert "expired" not in events
    assert await limiter.sign_in_attempt("ada@example.com", HERE) is None
    assert await limiter.sign_in_attempt("ada@example.com", HERE) is not None
