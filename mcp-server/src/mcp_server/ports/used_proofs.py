"""Proofs of possession that have been used, of which each is good for one request (RFC 9449 §11.1)."""

from typing import Protocol


class UsedProofs(Protocol):
    """Remembers proofs for as long as they could be used again."""

    async def use(self, mark: str, seconds: float) -> bool:
        """Notes the use of the proof with that mark, for so many seconds; False if it has been used before."""
        ...
