"""Initial access tokens in DynamoDB."""

from collections.abc import Sequence
from dataclasses import asdict

from auth_server.adapters.dynamodb_store.items import Item, expiring, initial_token_key, queue, queues
from auth_server.adapters.dynamodb_store.table import LISTING, ConditionFailed, Table
from auth_server.adapters.dynamodb_store.writes import PRESENT, Delete, Put, Update
from auth_server.domain.initial_token import InitialToken

KIND = "initial-token"


class DynamoDbInitialTokens:
    """Implements InitialTokenStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add_initial_token(self, token: InitialToken) -> None:
        """See InitialTokenStore."""
        async with self._table.in_time():
            await self._table.write(initial_token_put(token))

    async def initial_token(self, token_id: str) -> InitialToken | None:
        """See InitialTokenStore."""
        async with self._table.in_time():
            item = await self._table.get(initial_token_key(token_id))
        return initial_token_of(item) if item else None

    async def initial_tokens(self) -> Sequence[InitialToken]:
        """See InitialTokenStore. May lag by some seconds."""
        async with self._table.in_time(LISTING):
            keys = [key for name in queues(KIND) async for page in self._table.queued(name) for key in page]
            found = [initial_token_of(item) for item in (await self._table.get_many(keys)).values()]
        return sorted(found, key=lambda token: (token.created_at, token.token_id))

    async def revoke_initial_token(self, token_id: str) -> bool:
        """See InitialTokenStore."""
        async with self._table.in_time():
            try:
                await self._table.write(Delete(initial_token_key(token_id), PRESENT))
            except ConditionFailed:
                return False
            return True


def use_of(token_id: str, now: float) -> Update:
    """Counts a use of a token that is good for one."""
    good = f"{PRESENT} AND #uses < #max_uses AND #expires_at > :now"
    return Update(initial_token_key(token_id), {}, good, {"now": now}, add={"uses": 1})


def initial_token_put(token: InitialToken) -> Put:
    """Adds a token, used or not."""
    key = initial_token_key(token.token_id)
    return Put(key, {**asdict(token), "queue": queue(KIND, key), **expiring(token.expires_at)})


def initial_token_of(item: Item) -> InitialToken:
    """The token in an item."""
    return InitialToken(
        token_id=item["token_id"],
        digest=item["digest"],
        label=item["label"],
        max_uses=int(item["max_uses"]),
        uses=int(item["uses"]),
        created_at=item["created_at"],
        expires_at=item["expires_at"],
    )
