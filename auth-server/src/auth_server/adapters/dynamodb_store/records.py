"""The whole store in DynamoDB: read in one pass over the table for each kind of item, and filled.

The passes are strongly consistent but come one after another: only a store that nobody writes to is copied as it was at
one moment. A grant that ended with its client or person, and has not been cleared away yet, is told as revoked.
"""

from collections.abc import AsyncIterator, Sequence

from auth_server.adapters.dynamodb_store.audit import DynamoDbAudit
from auth_server.adapters.dynamodb_store.authorizations import transaction_of
from auth_server.adapters.dynamodb_store.client_items import client_of, has_random_id
from auth_server.adapters.dynamodb_store.consents import every_consent
from auth_server.adapters.dynamodb_store.devices import stored_device_of
from auth_server.adapters.dynamodb_store.grant_items import (
    code_of,
    grant_of,
    owners_of,
)
from auth_server.adapters.dynamodb_store.initial_tokens import initial_token_of
from auth_server.adapters.dynamodb_store.items import (
    SIGNING_KEYS,
    STORE,
    Item,
    Key,
    user_key,
)
from auth_server.adapters.dynamodb_store.keys import keys_of
from auth_server.adapters.dynamodb_store.limits import attempts
from auth_server.adapters.dynamodb_store.people import session_of, user_of
from auth_server.adapters.dynamodb_store.pushed_requests import pushed_of
from auth_server.adapters.dynamodb_store.restoring import restore
from auth_server.adapters.dynamodb_store.revocations import every_revocation
from auth_server.adapters.dynamodb_store.table import LISTING, Table
from auth_server.adapters.dynamodb_store.workspaces import workspace_of
from auth_server.domain.grant import RefreshToken, RefreshTokenKey
from auth_server.domain.user import Session
from auth_server.ports.records import (
    AttemptWindow,
    DeletedClient,
    HadKeys,
    Record,
    ReplacedToken,
    StoredClient,
    StoredCode,
    StoredGrant,
    StoredPushedRequest,
    StoredTransaction,
    UsedOnce,
)


class DynamoDbRecords:
    """Implements RecordStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def records(self) -> AsyncIterator[Record]:
        """See RecordStore."""
        found = await self._table.get_many([STORE, SIGNING_KEYS])
        if found.get(STORE, {}).get("had_keys"):
            yield HadKeys()
        for part in (_workspaces, _clients, _people):
            async for record in part(self._table):
                yield record
        codes = list[StoredCode]()
        async for record in _transactions(self._table):
            yield record
        async for record in _grants(self._table, codes):
            yield record
        for code in codes:
            yield code
        async for record in _short_lived(self._table):
            yield record
        for key in keys_of(found.get(SIGNING_KEYS)):
            yield key

    async def restore(self, records: Sequence[Record]) -> None:
        """See RecordStore."""
        async with self._table.in_time(LISTING):
            await restore(self._table, records)


async def _workspaces(table: Table) -> AsyncIterator[Record]:
    async for item in _all_of(table, "workspace"):
        yield workspace_of(item)


async def _clients(table: Table) -> AsyncIterator[Record]:
    async for item in _all_of(table, "client"):
        if "generation" in item:
            yield StoredClient(client_of(item), item["last_used_at"], item.get("used_at"))
    async for item in _all_of(table, "client"):
        if "generation" not in item and not has_random_id(item):
            yield DeletedClient(item["client_id"], item["deleted_at"])
    async for item in _all_of(table, "initial-token"):
        yield initial_token_of(item)


async def _people(table: Table) -> AsyncIterator[Record]:
    user_ids = set[str]()
    async for item in _all_of(table, "user"):
        if "generation" in item:
            user_ids.add(item["user_id"])
            yield user_of(item)
    # What was added after the pass over what it refers to would be in nobody's copy.
    async for consent in every_consent(table):
        if consent.key.user_id in user_ids:
            yield consent
    async for session in _sessions(table):
        if session.user_id in user_ids:
            yield session


async def _sessions(table: Table) -> AsyncIterator[Session]:
    async for page in table.all_of("session"):
        users = await table.get_many([user_key(item["user_id"]) for item in page])
        for item in page:
            if users.get(user_key(item["user_id"]), {}).get("sessions") == item["sessions"]:
                yield session_of(item)


async def _transactions(table: Table) -> AsyncIterator[Record]:
    async for item in _all_of(table, "pushed"):
        yield StoredPushedRequest(pushed_of(item), item.get("started_transaction"))
    async for item in _all_of(table, "transaction"):
        yield StoredTransaction(transaction_of(item), item.get("decided_at"), item.get("grant_id"))


async def _grants(table: Table, codes: list[StoredCode]) -> AsyncIterator[Record]:
    """The grants; notes their codes, of which there are few: they go an hour after they were given."""
    async for page in table.all_of("grant"):
        owners = await table.get_many([key for item in page for key in owners_of(item).keys])
        for item in page:
            if "code_digest" in item:
                codes.append(StoredCode(code_of(item), item.get("code_used_at"), int(item["code_wrong_verifiers"])))
            yield StoredGrant(grant_of(item), _live(item), _replaced(item), _end(item, owners))


def _end(item: Item, owners: dict[Key, Item]) -> float | None:
    """When a grant was revoked, or ended with its client or person; None while it lives."""
    if "revoked_at" in item:
        return float(item["revoked_at"])
    if owners_of(item).are_among(owners):
        return None
    ends: list[float] = [owners.get(key, {}).get("deleted_at", 0.0) for key in owners_of(item).keys]
    return max(float(item["created_at"]), *ends)


async def _short_lived(table: Table) -> AsyncIterator[Record]:
    async for item in _all_of(table, "device"):
        yield stored_device_of(item)
    async for item in _all_of(table, "attempts"):
        yield AttemptWindow(item["name"], tuple(sorted(attempts(item).values())), item["ends_at"])
    async for item in _all_of(table, "used"):
        yield UsedOnce(item["name"], item["expires_at"])
    async for revocation in every_revocation(table):
        yield revocation
    async for batch in DynamoDbAudit(table).audit_batches():
        yield batch


async def _all_of(table: Table, sk: str) -> AsyncIterator[Item]:
    async for page in table.all_of(sk):
        for item in page:
            yield item


def _live(item: Item) -> RefreshToken | None:
    if "refresh_digest" not in item:
        return None
    key = RefreshTokenKey(item["grant_id"], item.get("family", ""), item["refresh_digest"])
    return RefreshToken(key, item["refresh_expires_at"])


def _replaced(item: Item) -> ReplacedToken | None:
    if "previous_digest" not in item:
        return None
    return ReplacedToken(item["previous_digest"], item["rotated_at"], item["rotation_request"], item.get("sealed"))
