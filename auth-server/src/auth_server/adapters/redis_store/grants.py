"""Grants and refresh tokens in Redis."""

from collections.abc import Sequence

from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import fields, pairs
from auth_server.adapters.redis_store.grant_fields import grant_fields, grant_from
from auth_server.adapters.redis_store.reading import identifiers, read, read_of_users
from auth_server.adapters.remembered import Remembered
from auth_server.domain.grant import Grant, RefreshTokenKey
from auth_server.ports.grants import Gone, LiveRefreshToken, OtherKey, Replay, ReplayDiffers, Reused, Rotated, Rotation

_REMEMBERED = 10_000
"""Grants that need not be read again."""


class RedisGrants:
    """Implements RefreshStore and GrantStore."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Nothing of a grant ever changes but whether it is alive, which is for the verbs that write to say.
        self._families = Remembered[tuple[str, str], Grant](_REMEMBERED)

    async def refreshed_grant(self, key: RefreshTokenKey) -> Grant | None:
        """See RefreshStore."""
        grant = self._families.get((key.grant_id, key.family)) if key.family else None
        if grant is not None:
            return grant
        found = await read(self._database, "grant", key.grant_id)
        if found is None:
            return None
        family = found.get("family", b"").decode()
        digests = {found.get("refresh_digest"), found.get("previous_digest")}
        if (not family or family != key.family) and key.digest.encode() not in digests:
            return None
        grant = grant_from(found)
        if family:
            self._families.put((grant.grant_id, family), grant)
        return grant

    async def live_refresh_token(self, key: RefreshTokenKey, now: float) -> LiveRefreshToken | None:
        """See RefreshStore."""
        found = fields(await self._database.run("living_grant", key.grant_id))
        if found.get("refresh_digest") != key.digest.encode():
            return None
        live = LiveRefreshToken(grant_from(found), float(found["refresh_expires_at"]))
        return live if min(live.expires_at, live.grant.expires_at) > now else None

    async def rotate(
        self, key: RefreshTokenKey, rotation: Rotation, now: float
    ) -> Rotated | Replay | ReplayDiffers | OtherKey | Reused | Gone:
        """See RefreshStore."""
        successor = rotation.successor
        outcome, *sealed = await self._database.run(
            "rotate",
            key.grant_id,
            key.digest,
            key.family,
            now,
            successor.key.digest,
            successor.key.family,
            successor.expires_at,
            rotation.request,
            rotation.sealed,
            rotation.key_thumbprint,
            durable=True,
        )
        match outcome:
            case b"rotated":
                return Rotated()
            case b"replay":
                return Replay(sealed[0])
            case b"differs":
                return ReplayDiffers()
            case b"other_key":
                return OtherKey()
            case b"reused":
                return Reused()
            case _:
                return Gone()

    async def grants(self, now: float, user_id: str | None = None) -> Sequence[Grant]:
        """See GrantStore."""
        user_ids = [user_id] if user_id is not None else await identifiers(self._database, "user")
        found = await read_of_users(self._database, "grant", user_ids)
        alive = (grant for grant in map(grant_from, found) if grant.expires_at > now)
        return sorted(alive, key=lambda grant: (grant.created_at, grant.grant_id))

    async def has_grant(self, user_id: str, client_id: str, now: float) -> bool:
        """See GrantStore."""
        return bool(await self._database.run("has_grant", user_id, client_id, now))

    async def grant_by_handle(self, handle: str, now: float) -> Grant | None:
        """See GrantStore."""
        found = await self._database.run("grant_by_handle", handle)
        grant = grant_from(fields(found)) if found else None
        return grant if grant is not None and grant.expires_at > now else None

    async def add_grant(self, grant: Grant, now: float) -> bool:
        """See GrantStore."""
        added = await self._database.run(
            "add_grant",
            grant.grant_id,
            grant.handle,
            grant.client_id,
            grant.user_id,
            grant.expires_at,
            grant.tenant,
            grant.role,
            now,
            *pairs(grant_fields(grant)),
        )
        return bool(added)

    async def revoke_grant(self, grant_id: str, now: float) -> None:
        """See GrantStore."""
        await self._database.run("revoke_grant", grant_id, now, durable=True)

    async def revoke_grant_by_handle(self, handle: str, client_id: str | None, now: float) -> bool:
        """See GrantStore."""
        return bool(await self._database.run("revoke_grant_by_handle", handle, now, client_id, durable=True))
