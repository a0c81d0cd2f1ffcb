"""The clock of tests."""

NOON = 1_800_000_000.0


class SettableClock:
    """A Clock that stands still until a test moves it.

    To set `time` on lets time pass; to set `wall` only sets the wall clock, as an operator or NTP does.
    """

    def __init__(self, time: float = NOON) -> None:
        self.wall = time
        self._elapsed = 1000.0

    @property
    def time(self) -> float:
        """Seconds since the epoch."""
        return self.wall

    @time.setter
    def time(self, value: float) -> None:
        self._elapsed += max(0.0, value - self.wall)
        self.wall = value

    def now(self) -> float:
        """See Clock."""
        return self.wall

    def monotonic(self) -> float:
        """See Clock."""
        return self._elapsed
