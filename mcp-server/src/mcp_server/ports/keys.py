"""The issuer's signing keys."""

from typing import Protocol

from joserfc.jwk import ECKey


class KeySet(Protocol):
    """The issuer's published signing keys."""

    async def key(self, key_id: str) -> ECKey | None:
        """The public key of that id; None if the issuer does not publish it. Raises KeySetUnavailable."""
        ...


class KeySetUnavailable(Exception):
    """The issuer's key set cannot be had right now, and no earlier copy holds the key."""
