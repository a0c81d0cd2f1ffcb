"""argon2id (RFC 9106), in worker threads, a bounded number at a time."""

import anyio
import anyio.to_thread
from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

MAX_CONCURRENT = 2
"""Each hash takes 64 MiB and a core for some 50 ms; more at once would only starve the token endpoint."""


class Argon2Passwords:
    """Implements PasswordHasher. Opened by open_passwords()."""

    def __init__(self, argon2: Argon2, nobodys_hash: str, limiter: anyio.CapacityLimiter) -> None:
        self._argon2, self._nobodys_hash, self._limiter = argon2, nobodys_hash, limiter

    async def hash(self, password: str) -> str:
        """See PasswordHasher."""
        return await anyio.to_thread.run_sync(self._argon2.hash, password, limiter=self._limiter)

    async def verify(self, stored: str | None, password: str) -> bool:
        """See PasswordHasher."""
        # Without a hash to check, an unknown address would be answered faster than a known one.
        matches = await anyio.to_thread.run_sync(
            self._matches, stored or self._nobodys_hash, password, limiter=self._limiter
        )
        return matches and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._argon2.verify(stored, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False


async def open_passwords(argon2: Argon2 | None = None) -> Argon2Passwords:
    """A hasher with argon2-cffi's defaults (RFC 9106's low-memory profile), or the parameters given."""
    chosen = argon2 or Argon2()
    limiter = anyio.CapacityLimiter(MAX_CONCURRENT)
    nobodys_hash = await anyio.to_thread.run_sync(chosen.hash, "nobody's password", limiter=limiter)
    return Argon2Passwords(chosen, nobodys_hash, limiter)
