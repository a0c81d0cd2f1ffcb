"""Grants and refresh tokens in SQLite."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from auth_server.adapters.remembered import Remembered
from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.authorization import USED_CODE_MEMORY
from auth_server.domain.grant import REPLAY_WINDOW, REVOKED_GRANT_MEMORY, Grant, RefreshToken, RefreshTokenKey
from auth_server.domain.workspace import Role
from auth_server.ports.grants import Gone, LiveRefreshToken, OtherKey, Replay, ReplayDiffers, Reused, Rotated, Rotation
from auth_server.ports.records import ReplacedToken, StoredGrant
from shared_kernel import scope

_REMEMBERED = 10_000
"""Grants that need not be read again."""
GRANT_COLUMNS = (
    "grants.grant_id, handle, client_id, grants.user_id, grants.tenant, scopes, resource, refreshable,"
    " grants.created_at, grants.expires_at, authenticated_at, grants.key_thumbprint, grants.role"
)
"""What grant_from_row() takes."""


class SqliteGrants:
    """Implements RefreshStore and GrantStore."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Nothing of a grant ever changes but whether it is alive, which is for the verbs that write to say.
        self._families = Remembered[tuple[str, str], Grant](_REMEMBERED)

    async def refreshed_grant(self, key: RefreshTokenKey) -> Grant | None:
        """See RefreshStore."""
        grant = self._families.get((key.grant_id, key.family)) if key.family else None
        if grant is None:
            grant, family = await self._database.read(_refreshed_grant, key)
            if grant is not None and family:
                self._families.put((grant.grant_id, family), grant)
        return grant

    async def live_refresh_token(self, key: RefreshTokenKey, now: float) -> LiveRefreshToken | None:
        """See RefreshStore."""
        return await self._database.read(_live_refresh_token, key, now)

    async def rotate(
        self, key: RefreshTokenKey, rotation: Rotation, now: float
    ) -> Rotated | Replay | ReplayDiffers | OtherKey | Reused | Gone:
        """See RefreshStore."""
        return await self._database.write(_rotate, key, rotation, now)

    async def grants(self, now: float, user_id: str | None = None) -> Sequence[Grant]:
        """See GrantStore."""
        return await self._database.read(_grants, now, user_id)

    async def has_grant(self, user_id: str, client_id: str, now: float) -> bool:
        """See GrantStore."""
        return await self._database.read(_has_grant, user_id, client_id, now)

    async def grant_by_handle(self, handle: str, now: float) -> Grant | None:
        """See GrantStore."""
        return await self._database.read(_grant_by_handle, handle, now)

    async def add_grant(self, grant: Grant, now: float) -> bool:
        """See GrantStore."""
        return await self._database.write(_add, grant, now)

    async def revoke_grant(self, grant_id: str, now: float) -> None:
        """See GrantStore."""
        await self._database.write(revoke, now, grant_id=grant_id)

    async def revoke_grant_by_handle(self, handle: str, client_id: str | None, now: float) -> bool:
        """See GrantStore."""
        return await self._database.write(_revoke_by_handle, handle, client_id, now)


def may_be_given(db: sqlite3.Connection, grant: Grant) -> bool:
    """Whether client, person and membership are there, and the person is enabled."""
    # One that ended a moment ago has had its grants revoked; it must not get another.
    all_there = db.execute(
        "SELECT 1 FROM clients, users JOIN memberships USING (user_id) WHERE client_id = ? AND user_id = ?"
        " AND disabled_at IS NULL AND workspace = ? AND role = ?",
        (grant.client_id, grant.user_id, grant.tenant, grant.role),
    )
    return all_there.fetchone() is not None


def give(db: sqlite3.Connection, grant: Grant, first: RefreshToken | None, now: float) -> None:
    """Adds a grant that may be given, with the first token of its family, if it has one yet."""
    db.execute("UPDATE clients SET last_used_at = ?1, used_at = ?1 WHERE client_id = ?2", (now, grant.client_id))
    _insert_grant(db, grant)
    if first is not None:
        begin_family(db, first, grant.key_thumbprint)


def _add(db: sqlite3.Connection, grant: Grant, now: float) -> bool:
    if not may_be_given(db, grant):
        return False
    give(db, grant, None, now)
    return True


def _insert_grant(db: sqlite3.Connection, grant: Grant) -> None:
    db.execute(
        "INSERT INTO grants (grant_id, handle, client_id, user_id, tenant, scopes, resource, refreshable, created_at,"
        " expires_at, authenticated_at, key_thumbprint, role, review_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            grant.grant_id,
            grant.handle,
            grant.client_id,
            grant.user_id,
            grant.tenant,
            scope.join(grant.scopes),
            grant.resource,
            grant.refreshable,
            grant.created_at,
            grant.expires_at,
            grant.authenticated_at,
            grant.key_thumbprint,
            grant.role,
            grant.created_at + USED_CODE_MEMORY,
        ),
    )


def grant_from_row(row: tuple[Any, ...]) -> Grant:
    """The grant in GRANT_COLUMNS."""
    grant_id, handle, client_id, user_id, tenant, scopes, resource, refreshable, *more = row
    created_at, expires_at, authenticated_at, key_thumbprint, role = more
    return Grant(
        grant_id=grant_id,
        handle=handle,
        client_id=client_id,
        user_id=user_id,
        tenant=tenant,
        scopes=scope.parse(scopes),
        resource=resource,
        refreshable=bool(refreshable),
        created_at=created_at,
        expires_at=expires_at,
        authenticated_at=authenticated_at,
        key_thumbprint=key_thumbprint,
        role=Role(role) if role is not None else None,
    )


def restore_grant(db: sqlite3.Connection, stored: StoredGrant) -> None:
    """Inserts a grant with its refresh tokens, revoked or not; the sweeper looks at it soon."""
    _insert_grant(db, stored.grant)
    live, replaced = stored.live, stored.replaced
    db.execute(
        "UPDATE grants SET family = ?, refresh_digest = ?, refresh_expires_at = ?, previous_digest = ?, rotated_at = ?,"
        " rotation_request = ?, sealed = ?, revoked_at = ?, review_at = 0 WHERE grant_id = ?",
        (
            (live.key.family or None) if live else None,
            live.key.digest if live else None,
            live.expires_at if live else None,
            replaced.digest if replaced else None,
            replaced.rotated_at if replaced else None,
            replaced.request if replaced else None,
            replaced.sealed if replaced else None,
            stored.revoked_at,
            stored.grant.grant_id,
        ),
    )


def stored_grants(db: sqlite3.Connection) -> Iterator[StoredGrant]:
    """All grants, alive or not."""
    rows = db.execute(
        "SELECT family, refresh_digest, refresh_expires_at, previous_digest, rotated_at, rotation_request, sealed,"
        f" revoked_at, {GRANT_COLUMNS} FROM grants ORDER BY rowid"
    )
    for family, digest, expires_at, previous, rotated_at, request, sealed, revoked_at, *columns in rows:
        grant = grant_from_row(tuple(columns))
        key = RefreshTokenKey(grant.grant_id, family or "", digest)
        yield StoredGrant(
            grant,
            live=RefreshToken(key, expires_at) if digest is not None else None,
            replaced=ReplacedToken(previous, rotated_at, request, sealed) if previous is not None else None,
            revoked_at=revoked_at,
        )


def begin_family(db: sqlite3.Connection, first: RefreshToken, key_thumbprint: str | None) -> None:
    """Gives a grant its first refresh token, bound to that key."""
    db.execute(
        "UPDATE grants SET family = ?, refresh_digest = ?, refresh_expires_at = ?, key_thumbprint = ?"
        " WHERE grant_id = ?",
        (first.key.family, first.key.digest, first.expires_at, key_thumbprint, first.key.grant_id),
    )


def revoke(
    db: sqlite3.Connection,
    now: float,
    *,
    grant_id: str | None = None,
    client_id: str | None = None,
    user_id: str | None = None,
    tenant: str | None = None,
) -> None:
    """Ends the grants of an id, of a client or of a user, there in one tenant or all; the first time stays."""
    given = {"grant_id": grant_id, "client_id": client_id, "user_id": user_id, "tenant": tenant}
    wanted = {column: value for column, value in given.items() if value is not None}
    assert wanted
    ending = " AND ".join([*(f"{column} = ?" for column in wanted), "revoked_at IS NULL"])
    db.execute(
        f"INSERT OR REPLACE INTO revocations SELECT 'grant', handle, ? FROM grants WHERE {ending}",
        (now, *wanted.values()),
    )
    db.execute(
        f"UPDATE grants SET revoked_at = ?, review_at = ? WHERE {ending}",
        (now, now + REVOKED_GRANT_MEMORY, *wanted.values()),
    )


def _revoke_by_handle(db: sqlite3.Connection, handle: str, client_id: str | None, now: float) -> bool:
    row = db.execute(
        "SELECT grant_id FROM grants WHERE handle = ? AND client_id = coalesce(?, client_id) AND revoked_at IS NULL",
        (handle, client_id),
    ).fetchone()
    if row is None:
        return False
    revoke(db, now, grant_id=row[0])
    return True


def _grants(db: sqlite3.Connection, now: float, user_id: str | None) -> list[Grant]:
    of_whom, values = ("user_id = ? AND", (user_id, now)) if user_id is not None else ("", (now,))
    rows = db.execute(
        f"SELECT {GRANT_COLUMNS} FROM grants WHERE {of_whom} revoked_at IS NULL AND expires_at > ?"
        " ORDER BY created_at, grant_id",
        values,
    )
    return [grant_from_row(row) for row in rows]


def _has_grant(db: sqlite3.Connection, user_id: str, client_id: str, now: float) -> bool:
    found = db.execute(
        "SELECT 1 FROM grants WHERE user_id = ? AND client_id = ? AND revoked_at IS NULL AND expires_at > ?",
        (user_id, client_id, now),
    )
    return found.fetchone() is not None


def _grant_by_handle(db: sqlite3.Connection, handle: str, now: float) -> Grant | None:
    row = db.execute(
        f"SELECT {GRANT_COLUMNS} FROM grants JOIN users USING (user_id)"
        " WHERE handle = ? AND revoked_at IS NULL AND expires_at > ? AND disabled_at IS NULL"
        " AND EXISTS (SELECT 1 FROM clients WHERE clients.client_id = grants.client_id)",
        (handle, now),
    ).fetchone()
    return grant_from_row(row) if row else None


def _refreshed_grant(db: sqlite3.Connection, key: RefreshTokenKey) -> tuple[Grant | None, str | None]:
    """The grant of a token, and the family's digest if it has one."""
    row = db.execute(
        f"SELECT family, {GRANT_COLUMNS} FROM grants WHERE grant_id = ?"
        " AND (family = ? OR refresh_digest = ? OR previous_digest = ?)",
        (key.grant_id, key.family, key.digest, key.digest),
    ).fetchone()
    return (grant_from_row(row[1:]), row[0]) if row else (None, None)


def _live_refresh_token(db: sqlite3.Connection, key: RefreshTokenKey, now: float) -> LiveRefreshToken | None:
    row = db.execute(
        f"SELECT refresh_expires_at, {GRANT_COLUMNS} FROM grants JOIN users USING (user_id)"
        " WHERE grant_id = ? AND refresh_digest = ? AND refresh_expires_at > ? AND revoked_at IS NULL"
        " AND expires_at > ? AND disabled_at IS NULL",
        (key.grant_id, key.digest, now, now),
    ).fetchone()
    return LiveRefreshToken(grant_from_row(row[1:]), row[0]) if row else None


def _rotate(
    db: sqlite3.Connection, key: RefreshTokenKey, rotation: Rotation, now: float
) -> Rotated | Replay | ReplayDiffers | OtherKey | Reused | Gone:
    row = db.execute(
        "SELECT family, refresh_digest, refresh_expires_at, previous_digest, rotated_at, rotation_request, sealed,"
        " key_thumbprint FROM grants JOIN users USING (user_id) JOIN memberships USING (user_id)"
        " WHERE grant_id = ? AND revoked_at IS NULL AND expires_at > ? AND disabled_at IS NULL AND workspace = tenant",
        (key.grant_id, now),
    ).fetchone()
    if row is None:
        return Gone()
    family, live_digest, live_until, previous_digest, rotated_at, request, sealed, key_thumbprint = row
    if key_thumbprint not in {None, rotation.key_thumbprint}:
        return OtherKey()
    if key.digest == live_digest:
        if now >= live_until:
            return Gone()
        # Overwrites what the predecessor left: the client has its successor, so nobody honest will ask for the
        # response that brought it.
        db.execute(
            "UPDATE grants SET family = ?, refresh_digest = ?, refresh_expires_at = ?, previous_digest = ?,"
            " rotated_at = ?, rotation_request = ?, sealed = ?, key_thumbprint = ? WHERE grant_id = ?",
            (
                rotation.successor.key.family,
                rotation.successor.key.digest,
                rotation.successor.expires_at,
                key.digest,
                now,
                rotation.request,
                rotation.sealed,
                rotation.key_thumbprint,
                key.grant_id,
            ),
        )
        return Rotated()
    if key.digest == previous_digest and sealed is not None and now - rotated_at < REPLAY_WINDOW:
        return Replay(bytes(sealed)) if request == rotation.request else ReplayDiffers()
    if key.digest == previous_digest or key.family == family:
        # RFC 9700 §4.14.2: "the authorization server [...] will revoke the active refresh token"
        revoke(db, now, grant_id=key.grant_id)
        return Reused()
    return Gone()
