"""Password hashing: argon2id, off the event loop, a few at a time, and with a queue that ends."""

import anyio
import pytest
from argon2 import PasswordHasher

from auth_server.adapters.passwords import (
    MAX_CONCURRENT,
    MAX_WAITING,
    MAX_WAITING_PER_NETWORK,
    open_passwords,
)
from auth_server.ports.people import PasswordsBusy
from tests.support.held_hashing import HeldHasher, until_waiting

pytestmark = pytest.mark.anyio

HERE = "203.0.113.7"
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_only_the_right_password_of_a_known_user_matches() -> None:
    passwords = await open_passwords(FAST)
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct horse" not in stored
    assert await passwords.hash("correct horse") != stored
    assert await passwords.verify(stored, "correct horse", HERE)
    for wrong in ("", "Correct horse", "correct horse "):
        assert not await passwords.verify(stored, wrong, HERE)
    for broken in ("not a hash", "$argon2id$", stored[:-4]):
        assert not await passwords.verify(broken, "correct horse", HERE)


async def test_nobody_has_no_password() -> None:
    passwords = await open_passwords(FAST)
    assert not await passwords.verify(None, "nobody's password", HERE)
    assert not await passwords.verify(None, "", HERE)


@pytest.mark.slow
async def test_defaults_are_rfc_9106s_and_leave_the_event_loop_free() -> None:
    passwords = await open_passwords()
    turns = 0

    async def hash_once() -> None:
        assert (await passwords.hash("correct horse")).startswith("$argon2id$v=19$m=65536,t=3,p=4$")

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(MAX_CONCURRENT + 1):
                group.start_soon(hash_once)
            while passwords._limiter.statistics().tasks_waiting == 0:
                await anyio.lowlevel.checkpoint()
            assert passwords._limiter.borrowed_tokens == MAX_CONCURRENT
            while passwords._limiter.borrowed_tokens == MAX_CONCURRENT:
                turns += 1
                await anyio.lowlevel.checkpoint()
    assert turns > 10


async def test_a_hash_of_other_parameters_is_renewed() -> None:
    passwords, stored = await open_passwords(FAST), PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("pw")
    match = await passwords.verify(stored, "pw", HERE)
    assert match is not None
    assert match.renewed_hash is not None
    again = await passwords.verify(match.renewed_hash, "pw", HERE)
    assert again is not None
    assert again.renewed_hash is None
    assert await passwords.verify(stored, "wrong", HERE) is None


async def test_one_network_fills_the_queue_for_itself_only() -> None:
    held = HeldHasher()
    passwords, stored = await open_passwords(held), held.hash("pw")
    right = []

    async def verify(address: str) -> None:
        right.append(await passwords.verify(stored, "pw", address) is not None)

    async with anyio.create_task_group() as group:
        for n in range(MAX_WAITING_PER_NETWORK):
            group.start_soon(verify, f"2001:db8::{n:x}")
        await until_waiting(passwords, MAX_WAITING_PER_NETWORK)
        with pytest.raises(PasswordsBusy):
            await passwords.verify(stored, "pw", "2001:db8::ffff")
        group.start_soon(verify, HERE)
        await until_waiting(passwords, MAX_WAITING_PER_NETWORK + 1)
        held.go.set()
    assert right == [True] * (MAX_WAITING_PER_NETWORK + 1)


async def test_a_full_queue_turns_away_at_once() -> None:
    held = HeldHasher()
    passwords = await open_passwords(held)
    async with anyio.create_task_group() as group:
        for n in range(MAX_WAITING):
            group.start_soon(passwords.verify, None, "pw", f"198.51.100.{n}")
        await until_waiting(passwords, MAX_WAITING)
        with pytest.raises(PasswordsBusy):
            await passwords.verify(None, "pw", HERE)
        held.go.set()
    assert await passwords.verify(None, "pw", HERE) is None


async def test_who_gives_up_is_not_hashed() -> None:
    held = HeldHasher()
    passwords = await open_passwords(held)
    async with anyio.create_task_group() as group:
        for _ in range(MAX_CONCURRENT):
            group.start_soon(passwords.verify, None, "pw", HERE)
        await until_waiting(passwords, MAX_CONCURRENT)
        async with anyio.create_task_group() as giving_up:
            for _ in range(3):
                giving_up.start_soon(passwords.verify, None, "pw", HERE)
            await until_waiting(passwords, MAX_CONCURRENT + 3)
            giving_up.cancel_scope.cancel()
        assert passwords.in_flight == MAX_CONCURRENT
        held.go.set()
    assert held.verified == MAX_CONCURRENT
