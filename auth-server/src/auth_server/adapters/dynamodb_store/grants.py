"""Grants and refresh tokens in DynamoDB."""

from collections.abc import Sequence

from auth_server.adapters.dynamodb_store.giving import givable
from auth_server.adapters.dynamodb_store.grant_items import (
    KIND,
    Owners,
    grant_items,
    grant_of,
    owners_of,
    revocation,
)
from auth_server.adapters.dynamodb_store.items import (
    Item,
    grant_key,
    handle_key,
    queues,
    user_grants,
    user_key,
)
from auth_server.adapters.dynamodb_store.revocations import note
from auth_server.adapters.dynamodb_store.table import LISTING, ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import CHANGED, Update
from auth_server.adapters.remembered import Remembered
from auth_server.domain.grant import REPLAY_WINDOW, Grant, RefreshTokenKey
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.ports.grants import Gone, LiveRefreshToken, OtherKey, Replay, ReplayDiffers, Reused, Rotated, Rotation

_REMEMBERED = 10_000
"""Grants that need not be read again."""


class DynamoDbGrants:
    """Implements RefreshStore and GrantStore."""

    def __init__(self, table: Table) -> None:
        self._table = table
        # Nothing of these ever changes; whether the grant is alive, the verbs that write find out.
        self._families = Remembered[tuple[str, str], tuple[Grant, Owners]](_REMEMBERED)

    async def refreshed_grant(self, key: RefreshTokenKey) -> Grant | None:
        """See RefreshStore."""
        async with self._table.in_time():
            remembered = await self._family(key)
            return remembered[0] if remembered else None

    async def live_refresh_token(self, key: RefreshTokenKey, now: float) -> LiveRefreshToken | None:
        """See RefreshStore."""
        async with self._table.in_time():
            item = await self._table.get(grant_key(key.grant_id)) or {}
            if item.get("refresh_digest") != key.digest or item["refresh_expires_at"] <= now:
                return None
            grant = await self._alive(item, now)
            return LiveRefreshToken(grant, item["refresh_expires_at"]) if grant else None

    async def rotate(
        self, key: RefreshTokenKey, rotation: Rotation, now: float
    ) -> Rotated | Replay | ReplayDiffers | OtherKey | Reused | Gone:
        """See RefreshStore."""
        async with self._table.in_time():
            family = await self._family(key)
            if family is None or not await family[1].are_there(self._table, enabled=True):
                return Gone()
            try:
                await self._table.write(_rotation(key, rotation, now))
            except ConditionFailed as failed:
                return await self._unrotated(failed.met, key, rotation, now)
            return Rotated()

    async def grants(self, now: float, user_id: str | None = None) -> Sequence[Grant]:
        """See GrantStore. The list of all may lag by some seconds, that of a person never does."""
        if user_id is not None:
            async with self._table.in_time():
                return await self._grants_of(user_id, user_grants(), now)
        async with self._table.in_time(LISTING):
            keys = [key for queue in queues(KIND) async for page in self._table.queued(queue) for key in page]
            return await self._living([*(await self._table.get_many(keys)).values()], now)

    async def has_grant(self, user_id: str, client_id: str, now: float) -> bool:
        """See GrantStore."""
        async with self._table.in_time():
            return bool(await self._grants_of(user_id, user_grants(client_id), now))

    async def grant_by_handle(self, handle: str, now: float) -> Grant | None:
        """See GrantStore."""
        async with self._table.in_time():
            item = await self._by_handle(handle)
            return await self._alive(item, now) if item else None

    async def add_grant(self, grant: Grant, now: float) -> bool:
        """See GrantStore."""
        async with self._table.in_time():
            given = await givable(self._table, grant, now)
            if given is None:
                return False
            try:
                await self._table.transact([*given.uses, *grant_items(grant, given.owners)])
            except TransactionFailed:
                return False
            return True

    async def revoke_grant(self, grant_id: str, now: float) -> None:
        """See GrantStore."""
        async with self._table.in_time():
            await revoke(self._table, grant_id, now)

    async def revoke_grant_by_handle(self, handle: str, client_id: str | None, now: float) -> bool:
        """See GrantStore."""
        async with self._table.in_time():
            item = await self._by_handle(handle)
            if item is None or client_id not in {None, item["client_id"]}:
                return False
            if not await owners_of(item).are_there(self._table, enabled=False):
                return False
            return await revoke(self._table, item["grant_id"], now)

    async def _by_handle(self, handle: str) -> Item | None:
        pointer = await self._table.get(handle_key(handle))
        return await self._table.get(grant_key(pointer["grant_id"])) if pointer else None

    async def _family(self, key: RefreshTokenKey) -> tuple[Grant, Owners] | None:
        """The grant of a refresh token, by its family or by its digest."""
        known = self._families.get((key.grant_id, key.family)) if key.family else None
        if known is not None:
            return known
        item = await self._table.get(grant_key(key.grant_id)) or {}
        if "refresh_digest" not in item:
            return None
        if key.family != item.get("family") and key.digest not in {item["refresh_digest"], item.get("previous_digest")}:
            return None
        found = grant_of(item), owners_of(item)
        if "family" in item:
            self._families.put((key.grant_id, item["family"]), found)
        return found

    async def _alive(self, item: Item, now: float) -> Grant | None:
        """The grant in the item, if it may give tokens."""
        if "revoked_at" in item or now >= item["expires_at"]:
            return None
        return grant_of(item) if await owners_of(item).are_there(self._table, enabled=True) else None

    async def _unrotated(
        self, met: Item | None, key: RefreshTokenKey, rotation: Rotation, now: float
    ) -> Rotated | Replay | ReplayDiffers | OtherKey | Reused | Gone:
        """What a refresh token gives that is not the live one of a living grant."""
        if met is None or "revoked_at" in met or now >= met["expires_at"]:
            return Gone()
        if met.get("key_thumbprint") not in {None, rotation.key_thumbprint}:
            return OtherKey()
        if met["refresh_digest"] == key.digest:
            return Gone()
        is_previous = met.get("previous_digest") == key.digest
        if is_previous and met["refresh_digest"] == rotation.successor.key.digest:
            return Rotated()  # by this very call: its first request got through, only the answer was lost
        if is_previous and "sealed" in met and now - met["rotated_at"] < REPLAY_WINDOW:
            return Replay(met["sealed"]) if met["rotation_request"] == rotation.request else ReplayDiffers()
        if is_previous or key.family == met.get("family"):
            # RFC 9700 §4.14.2: "the authorization server [...] will revoke the active refresh token"
            return Reused() if await revoke(self._table, key.grant_id, now) else Gone()
        return Gone()

    async def _grants_of(self, user_id: str, prefix: str, now: float) -> list[Grant]:
        pages = self._table.children(user_key(user_id).pk, prefix)
        keys = [grant_key(pointer["grant_id"]) async for page in pages for pointer in page]
        return await self._living([*(await self._table.get_many(keys)).values()], now)

    async def _living(self, items: Sequence[Item], now: float) -> list[Grant]:
        """The grants that are neither revoked nor expired, and whose owners have not been deleted; oldest first."""
        open_items = [item for item in items if "revoked_at" not in item and now < item["expires_at"]]
        owners = await self._table.get_many([key for item in open_items for key in owners_of(item).keys])
        living = [grant_of(item) for item in open_items if owners_of(item).are_among(owners)]
        return sorted(living, key=lambda grant: (grant.created_at, grant.grant_id))


async def revoke(table: Table, grant_id: str, now: float) -> bool:
    """Ends a grant; False if there is none, or another call has revoked it before."""
    key, call = grant_key(grant_id), table.new_name()
    item = await table.get(key)
    if item is None or "revoked_at" in item:
        return False
    try:
        ended = Revocation(Revoked.GRANT, item["handle"], now)
        await table.transact([revocation(key, call, now), note(ended)])
    except TransactionFailed as failed:
        return failed.met is not None and failed.met.get("revoked_by") == call
    return True


def _rotation(key: RefreshTokenKey, rotation: Rotation, now: float) -> Update:
    successor = rotation.successor
    # Overwrites what the predecessor left: the client has its successor, so nobody honest will ask for the response
    # that brought it.
    return Update(
        grant_key(key.grant_id),
        {
            "family": successor.key.family,
            "refresh_digest": successor.key.digest,
            "refresh_expires_at": successor.expires_at,
            "previous_digest": key.digest,
            "rotated_at": now,
            "rotation_request": rotation.request,
            "sealed": rotation.sealed,
            "key_thumbprint": rotation.key_thumbprint,
            "due": now + REPLAY_WINDOW,
        },
        "#refresh_digest = :digest AND attribute_not_exists(#revoked_at)"
        " AND #expires_at > :now AND #refresh_expires_at > :now"
        " AND (attribute_not_exists(#key_thumbprint) OR #key_thumbprint = :key)",
        {"digest": key.digest, "now": now, "key": rotation.key_thumbprint or ""},
        add=CHANGED,
    )
