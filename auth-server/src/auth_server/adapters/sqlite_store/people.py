"""Users and sessions in SQLite."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

from auth_server.adapters.sqlite_store.database import Database
from auth_server.adapters.sqlite_store.grants import revoke
from auth_server.adapters.sqlite_store.revocations import note
from auth_server.adapters.sqlite_store.workspaces import add_memberships, is_workspace
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.domain.user import Session, User
from auth_server.domain.workspace import Membership, Role

USER_COLUMNS = (
    "user_id, email, password_hash, created_at, disabled_at, (SELECT json_group_array(json_array(workspace, role))"
    " FROM memberships WHERE memberships.user_id = users.user_id)"
)
"""What user_from_row() takes."""
SESSION_COLUMNS = "digest, user_id, authenticated_at, expires_at"
"""The fields of a Session, in order."""
_USER = f"SELECT {USER_COLUMNS} FROM users"
_SESSION = f"SELECT {SESSION_COLUMNS} FROM sessions"


class SqlitePeople:
    """Implements UserStore and SessionStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_user(self, user: User) -> bool:
        """See UserStore."""
        return await self._database.write(_add_user, user)

    async def user(self, user_id: str) -> User | None:
        """See UserStore."""
        return await self._database.read(_user, f"{_USER} WHERE user_id = ?", user_id)

    async def user_by_email(self, email: str) -> User | None:
        """See UserStore."""
        return await self._database.read(_user, f"{_USER} WHERE email = ?", email)

    async def users(self) -> Sequence[User]:
        """See UserStore."""
        return await self._database.read(_users)

    async def disable_user(self, user_id: str, now: float) -> bool:
        """See UserStore."""
        return await self._database.write(_disable, user_id, now)

    async def enable_user(self, user_id: str) -> bool:
        """See UserStore."""
        return await self._database.write(_change, "UPDATE users SET disabled_at = NULL WHERE user_id = ?", user_id)

    async def delete_user(self, user_id: str, now: float) -> bool:
        """See UserStore."""
        return await self._database.write(_delete_user, user_id, now)

    async def set_password_hash(self, user_id: str, password_hash: str) -> bool:
        """See UserStore."""
        return await self._database.write(_set_password_hash, user_id, password_hash)

    async def renew_password_hash(self, user_id: str, previous: str, renewed: str) -> None:
        """See UserStore."""
        statement = "UPDATE users SET password_hash = ? WHERE user_id = ? AND password_hash = ?"
        await self._database.write(_change, statement, renewed, user_id, previous)

    async def start_session(self, session: Session, *, verified_hash: str, replaces: str | None) -> bool:
        """See SessionStore."""
        return await self._database.write(_start_session, session, verified_hash, replaces)

    async def session(self, digest: str, now: float) -> Session | None:
        """See SessionStore."""
        return await self._database.read(_session, digest, now)

    async def sessions(self, now: float) -> Sequence[Session]:
        """See SessionStore."""
        return await self._database.read(_sessions, now)

    async def end_session(self, digest: str) -> bool:
        """See SessionStore."""
        return await self._database.write(_change, "DELETE FROM sessions WHERE digest = ?", digest)


def _add_user(db: sqlite3.Connection, user: User) -> bool:
    if not all(is_workspace(db, membership.workspace) for membership in user.memberships):
        return False
    return insert_user(db, user)


def insert_user(db: sqlite3.Connection, user: User) -> bool:
    """Inserts a user with their memberships; False if the address is taken."""
    added = db.execute(
        "INSERT INTO users (user_id, email, password_hash, created_at, disabled_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (email) DO NOTHING",
        (user.user_id, user.email, user.password_hash, user.created_at, user.disabled_at),
    ).rowcount
    if added:
        add_memberships(db, user.user_id, user.memberships)
    return added > 0


def user_from_row(row: tuple[Any, ...]) -> User:
    """The user in USER_COLUMNS."""
    user_id, email, password_hash, created_at, disabled_at, joined = row
    memberships = tuple(Membership(workspace, Role(role)) for workspace, role in sorted(json.loads(joined)))
    return User(user_id, email, password_hash, created_at, disabled_at, memberships)


def _user(db: sqlite3.Connection, statement: str, key: str) -> User | None:
    row = db.execute(statement, (key,)).fetchone()
    return user_from_row(row) if row else None


def _users(db: sqlite3.Connection) -> list[User]:
    return [user_from_row(row) for row in db.execute(f"{_USER} ORDER BY created_at, user_id")]


def _change(db: sqlite3.Connection, statement: str, *values: str) -> bool:
    return db.execute(statement, values).rowcount > 0


def _disable(db: sqlite3.Connection, user_id: str, now: float) -> bool:
    db.execute("DELETE FROM sessions WHERE user_id = ?", (user_id,))
    disabled = db.execute(
        "UPDATE users SET disabled_at = coalesce(disabled_at, ?) WHERE user_id = ?",
        (now, user_id),
    )
    if disabled.rowcount:
        note(db, Revocation(Revoked.USER, user_id, now))
    return disabled.rowcount > 0


def _delete_user(db: sqlite3.Connection, user_id: str, now: float) -> bool:
    revoke(db, now, user_id=user_id)
    # The sessions go with the row that they refer to.
    deleted = _change(db, "DELETE FROM users WHERE user_id = ?", user_id)
    if deleted:
        note(db, Revocation(Revoked.USER, user_id, now))
    return deleted


def _set_password_hash(db: sqlite3.Connection, user_id: str, password_hash: str) -> bool:
    _change(db, "DELETE FROM sessions WHERE user_id = ?", user_id)
    return _change(db, "UPDATE users SET password_hash = ? WHERE user_id = ?", password_hash, user_id)


def _start_session(db: sqlite3.Connection, session: Session, verified_hash: str, replaces: str | None) -> bool:
    # Whoever was disabled, or given another password, while this one was being verified does not get in with it.
    started = db.execute(
        "INSERT INTO sessions (digest, user_id, authenticated_at, expires_at)"
        " SELECT ?, user_id, ?, ? FROM users WHERE user_id = ? AND password_hash = ? AND disabled_at IS NULL",
        (session.digest, session.authenticated_at, session.expires_at, session.user_id, verified_hash),
    ).rowcount
    if started and replaces is not None:
        db.execute("DELETE FROM sessions WHERE digest = ?", (replaces,))
    return started > 0


def _session(db: sqlite3.Connection, digest: str, now: float) -> Session | None:
    row = db.execute(f"{_SESSION} WHERE digest = ? AND expires_at > ?", (digest, now)).fetchone()
    return Session(*row) if row else None


def _sessions(db: sqlite3.Connection, now: float) -> list[Session]:
    rows = db.execute(f"{_SESSION} WHERE expires_at > ? ORDER BY authenticated_at, digest", (now,))
    return [Session(*row) for row in rows]
