"""Remembered consents in DynamoDB: in the partition of their person, each with the generation of its membership."""

from collections.abc import AsyncIterator, Sequence

from auth_server.adapters.dynamodb_store.items import (
    CONSENT,
    Item,
    Key,
    client_key,
    consent_key,
    expiring,
    queue,
    user_consents,
    user_key,
)
from auth_server.adapters.dynamodb_store.memberships import generation_in
from auth_server.adapters.dynamodb_store.table import ConditionFailed, Table
from auth_server.adapters.dynamodb_store.writes import CHANGED, PRESENT, Delete, Put, Update
from auth_server.domain.consent import ConsentKey, RememberedConsent
from shared_kernel import scope

KIND = "consent"


class DynamoDbConsents:
    """Implements ConsentStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def consent(self, key: ConsentKey, now: float) -> RememberedConsent | None:
        """See ConsentStore."""
        item_key, user, client = consent_key(key), user_key(key.user_id), client_key(key.client_id)
        async with self._table.in_time():
            found = await self._table.get_many([item_key, user, client])
            item = found.get(item_key)
            if item is None or "generation" not in found.get(client, {}):
                return None
            return consent_of(item) if now < item["expires_at"] and is_alive(item, found.get(user, {})) else None

    async def consents(self, user_id: str, now: float) -> Sequence[RememberedConsent]:
        """See ConsentStore."""
        key = user_key(user_id)
        async with self._table.in_time():
            items = [item async for page in self._table.children(key.pk, user_consents()) for item in page]
            clients = [client_key(item["client_id"]) for item in items]
            found = await self._table.get_many([key, *clients]) if items else {}
        alive = [
            consent_of(item)
            for item, client in zip(items, clients, strict=True)
            if now < item["expires_at"] and is_alive(item, found.get(key, {})) and "generation" in found.get(client, {})
        ]
        return sorted(alive, key=lambda consent: (consent.given_at, *consent.key.parts))

    async def end_consents(self, client_id: str, user_id: str | None = None) -> bool:
        """See ConsentStore."""
        async with self._table.in_time():
            if user_id is not None:
                pages = self._table.children(user_key(user_id).pk, user_consents(client_id))
            else:
                pages = self._table.all_beginning(user_consents(client_id))
            ended = [await self._ended(Key(item["pk"], item["sk"])) async for page in pages for item in page]
        return any(ended)

    async def _ended(self, key: Key) -> bool:
        try:
            await self._table.write(Delete(key, PRESENT))
        except ConditionFailed:
            return False
        return True


def consent_put(consent: RememberedConsent, membership_generation: str) -> Put:
    """Adds a consent, in place of an earlier one of its key."""
    key = consent_key(consent.key)
    return Put(
        key,
        {
            "user_id": consent.key.user_id,
            "client_id": consent.key.client_id,
            "redirect_origin": consent.key.redirect_origin,
            "resource": consent.key.resource,
            "workspace": consent.key.workspace,
            "scopes": scope.join(consent.scopes),
            "document": consent.document,
            "given_at": consent.given_at,
            "expires_at": consent.expires_at,
            "membership_generation": membership_generation,
            "revision": 1,
            "queue": queue(KIND, key),
            **expiring(consent.expires_at),
        },
    )


def standing(consent: RememberedConsent, membership_generation: str, now: float) -> Update:
    """The write whose condition is that a consent has neither ended, nor expired, nor been replaced."""
    return Update(
        consent_key(consent.key),
        {},
        "#given_at = :given_at AND #document = :document AND #scopes = :scopes"
        " AND #expires_at = :expires_at AND #expires_at > :now"
        " AND #membership_generation = :membership_generation",
        {
            "given_at": consent.given_at,
            "document": consent.document,
            "scopes": scope.join(consent.scopes),
            "expires_at": consent.expires_at,
            "now": now,
            "membership_generation": membership_generation,
        },
        add=CHANGED,
    )


def consent_of(item: Item) -> RememberedConsent:
    """The consent in an item."""
    key = ConsentKey(item["user_id"], item["client_id"], item["redirect_origin"], item["resource"], item["workspace"])
    return RememberedConsent(key, scope.parse(item["scopes"]), item["document"], item["given_at"], item["expires_at"])


def is_alive(item: Item, user: Item) -> bool:
    """Whether the membership is there in which a consent was given."""
    return "generation" in user and generation_in(user, item["workspace"]) == item["membership_generation"]


async def every_consent(table: Table) -> AsyncIterator[RememberedConsent]:
    """All that have not ended, expired or not."""
    async for page in table.all_beginning(CONSENT):
        users = await table.get_many([user_key(item["user_id"]) for item in page])
        for item in page:
            if is_alive(item, users.get(user_key(item["user_id"]), {})):
                yield consent_of(item)
