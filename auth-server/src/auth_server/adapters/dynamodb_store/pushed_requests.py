"""Pushed authorization requests in DynamoDB."""

from auth_server.adapters.dynamodb_store.authorizations import transaction_put
from auth_server.adapters.dynamodb_store.items import Item, expiring, pushed_key, queue
from auth_server.adapters.dynamodb_store.table import Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import PRESENT, Put, Update
from auth_server.domain.authorization import TRANSACTION_LIFETIME, PushedRequest, Transaction
from auth_server.ports.pushed_requests import Started

KIND = "pushed"


class DynamoDbPushedRequests:
    """Implements PushedRequestStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def push(self, request: PushedRequest) -> None:
        """See PushedRequestStore."""
        async with self._table.in_time():
            await self._table.write(pushed_put(request, None))

    async def pushed_request(self, digest: str, now: float) -> PushedRequest | Started | None:
        """See PushedRequestStore."""
        async with self._table.in_time():
            item = await self._table.get(pushed_key(digest))
        if item is None:
            return None
        if "started_transaction" not in item:
            return pushed_of(item) if now < item["expires_at"] else None
        if now < item["expires_at"] + TRANSACTION_LIFETIME:
            return Started(item["started_transaction"])
        return None

    async def start_pushed(self, digest: str, transaction: Transaction, now: float) -> bool:
        """See PushedRequestStore."""
        use = Update(
            pushed_key(digest),
            {"started_transaction": transaction.digest, "parameters": []},
            f"{PRESENT} AND attribute_not_exists(#started_transaction) AND #expires_at > :now",
            {"now": now},
        )
        async with self._table.in_time():
            try:
                await self._table.transact([use, transaction_put(transaction)])
            except TransactionFailed as failed:
                return failed.met is not None and failed.met.get("started_transaction") == transaction.digest
        return True


def pushed_put(request: PushedRequest, started_transaction: str | None) -> Put:
    """Adds a request, and what has become of it."""
    key = pushed_key(request.digest)
    return Put(
        key,
        {
            "digest": request.digest,
            "client_id": request.client_id,
            "parameters": request.parameters,
            "expires_at": request.expires_at,
            "started_transaction": started_transaction,
            "queue": queue(KIND, key),
            **expiring(request.expires_at + TRANSACTION_LIFETIME),
        },
    )


def pushed_of(item: Item) -> PushedRequest:
    """The request in an item."""
    pairs = tuple((name, value) for name, value in item["parameters"])
    return PushedRequest(item["digest"], item["client_id"], pairs, item["expires_at"])
