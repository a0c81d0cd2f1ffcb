"""What is deleted once it has ended and can no longer matter: found through the index, page by page.

The index may lag, so every step reads the item, or has a condition: what has come to life again meanwhile stays. A page
of keys is read at a time, and a few items are dealt with at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from auth_server.adapters.dynamodb_store import (
    authorizations,
    consents,
    devices,
    grant_items,
    initial_tokens,
    limits,
    people,
    pushed_requests,
    replays,
    revocations,
)
from auth_server.adapters.dynamodb_store.client_items import NEVER_USED, QUEUE, has_random_id, schedule
from auth_server.adapters.dynamodb_store.grant_items import owners_of, review
from auth_server.adapters.dynamodb_store.grants import revoke
from auth_server.adapters.dynamodb_store.items import NEVER, Item, Key, grant_key, queues, user_consents, user_grants
from auth_server.adapters.dynamodb_store.memberships import unchanged_memberships
from auth_server.adapters.dynamodb_store.table import ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import CHANGED, Delete, Update, Write

AT_ONCE = 16
"""Items that are dealt with at the same time."""
_LOOK_AGAIN = 86_400.0
"""Seconds after which a client is looked at again that nobody uses any more but that still has grants."""

_Step = Callable[[Table, Key, float], Awaitable[int]]
"""Deals with one item that was due; gives the number of things deleted or erased."""


async def sweep(table: Table, now: float) -> int:
    """Deals with everything that is due; gives the number of items deleted, and of answers and secrets erased."""
    total = 0
    for kind in (
        people.SESSION,
        pushed_requests.KIND,
        authorizations.KIND,
        consents.KIND,
        devices.KIND,
        initial_tokens.KIND,
        limits.KIND,
        replays.KIND,
        revocations.KIND,
    ):
        total += await _sweep(table, queues(kind), _delete, now)
    # Clients come after their grants: one that has none left may go.
    total += await _sweep(table, queues(grant_items.KIND), _review_grant, now)
    total += await _sweep(table, [QUEUE, NEVER_USED], _review_client, now)
    return total + await _sweep(table, [people.QUEUE], _review_user, now)


async def _sweep(table: Table, names: Sequence[str], step: _Step, now: float) -> int:
    total = 0
    for name in names:
        async for page in table.queued(name, now):
            for start in range(0, len(page), AT_ONCE):
                some = page[start : start + AT_ONCE]
                total += sum(await asyncio.gather(*(step(table, key, now) for key in some)))
    return total


async def _delete(table: Table, key: Key, now: float) -> int:
    return await _done(table, Delete(key, "#due <= :now", {"now": now}))


async def _review_grant(table: Table, key: Key, now: float) -> int:
    item = await table.get(key)
    if item is None or item["due"] > now:
        return 0
    writes = review(key, item, now)
    try:
        await table.transact(writes)
    except TransactionFailed:
        return 0
    erased = sum(isinstance(write, Update) and "sealed" in write.changes for write in writes)
    return erased + sum(isinstance(write, Delete) for write in writes)


async def _review_client(table: Table, key: Key, now: float) -> int:
    item = await table.get(key)
    if item is None or item.get("due", now + 1) > now:
        return 0
    if "generation" not in item:
        return await _review_deleted_client(table, key, item)
    unchanged = "#revision = :revision", {"revision": item["revision"]}
    live = [secret for secret in item["secrets"] if secret.get("expires_at", now + 1) > now]
    later = schedule({**item, "secrets": live})
    if later["due"] > now:
        return await _done(table, Update(key, {"secrets": live, **later}, *unchanged, add=CHANGED))
    if later["queue"] == QUEUE and await _has_grants(table, key):
        await _done(table, Update(key, {"due": now + _LOOK_AGAIN}, *unchanged, add=CHANGED))
        return 0
    return await _done(table, Delete(key, *unchanged))


async def _review_deleted_client(table: Table, key: Key, item: Item) -> int:
    await _revoke_grants(table, key, item["deleted_at"])
    unchanged = "#revision = :revision", {"revision": item["revision"]}
    if has_random_id(item):
        return await _done(table, Delete(key, *unchanged))
    # The rest stays as the mark that keeps out a client which would come back by itself.
    await _done(table, Update(key, {"queue": None, "due": None}, *unchanged))
    return 0


async def _review_user(table: Table, key: Key, now: float) -> int:
    item = await table.get(key)
    if item is None or item["due"] > now:
        return 0
    if "generation" in item:
        # A membership has ended.
        await _revoke_grants(table, key, now, user=item)
        await _forget_consents(table, key, item)
        await _done(table, Update(key, {"due": NEVER}, *unchanged_memberships(item)))
        return 0
    await _revoke_grants(table, key, item["deleted_at"])
    await _forget_consents(table, key, item)
    return await _done(table, Delete(key, "attribute_not_exists(#generation)"))


async def _forget_consents(table: Table, owner: Key, user: Item) -> None:
    """Deletes what ended with the person, or with one of their memberships."""
    async for page in table.children(owner.pk, user_consents()):
        for item in page:
            if not consents.is_alive(item, user):
                await table.write(Delete(Key(item["pk"], item["sk"])))


async def _revoke_grants(table: Table, owner: Key, ended_at: float, *, user: Item | None = None) -> None:
    """Revokes the grants of a client or user that is gone, so that the sweeper need not wait for their expiry.

    Of a `user` who is still there, those of memberships that have ended.
    """
    async for page in table.children(owner.pk, user_grants()):
        for start in range(0, len(page), AT_ONCE):
            ids = [pointer["grant_id"] for pointer in page[start : start + AT_ONCE]]
            if user is not None:
                found = (await table.get_many([grant_key(grant_id) for grant_id in ids])).values()
                ids = [grant["grant_id"] for grant in found if not owners_of(grant).is_member(user)]
            await asyncio.gather(*(revoke(table, grant_id, ended_at) for grant_id in ids))


async def _has_grants(table: Table, client: Key) -> bool:
    async for page in table.children(client.pk, user_grants(), page_size=1):
        return bool(page)
    return False


async def _done(table: Table, write: Write) -> int:
    try:
        await table.write(write)
    except ConditionFailed:
        return 0
    return 1
