"""argon2id (RFC 9106), in worker threads, a bounded number at a time."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread
from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from auth_server.adapters.networks import network
from auth_server.ports.people import PasswordMatch, PasswordsBusy

MAX_CONCURRENT = 2
"""Each hash takes 64 MiB and a core for some 50 ms; more at once would only starve the token endpoint."""
MAX_WAITING = 32
"""Verifications under way, waiting ones included: the last of them is answered within a second or two."""
MAX_WAITING_PER_NETWORK = 8
"""Those of them that one subscriber's addresses may take."""


class Argon2Hasher:
    """Implements PasswordHasher, with argon2-cffi's defaults (RFC 9106's low-memory profile) unless told otherwise."""

    def __init__(self, argon2: Argon2 | None = None) -> None:
        self._argon2, self._limiter = argon2 or Argon2(), anyio.CapacityLimiter(MAX_CONCURRENT)

    async def hash(self, password: str) -> str:
        """See PasswordHasher."""
        return await anyio.to_thread.run_sync(self._argon2.hash, password, limiter=self._limiter)


class Argon2Passwords(Argon2Hasher):
    """Implements PasswordVerifier. Opened by open_passwords()."""

    def __init__(self, nobodys_hash: str, argon2: Argon2 | None) -> None:
        super().__init__(argon2)
        self._nobodys_hash = nobodys_hash
        self._waiting: Counter[str] = Counter()

    @property
    def in_flight(self) -> int:
        """How many verifications are under way, waiting ones included."""
        return self._waiting.total()

    async def verify(self, stored: str | None, password: str, address: str) -> PasswordMatch | None:
        """See PasswordVerifier."""
        with self._place(network(address)):
            # Without a hash to check, an unknown address would be answered faster than a known one.
            match = await anyio.to_thread.run_sync(
                self._match, stored or self._nobodys_hash, password, limiter=self._limiter
            )
        return match if stored is not None else None

    @contextmanager
    def _place(self, source: str) -> Iterator[None]:
        """A place among those who wait. Raises PasswordsBusy."""
        if self._waiting[source] >= MAX_WAITING_PER_NETWORK or self._waiting.total() >= MAX_WAITING:
            raise PasswordsBusy
        self._waiting[source] += 1
        try:
            yield
        finally:
            self._waiting[source] -= 1
            if not self._waiting[source]:
                del self._waiting[source]

    def _match(self, stored: str, password: str) -> PasswordMatch | None:
        try:
            self._argon2.verify(stored, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return None
        return PasswordMatch(self._argon2.hash(password) if self._argon2.check_needs_rehash(stored) else None)


async def open_passwords(argon2: Argon2 | None = None) -> Argon2Passwords:
    """A verifier with the parameters of Argon2Hasher. It makes a hash first, which stands for that of nobody."""
    return Argon2Passwords(await Argon2Hasher(argon2).hash("nobody's password"), argon2)
