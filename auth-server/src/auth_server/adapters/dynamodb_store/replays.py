"""Marks of what has been used, in DynamoDB."""

from auth_server.adapters.dynamodb_store.items import expiring, mark_key, queue
from auth_server.adapters.dynamodb_store.table import ConditionFailed, Table
from auth_server.adapters.dynamodb_store.writes import NEW, Put

KIND = "used"


class DynamoDbReplays:
    """Implements ReplayStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def use_once(self, key: str, expires_at: float, now: float) -> bool:
        """See ReplayStore."""
        async with self._table.in_time():
            call = self._table.new_name()
            put = mark_put(key, expires_at, call)
            try:
                await self._table.write(Put(put.key, put.item, f"{NEW} OR #expires_at <= :now", {"now": now}))
            except ConditionFailed as failed:
                # By this very call, if its first request got through and only the answer was lost.
                return failed.met is not None and failed.met["used_by"] == call
            return True


def mark_put(name: str, expires_at: float, used_by: str) -> Put:
    """Marks something as used."""
    key = mark_key(name)
    item = {
        "name": name,
        "used_by": used_by,
        "expires_at": expires_at,
        "queue": queue(KIND, key),
        **expiring(expires_at),
    }
    return Put(key, item)
