"""Time as a parameter."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells wall-clock time; tests hand in their own."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return time.time()
