"""What each principal's calls, queries and samples of tables, have read in the last hour, and whether they may read on.

Each process counts by itself, since a response of DynamoDB must not wait for another server. Where replicas share a
ledger they tell one another about once a second; what others read meanwhile is noticed after the next response.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from functools import partial

import anyio

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.budgets import HourSpent
from mcp_server.domain.principal import Principal
from mcp_server.ports.spending import Ledger, LedgerUnavailable, Owner, Spent
from shared_kernel.clock import Clock

HOUR = 3600.0
EXCHANGE_SECONDS = 1.0
"""How often accounts that are in use are exchanged."""
STALE_SECONDS = 60.0
"""Who was not heard of for so long is asked about before they begin."""
_STEP = 60.0
"""Reads of so many seconds are forgotten together."""
_REMEMBERED = 10_000


class Account:
    """What one principal has read: read units by the time at which they are forgotten; `use` hears of each change."""

    def __init__(self, clock: Clock, limit: float, use: Callable[["Account"], None]) -> None:
        self._clock, self._limit, self._use = clock, limit, use
        self._here: deque[tuple[float, float]] = deque()
        self._spent_here = 0.0
        self._elsewhere: Sequence[tuple[float, float]] = ()
        self.heard_at: float | None = None
        """When it was last heard what was read on other replicas, in monotonic seconds."""

    @property
    def spent(self) -> float:
        """Read units of the last hour."""
        now = self._clock.monotonic()
        while self._here and self._here[0][0] <= now:
            self._spent_here -= self._here.popleft()[1]
        if not self._here:
            self._spent_here = 0.0  # what rounding left
        if not self._elsewhere:
            return self._spent_here
        return self._spent_here + sum(units for until, units in self._elsewhere if until > now)

    def spend(self, read_units: float) -> None:
        """Adds what a response took."""
        until = (self._clock.monotonic() // _STEP + 1) * _STEP + HOUR
        if self._here and self._here[-1][0] == until:
            read_units_before = self._here.pop()[1]
            self._here.append((until, read_units_before + read_units))
        else:
            self._here.append((until, read_units))
        self._spent_here += read_units
        self._use(self)

    def check(self, expected: float = 0.0) -> None:
        """Raises Failure: budget_exceeded, when that much more is too much."""
        spent = self.spent
        if spent + expected <= self._limit:
            return
        now = self._clock.monotonic()
        ends = [until for until, _ in (*self._here, *self._elsewhere) if until > now]
        raise Failure(
            HourSpent(spent, expected, self._limit),
            retry_after_seconds=max(1, round(min(ends) - now)) if ends else None,
        )

    def told(self) -> Sequence[Spent]:
        """What was read here, as other replicas are told."""
        ahead = self._clock.now() - self._clock.monotonic()
        return [Spent(until + ahead, read_units) for until, read_units in self._here]

    def hear(self, elsewhere: Sequence[Spent]) -> None:
        """Takes what was read on other replicas, in place of what was heard before."""
        now, wall = self._clock.monotonic(), self._clock.now()
        # Of a clock that is wrong, there or here, no more than an hour is believed.
        ends = ((now + min(spent.until - wall, HOUR + _STEP), spent.read_units) for spent in elsewhere)
        self._elsewhere = [(until, read_units) for until, read_units in ends if until > now]
        self.heard_at = now


class Spending:
    """The accounts of principals, by tenant and subject; those that were idle longest give way."""

    def __init__(self, clock: Clock, limit: float, ledger: Ledger | None = None) -> None:
        self._clock, self._limit, self._ledger = clock, limit, ledger
        self._accounts: OrderedDict[Owner, Account] = OrderedDict()
        self._used: dict[Owner, Account] = {}
        self._use = anyio.Event()
        self._away = False

    def account(self, principal: Principal) -> Account:
        """The account of a principal."""
        key = (principal.tenant, principal.subject)
        account = self._accounts.pop(key, None) or Account(self._clock, self._limit, partial(self._note, key))
        self._accounts[key] = account
        if len(self._accounts) > _REMEMBERED:
            self._accounts.popitem(last=False)
        self._note(key, account)
        return account

    async def current(self, principal: Principal) -> Account:
        """The account of a principal, with what other replicas have told of it in the last minute.

        While they cannot be heard it does not wait for them.
        """
        account = self.account(principal)
        if self._ledger is not None and not self._away:
            now = self._clock.monotonic()
            if account.heard_at is None or now - account.heard_at > STALE_SECONDS:
                account.heard_at = now  # it is asked about once, though many of its queries begin
                await self._exchange({(principal.tenant, principal.subject): account})
        return account

    async def keep_exchanging(self) -> None:
        """Tells and hears of the accounts in use, until it is cancelled."""
        while True:
            await self._use.wait()
            await anyio.sleep(EXCHANGE_SECONDS)
            await self.exchange()

    async def exchange(self) -> None:
        """Tells and hears of the accounts that were used since the last time."""
        used, self._used, self._use = self._used, {}, anyio.Event()
        if not await self._exchange(used):
            self._used = used | self._used
            self._use.set()

    def _note(self, key: Owner, account: Account) -> None:
        if self._ledger is not None and (key in self._used or len(self._used) < _REMEMBERED):
            self._used[key] = account
            self._use.set()

    async def _exchange(self, accounts: dict[Owner, Account]) -> bool:
        if self._ledger is None:
            return True
        try:
            heard = await self._ledger.exchange({owner: account.told() for owner, account in accounts.items()})
        except LedgerUnavailable:
            self._away = True
            return False
        self._away = False
        for owner, account in accounts.items():
            account.hear(heard.get(owner, ()))
        return True
