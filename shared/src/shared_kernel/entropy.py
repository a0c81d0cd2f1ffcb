"""Randomness as a parameter."""

import os
import secrets
import threading
from base64 import urlsafe_b64encode
from typing import Protocol

_IN_ADVANCE = 1024


class Entropy(Protocol):
    """A source of cryptographic randomness."""

    def bytes(self, count: int) -> bytes:
        """`count` random bytes."""
        ...

    def token(self, bits: int = 256) -> str:
        """A random string over `[A-Za-z0-9_-]` holding at least `bits` bits, safe in URLs, headers and `curl -u`."""
        ...


class SystemEntropy:
    """The operating system's generator, asked for some bytes in advance.

    Every question gives up the interpreter's lock, and beside a busy thread that costs more than all else about it.
    Each byte is given out once: among threads by a lock, and a forked process begins anew.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._advance, self._given, self._process = b"", 0, 0

    def bytes(self, count: int) -> bytes:
        """`count` random bytes."""
        with self._lock:
            process = os.getpid()
            if self._given + count > len(self._advance) or self._process != process:
                self._advance, self._given, self._process = secrets.token_bytes(_IN_ADVANCE + count), 0, process
            start = self._given
            self._given += count
            return self._advance[start : self._given]

    def token(self, bits: int = 256) -> str:
        """A random string over `[A-Za-z0-9_-]` holding at least `bits` bits."""
        return urlsafe_b64encode(self.bytes((bits + 7) // 8)).rstrip(b"=").decode("ascii")
