"""Password hashing: argon2id, off the event loop, a few at a time."""

import anyio
import pytest
from argon2 import PasswordHasher

from auth_server.adapters.passwords import MAX_CONCURRENT, open_passwords

pytestmark = pytest.mark.anyio

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_only_the_right_password_of_a_known_user_matches() -> None:
    passwords = await open_passwords(FAST)
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert "correct horse" not in stored
    assert await passwords.hash("correct horse") != stored
    assert await passwords.verify(stored, "correct horse")
    for wrong in ("", "Correct horse", "correct horse "):
        assert not await passwords.verify(stored, wrong)
    for broken in ("not a hash", "$argon2id$", stored[:-4]):
        assert not await passwords.verify(broken, "correct horse")


async def test_nobody_has_no_password() -> None:
    passwords = await open_passwords(FAST)
    assert not await passwords.verify(None, "nobody's password")
    assert not await passwords.verify(None, "")


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
