"""Password hashing that waits to be told, so that a queue can be looked at."""

import threading
from typing import Literal

import anyio
from argon2 import PasswordHasher

from auth_server.adapters.passwords import Argon2Passwords


class HeldHasher(PasswordHasher):
    """Verifies once `go` is set, and counts."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go, self.verified = threading.Event(), 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 (the base class names it so)
        assert self.go.wait(30)
        self.verified += 1
        return super().verify(hash, password)


async def until_waiting(passwords: Argon2Passwords, count: int) -> None:
    """Returns once so many verifications are under way."""
    with anyio.fail_after(30):
        while passwords.in_flight != count:
            await anyio.lowlevel.checkpoint()
