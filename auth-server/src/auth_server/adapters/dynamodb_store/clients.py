"""Clients in DynamoDB."""

import asyncio
from collections.abc import Mapping, Sequence

from auth_server.adapters.dynamodb_store.client_items import (
    LEFT_BEHIND,
    NEVER_USED,
    QUEUE,
    client_item,
    client_of,
    metadata,
    registered,
    schedule,
    secret_attributes,
)
from auth_server.adapters.dynamodb_store.initial_tokens import use_of
from auth_server.adapters.dynamodb_store.items import Item, Key, client_key
from auth_server.adapters.dynamodb_store.memberships import counted
from auth_server.adapters.dynamodb_store.revocations import note
from auth_server.adapters.dynamodb_store.table import LISTING, ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import CHANGED, NEW, Delete, Put, Update
from auth_server.domain.client import (
    MAX_NEVER_USED,
    Client,
    ClientSecret,
    Registration,
)
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.ports.clients import Addition

LIVE = "attribute_exists(#generation)"
_RECOUNT = 100
"""Registrations after which a process counts those that nobody has used anew: other processes add some too."""
_UNCHANGED = "#revision = :revision"


class DynamoDbClients:
    """Implements ClientStore."""

    def __init__(self, table: Table) -> None:
        self._table = table
        # Registrations by this process, how many there had been at its last count, and what that found.
        self._registered, self._counted_at, self._counted = 0, -_RECOUNT, 0
        self._evicting = asyncio.Lock()

    async def client(self, client_id: str) -> Client | None:
        """See ClientStore."""
        async with self._table.in_time():
            item = await self._table.get(client_key(client_id))
            return client_of(item) if item is not None and "generation" in item else None

    async def clients(self) -> Sequence[Client]:
        """See ClientStore. May lag by some seconds."""
        async with self._table.in_time(LISTING):
            keys = [key for queue in (QUEUE, NEVER_USED) async for page in self._table.queued(queue) for key in page]
            items = (await self._table.get_many(keys)).values()
            clients = [client_of(item) for item in items if "generation" in item]
            return sorted(clients, key=lambda client: (client.created_at, client.client_id))

    async def add_client(self, client: Client, initial_token: str | None = None) -> Addition:
        """See ClientStore. Of several processes each counts those that nobody has used after 100 registrations."""
        async with self._table.in_time():
            now = client.created_at
            used_at = None if initial_token is None else now
            item = client_item(client, self._table.new_name(), last_used_at=now, used_at=used_at)
            use = [] if initial_token is None else [use_of(initial_token, now)]
            condition = f"{NEW} OR (attribute_not_exists(#generation) AND #registration = :operator)"
            try:
                put = Put(client_key(client.client_id), item, condition, {"operator": Registration.OPERATOR.value})
                await self._table.transact([put, *_counted(client.tenant, 1), *use])
            except TransactionFailed as failed:
                if failed.met is None:
                    return Addition.NO_WORKSPACE if initial_token is None else Addition.NO_TOKEN
                return await self._known_client(failed.met, client, item["generation"])
            if client.registration is not Registration.OPERATOR:
                await self._evict_never_used()
            return Addition.ADDED

    async def update_client(self, client: Client, registration_token: str | None = None) -> bool:
        """See ClientStore."""
        async with self._table.in_time():
            key, changes = client_key(client.client_id), {**metadata(client), **registered(client)}
            try:
                await self._table.write(Update(key, changes, *_live_with(registration_token), add=CHANGED))
            except ConditionFailed as failed:
                # By this very call, if its first request got through and only the answer was lost.
                given = (failed.met or {}).get("registration_token")
                return registration_token is not None and given is not None and given == client.registration_token
            return True

    async def rotate_client_secret(self, client_id: str, secret: ClientSecret, previous_until: float) -> bool:
        """See ClientStore."""
        async with self._table.in_time():
            item = await self._table.get(client_key(client_id))
            while True:  # in_time() ends it
                if item is None or not item.get("confidential"):
                    return False
                # Of two secrets the older one ends now: at most two are alive at a time.
                kept = [
                    {**stored, "expires_at": previous_until} for stored in item["secrets"] if "expires_at" not in stored
                ]
                if secret_attributes(secret) in item["secrets"]:
                    return True  # by this very call: its first request got through, only the answer was lost
                try:
                    await self._change_client(item, {"secrets": [*kept, secret_attributes(secret)]})
                except ConditionFailed as failed:
                    item = failed.met
                else:
                    return True

    async def delete_client(self, client_id: str, now: float, registration_token: str | None = None) -> bool:
        """See ClientStore. The sweeper revokes the grants, which are over already without their client."""
        async with self._table.in_time():
            key, call = client_key(client_id), self._table.new_name()
            item = await self._table.get(key) or {}
            gone = dict.fromkeys(LEFT_BEHIND)
            mark = {**gone, "deleted_at": now, "deleted_by": call, "queue": QUEUE, "due": now}
            ended = Revocation(Revoked.CLIENT, client_id, now)
            try:
                tenant = client_of(item).tenant if "generation" in item else None
                update = Update(key, mark, *_live_with(registration_token), add=CHANGED)
                await self._table.transact([update, note(ended), *_counted(tenant, -1)])
            except TransactionFailed as failed:
                return failed.met is not None and failed.met.get("deleted_by") == call
            return True

    async def _known_client(self, met: Item, client: Client, generation: str) -> Addition:
        """What becomes of a client whose id exists, as `met`."""
        while True:  # in_time() ends it
            if met.get("generation") == generation:
                return Addition.ADDED  # by this very call: its first request got through, only the answer was lost
            if "generation" not in met:
                return Addition.DELETED
            last_used_at = max(met["last_used_at"], client.created_at)
            changes: dict[str, object] = {"last_used_at": last_used_at}
            if client.registration is Registration.DOCUMENT and met["registration"] == Registration.DOCUMENT:
                # What the document says now replaces what it said before.
                changes |= {**metadata(client), "document_expires_at": client.document_expires_at}
            elif last_used_at == met["last_used_at"]:
                return Addition.KNOWN
            try:
                await self._change_client(met, changes)
            except ConditionFailed as failed:
                met = failed.met or {}
            else:
                return Addition.KNOWN

    async def _change_client(self, item: Item, changes: Mapping[str, object]) -> None:
        """Changes a client that is still as in `item`. Raises ConditionFailed."""
        values = {"revision": item["revision"]}
        changes = {**changes, **schedule({**item, **changes})}
        await self._table.write(Update(Key(item["pk"], item["sk"]), changes, _UNCHANGED, values, add=CHANGED))

    async def _evict_never_used(self) -> None:
        # Anyone may register, so what that costs has a bound. A client with a grant has been used, and stays.
        self._registered += 1
        async with self._evicting:
            since = self._registered - self._counted_at
            if since < _RECOUNT and self._counted + since <= MAX_NEVER_USED:
                return
            self._counted_at, count = self._registered, await self._table.count(NEVER_USED)
            self._counted = min(count, MAX_NEVER_USED)
            if count > MAX_NEVER_USED:
                async for page in self._table.queued(NEVER_USED, page_size=count - MAX_NEVER_USED):
                    for key in page:
                        await delete_never_used(self._table, key)
                    break


def _live_with(registration_token: str | None) -> tuple[str, Item]:
    """The condition that a client exists, and has that token if one is given; and the condition's values."""
    if registration_token is None:
        return LIVE, {}
    return f"{LIVE} AND #registration_token = :registration_token", {"registration_token": registration_token}


def _counted(tenant: str | None, change: int) -> list[Update]:
    return counted([tenant], "clients", change) if tenant is not None else []


async def delete_never_used(table: Table, key: Key) -> bool:
    """Deletes a client, unless somebody has used it meanwhile."""
    try:
        await table.write(Delete(key, "#queue = :queue", {"queue": NEVER_USED}))
    except ConditionFailed:
        return False
    return True
