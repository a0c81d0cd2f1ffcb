"""Moving windows of attempts in DynamoDB.

A window is an item with as many slots as it takes attempts. An attempt takes a free slot, chosen at random, on the
condition that it is still free: those that come at once mostly take different ones, and no slot counts for two. An
attempt whose answer was lost on the way may count twice.
"""

from collections.abc import Sequence

from auth_server.adapters.dynamodb_store.items import Item, expiring, queue, window_key
from auth_server.adapters.dynamodb_store.table import ConditionFailed, Table
from auth_server.adapters.dynamodb_store.writes import Delete, Put, Update

KIND = "attempts"
SLOT = "at_"
_DUE_STEP = 3600.0
"""Windows are cleared away by the hour, an hour late at least, so that few attempts change the index."""


class DynamoDbLimits:
    """Implements LimitStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def count_attempt(self, key: str, hits: int, seconds: float, now: float) -> float | None:
        """See LimitStore."""
        async with self._table.in_time():
            met = await self._table.get(window_key(key)) or {}
            # Every attempt to take a slot that fails shows that somebody else has taken it.
            while True:  # in_time() ends it
                taken = {name: at for name, at in attempts(met).items() if abs(at - now) < seconds}
                if len(taken) >= hits:
                    return min(taken.values()) + seconds
                slot = self._table.one_of([name for name in map(_slot, range(hits)) if name not in taken])
                try:
                    await self._table.write(_attempt(key, slot, max([now, *taken.values()]), seconds, now))
                except ConditionFailed as failed:
                    met = failed.met or {}
                else:
                    return None

    async def forget_attempts(self, key: str) -> None:
        """See LimitStore."""
        async with self._table.in_time():
            await self._table.write(Delete(window_key(key)))


def attempts(item: Item) -> dict[str, float]:
    """The attempts in a window, by slot."""
    return {name: at for name, at in item.items() if name.startswith(SLOT)}


def window_attributes(name: str, ends_at: float) -> dict[str, object]:
    """What a window has besides its attempts, of which the last leaves then."""
    due = (ends_at // _DUE_STEP + 2) * _DUE_STEP
    return {"name": name, "ends_at": ends_at, "queue": queue(KIND, window_key(name)), **expiring(due)}


def window_put(name: str, moments: Sequence[float], ends_at: float) -> Put:
    """Adds a window with these attempts."""
    slots = {_slot(number): at for number, at in enumerate(moments)}
    return Put(window_key(name), {**slots, **window_attributes(name, ends_at)})


def _attempt(key: str, slot: str, latest: float, seconds: float, now: float) -> Update:
    """Counts an attempt in a slot that is free."""
    free = f"attribute_not_exists(#{slot}) OR #{slot} <= :from OR #{slot} >= :until"
    changes = {slot: now, **window_attributes(key, latest + seconds)}
    return Update(window_key(key), changes, free, {"from": now - seconds, "until": now + seconds})


def _slot(number: int) -> str:
    return f"{SLOT}{number}"
