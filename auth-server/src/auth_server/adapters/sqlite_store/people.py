"""Users and sessions in SQLite."""

import sqlite3
from collections.abc import Sequence

from auth_server.adapters.sqlite_store.database import Database
from auth_server.adapters.sqlite_store.grants import revoke
from auth_server.adapters.sqlite_store.revocations import note
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.domain.user import Session, User

USER_COLUMNS = "user_id, email, password_hash, tenant, created_at, disabled_at"
"""The fields of a User, in order."""
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
    added = db.execute(
        "INSERT INTO users (user_id, email, password_hash, tenant, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (email) DO NOTHING",
        (user.user_id, user.email, user.password_hash, user.tenant, user.created_at),
    )
    return added.rowcount > 0


def _user(db: sqlite3.Connection, statement: str, key: str) -> User | None:
    row = db.execute(statement, (key,)).fetchone()
    return User(*row) if row else None


def _users(db: sqlite3.Connection) -> list[User]:
    return [User(*row) for row in db.execute(f"{_USER} ORDER BY created_at, user_id")]


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
