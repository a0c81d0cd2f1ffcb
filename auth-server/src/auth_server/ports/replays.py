"""What may be used only once, such as the id of an assertion."""

from typing import Protocol


class ReplayStore(Protocol):
    """Marks of what has been used, shared by all processes of a store."""

    async def use_once(self, key: str, expires_at: float, now: float) -> bool:
        """Marks the key as used until `expires_at`, in one step; False if it is marked already."""
        ...
