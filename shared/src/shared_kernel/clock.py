"""Time as a parameter."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time; tests hand in their own.

    now() is for what others hold us to: claims, rows, cookies. It jumps when the machine's clock is set, so a
    duration within this process is measured with monotonic().
    """

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment in the past, the same for as long as the process runs."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment in the past, the same for as long as the process runs."""
        return time.monotonic()
