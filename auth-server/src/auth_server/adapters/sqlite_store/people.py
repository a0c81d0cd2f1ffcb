"""Users and sessions in SQLite."""

import sqlite3

from auth_server.adapters.sqlite_store.database import Database
from auth_server.domain.user import Session, User

_USER = "SELECT user_id, email, password_hash, tenant, created_at FROM users"


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

    async def start_session(self, session: Session, replaces: str | None) -> None:
        """See SessionStore."""
        await self._database.write(_start_session, session, replaces)

    async def session(self, digest: str, now: float) -> Session | None:
        """See SessionStore."""
        return await self._database.read(_session, digest, now)


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


def _start_session(db: sqlite3.Connection, session: Session, replaces: str | None) -> None:
    if replaces is not None:
        db.execute("DELETE FROM sessions WHERE digest = ?", (replaces,))
    db.execute(
        "INSERT INTO sessions (digest, user_id, authenticated_at, expires_at) VALUES (?, ?, ?, ?)",
        (session.digest, session.user_id, session.authenticated_at, session.expires_at),
    )


def _session(db: sqlite3.Connection, digest: str, now: float) -> Session | None:
    row = db.execute(
        "SELECT digest, user_id, authenticated_at, expires_at FROM sessions WHERE digest = ? AND expires_at > ?",
        (digest, now),
    ).fetchone()
    return Session(*row) if row else None
