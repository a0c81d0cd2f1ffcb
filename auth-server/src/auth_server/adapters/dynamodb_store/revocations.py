"""What was revoked lately, in DynamoDB: a partition for every ten minutes, so that a look reads a few of them whole."""

import math
from collections.abc import AsyncIterator, Sequence

from auth_server.adapters.dynamodb_store.items import REVOCATIONS, Item, expiring, queue, revocation_key
from auth_server.adapters.dynamodb_store.table import Table
from auth_server.adapters.dynamodb_store.writes import Put
from auth_server.domain.revocation import Revocation, Revoked
from shared_kernel.revocations import MEMORY

KIND = "revocation"
_PERIOD = 600


class DynamoDbRevocations:
    """Implements RevocationStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def revocations(self, since: float) -> Sequence[Revocation]:
        """See RevocationStore."""
        found: dict[tuple[Revoked, str], Revocation] = {}
        async with self._table.in_time():
            for period in range(_period(since), _period(since + 2 * MEMORY) + 1):
                async for page in self._table.children(f"{REVOCATIONS}{period}", "revocation#"):
                    for revocation in map(revocation_of, page):
                        if revocation.at >= since:
                            found[revocation.revoked, revocation.name] = revocation
        return sorted(found.values(), key=lambda revocation: revocation.at)

    async def revoked_at(self, revoked: Revoked, name: str, since: float) -> float | None:
        """See RevocationStore."""
        periods = range(_period(since), _period(since + 2 * MEMORY) + 1)
        async with self._table.in_time():
            found = await self._table.get_many([revocation_key(period, revoked.value, name) for period in periods])
        return max((item["at"] for item in found.values() if item["at"] >= since), default=None)

    async def note_revocation(self, revocation: Revocation) -> None:
        """See RevocationStore."""
        async with self._table.in_time():
            await self._table.write(note(revocation))


def note(revocation: Revocation) -> Put:
    """Adds a revocation."""
    key = revocation_key(_period(revocation.at), revocation.revoked.value, revocation.name)
    return Put(
        key,
        {
            "revoked": revocation.revoked.value,
            "name": revocation.name,
            "at": revocation.at,
            "queue": queue(KIND, key),
            **expiring(revocation.at + MEMORY),
        },
    )


def revocation_of(item: Item) -> Revocation:
    """The revocation in an item."""
    return Revocation(Revoked(item["revoked"]), item["name"], item["at"])


async def every_revocation(table: Table) -> AsyncIterator[Revocation]:
    """All revocations that there are."""
    async for page in table.all_under(REVOCATIONS):
        for item in page:
            yield revocation_of(item)


def _period(at: float) -> int:
    return math.floor(at / _PERIOD)
