"""Nonces for proofs of possession (RFC 9449 §8): they hold the time, so that nobody needs to remember them."""

import hmac
from base64 import urlsafe_b64encode

SLOT_SECONDS = 60
"""For how long the same nonce is given out."""
NONCE_SECONDS = 3 * SLOT_SECONDS
"""How long a nonce is live, at the longest."""
_BYTES = 18


class Nonces:
    """Makes and recognises nonces.

    Every process that has the same key makes the same ones, so that any of them takes what another gave. `purpose`
    keeps them apart from all else that the key is used for.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hmac.digest(key, f"dpop nonces of {purpose}".encode(), "sha256")

    def current(self, now: float) -> str:
        """The nonce to give out now."""
        return self._of_slot(int(now) // SLOT_SECONDS)

    def is_live(self, nonce: str, now: float) -> bool:
        """Whether it was given out a moment ago, by a process whose clock is a minute ahead or behind at most."""
        slot, given = int(now) // SLOT_SECONDS, nonce.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(given, self._of_slot(slot + shift).encode()) for shift in (-1, 0, 1))

    def _of_slot(self, slot: int) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, str(slot).encode(), "sha256")[:_BYTES]).decode()
