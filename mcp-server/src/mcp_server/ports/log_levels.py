"""Where replicas keep which log messages clients take, for those that were not there when it was said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

LIFETIME_SECONDS = 24 * 60 * 60.0
"""How long a level counts after it was set."""
MOST_LEVELS = 10_000
"""How many levels are kept; of more, the one that was set first is forgotten."""


@dataclass(frozen=True, slots=True)
class SetLevel:
    """The level that a sign-in has set; `sign_in` is its digest, `at` the time in seconds since the epoch."""

    sign_in: str
    level: str
    at: float


class LogLevelStore(Protocol):
    """Keeps levels for all replicas, within the two bounds above."""

    async def put(self, level: SetLevel) -> None:
        """Keeps a level; while the store is away it is lost. Never raises."""
        ...

    async def all(self) -> Sequence[SetLevel]:
        """Every level that is kept, in the order in which they were set; none while the store is away."""
        ...
