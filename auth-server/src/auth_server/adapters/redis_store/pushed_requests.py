"""Pushed authorization requests in Redis."""

from auth_server.adapters.redis_store.authorization_fields import pushed_fields, pushed_from, transaction_fields
from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import pairs
from auth_server.adapters.redis_store.reading import read
from auth_server.domain.authorization import TRANSACTION_LIFETIME, PushedRequest, Transaction
from auth_server.ports.pushed_requests import Started


class RedisPushedRequests:
    """Implements PushedRequestStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def push(self, request: PushedRequest) -> None:
        """See PushedRequestStore."""
        await self._database.run("push", request.digest, request.expires_at, *pairs(pushed_fields(request)))

    async def pushed_request(self, digest: str, now: float) -> PushedRequest | Started | None:
        """See PushedRequestStore."""
        found = await read(self._database, "pushed", digest)
        if found is None:
            return None
        if "started_transaction" not in found:
            return pushed_from(found) if now < float(found["expires_at"]) else None
        if now < float(found["expires_at"]) + TRANSACTION_LIFETIME:
            return Started(found["started_transaction"].decode())
        return None

    async def start_pushed(self, digest: str, transaction: Transaction, now: float) -> bool:
        """See PushedRequestStore."""
        begun = pairs(transaction_fields(transaction))
        return bool(
            await self._database.run("start_pushed", digest, now, transaction.digest, transaction.expires_at, *begun)
        )
