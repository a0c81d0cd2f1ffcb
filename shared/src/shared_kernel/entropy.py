"""Randomness as a parameter."""

import secrets
from typing import Protocol


class Entropy(Protocol):
    """A source of cryptographic randomness."""

    def bytes(self, count: int) -> bytes:
        """`count` random bytes."""
        ...

    def token(self, bits: int = 256) -> str:
        """A random string over `[A-Za-z0-9_-]` holding at least `bits` bits, safe in URLs, headers and `curl -u`."""
        ...


class SystemEntropy:
    """The operating system's generator."""

    def bytes(self, count: int) -> bytes:
        """`count` random bytes."""
        return secrets.token_bytes(count)

    def token(self, bits: int = 256) -> str:
        """A random string over `[A-Za-z0-9_-]` holding at least `bits` bits."""
        return secrets.token_urlsafe((bits + 7) // 8)
