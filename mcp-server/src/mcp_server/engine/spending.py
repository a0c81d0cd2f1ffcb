"""What each principal's queries have read in the last hour, on this process, and whether they may read on."""

from collections import OrderedDict, deque

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.principal import Principal
from shared_kernel.clock import Clock

HOUR = 3600.0
_STEP = 60.0
"""Reads of so many seconds are forgotten together."""
_REMEMBERED = 10_000


class Account:
    """What one principal has read: read units by the time at which they are forgotten."""

    def __init__(self, clock: Clock, limit: float) -> None:
        self._clock, self._limit = clock, limit
        self._steps: deque[tuple[float, float]] = deque()
        self._spent = 0.0

    @property
    def spent(self) -> float:
        """Read units of the last hour."""
        now = self._clock.monotonic()
        while self._steps and self._steps[0][0] <= now:
            self._spent -= self._steps.popleft()[1]
        if not self._steps:
            self._spent = 0.0  # what rounding left
        return self._spent

    def spend(self, read_units: float) -> None:
        """Adds what a response took."""
        until = (self._clock.monotonic() // _STEP + 1) * _STEP + HOUR
        if self._steps and self._steps[-1][0] == until:
            read_units_before = self._steps.pop()[1]
            self._steps.append((until, read_units_before + read_units))
        else:
            self._steps.append((until, read_units))
        self._spent += read_units

    def check(self, expected: float = 0.0) -> None:
        """Raises Failure: budget_exceeded, when that much more is too much."""
        if self.spent + expected <= self._limit:
            return
        seconds = max(1, round(self._steps[0][0] - self._clock.monotonic())) if self._steps else None
        raise Failure(
            FailureCode.BUDGET_EXCEEDED,
            f"Your queries have read {self.spent:,.0f} read units in the last hour"
            + (f", and this one is expected to read {expected:,.0f}" if expected else "")
            + f"; {self._limit:,.0f} an hour are allowed.",
            "Read less: filter by key or by an index (see explain_sql); or wait until earlier reads are an hour old.",
            retry_after_seconds=seconds,
        )


class Spending:
    """The accounts of principals, by tenant and subject; those that were idle longest give way."""

    def __init__(self, clock: Clock, limit: float) -> None:
        self._clock, self._limit = clock, limit
        self._accounts: OrderedDict[tuple[str, str], Account] = OrderedDict()

    def account(self, principal: Principal) -> Account:
        """The account of a principal."""
        key = (principal.tenant, principal.subject)
        account = self._accounts.pop(key, None) or Account(self._clock, self._limit)
        self._accounts[key] = account
        if len(self._accounts) > _REMEMBERED:
            self._accounts.popitem(last=False)
        return account
