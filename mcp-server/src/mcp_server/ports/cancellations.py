"""How one replica has others cancel a call, since a cancellation is a request of its own that any of them may get."""

from collections.abc import Callable
from typing import Protocol


class Cancellations(Protocol):
    """Told by the replica that got one, heard by all others, at best: it is lost while what they share is away."""

    async def tell(self, call: str) -> None:
        """Tells which call is to end, by a digest that says nothing of it. Never raises."""
        ...

    async def keep_hearing(self, cancel: Callable[[str], None]) -> None:
        """Has `cancel` hear of every call that is to end, until it is cancelled itself."""
        ...
