"""Grants and refresh tokens in SQLite."""

import sqlite3
from typing import Any

from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.grant import REPLAY_WINDOW, Grant, RefreshToken
from auth_server.ports.grants import Gone, LoadedRefreshToken, Replay, ReplayDiffers, Reused, Rotated, Rotation
from shared_kernel import scope

_SELECT = (
    "SELECT digest, refresh_tokens.grant_id, refresh_tokens.expires_at, grants.grant_id, handle, client_id, user_id,"
    " tenant, scopes, resource, refreshable, created_at, grants.expires_at"
    " FROM refresh_tokens JOIN grants USING (grant_id) WHERE digest = ?"
)


class SqliteGrants:
    """Implements RefreshStore and GrantStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def refresh_token(self, digest: str) -> LoadedRefreshToken | None:
        """See RefreshStore."""
        return await self._database.read(_refresh_token, digest)

    async def rotate(
        self, digest: str, rotation: Rotation, now: float
    ) -> Rotated | Replay | ReplayDiffers | Reused | Gone:
        """See RefreshStore."""
        return await self._database.write(_rotate, digest, rotation, now)

    async def revoke_grant(self, grant_id: str, now: float) -> None:
        """See GrantStore."""
        await self._database.write(revoke, grant_id, now)

    async def revoke_grant_by_handle(self, handle: str, client_id: str, now: float) -> None:
        """See GrantStore."""
        await self._database.write(_revoke_by_handle, handle, client_id, now)


def add_grant(db: sqlite3.Connection, grant: Grant) -> None:
    """Inserts a grant."""
    db.execute(
        "INSERT INTO grants (grant_id, handle, client_id, user_id, tenant, scopes, resource, refreshable, created_at,"
        " expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
        ),
    )


def grant_from_row(row: tuple[Any, ...]) -> Grant:
    """The grant in these columns: grant_id, handle, client_id, … expires_at, in the order of the table."""
    grant_id, handle, client_id, user_id, tenant, scopes, resource, refreshable, created_at, expires_at = row
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
    )


def add_refresh_token(db: sqlite3.Connection, token: RefreshToken) -> None:
    """Inserts a fresh refresh token."""
    db.execute(
        "INSERT INTO refresh_tokens (digest, grant_id, expires_at) VALUES (?, ?, ?)",
        (token.digest, token.grant_id, token.expires_at),
    )


def revoke(db: sqlite3.Connection, grant_id: str, now: float) -> None:
    """Ends a grant; the first revocation's time stays."""
    db.execute("UPDATE grants SET revoked_at = ? WHERE grant_id = ? AND revoked_at IS NULL", (now, grant_id))


def _revoke_by_handle(db: sqlite3.Connection, handle: str, client_id: str, now: float) -> None:
    db.execute(
        "UPDATE grants SET revoked_at = ? WHERE handle = ? AND client_id = ? AND revoked_at IS NULL",
        (now, handle, client_id),
    )


def _refresh_token(db: sqlite3.Connection, digest: str) -> LoadedRefreshToken | None:
    row = db.execute(_SELECT, (digest,)).fetchone()
    return LoadedRefreshToken(RefreshToken(*row[:3]), grant_from_row(row[3:])) if row else None


def _rotate(
    db: sqlite3.Connection, digest: str, rotation: Rotation, now: float
) -> Rotated | Replay | ReplayDiffers | Reused | Gone:
    row = db.execute(
        "SELECT grant_id, refresh_tokens.expires_at, rotated_at, request, sealed, grants.expires_at, revoked_at"
        " FROM refresh_tokens JOIN grants USING (grant_id) WHERE digest = ?",
        (digest,),
    ).fetchone()
    if row is None:
        return Gone()
    grant_id, expires_at, rotated_at, request, sealed, grant_expires_at, revoked_at = row
    if revoked_at is not None or now >= grant_expires_at:
        return Gone()
    if rotated_at is not None:
        # The sealed response goes when the successor is used.
        if sealed is None or now - rotated_at >= REPLAY_WINDOW:
            # RFC 9700 §4.14.2: "the authorization server [...] will revoke the active refresh token"
            revoke(db, grant_id, now)
            return Reused()
        return Replay(bytes(sealed)) if request == rotation.request else ReplayDiffers()
    if now >= expires_at:
        return Gone()
    db.execute(
        "UPDATE refresh_tokens SET rotated_at = ?, successor = ?, request = ?, sealed = ? WHERE digest = ?",
        (now, rotation.successor.digest, rotation.request, rotation.sealed, digest),
    )
    add_refresh_token(db, rotation.successor)
    # The client has its successor, so nobody honest will ask for the response that brought it.
    db.execute("UPDATE refresh_tokens SET sealed = NULL WHERE successor = ?", (digest,))
    return Rotated()
