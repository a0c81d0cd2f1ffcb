"""Users and sessions in Redis."""

from collections.abc import Sequence

from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import fields, pairs
from auth_server.adapters.redis_store.people_fields import session_fields, session_from, user_fields, user_from
from auth_server.adapters.redis_store.reading import identifiers, read, read_all, read_of_users
from auth_server.domain.user import Session, User


class RedisPeople:
    """Implements UserStore and SessionStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_user(self, user: User) -> bool:
        """See UserStore."""
        workspaces = [membership.workspace for membership in user.memberships]
        values = [len(workspaces), *workspaces, *pairs(user_fields(user))]
        return bool(await self._database.run("add_user", user.user_id, user.email, user.created_at, *values))

    async def user(self, user_id: str) -> User | None:
        """See UserStore."""
        found = await read(self._database, "user", user_id)
        return user_from(found) if found else None

    async def user_by_email(self, email: str) -> User | None:
        """See UserStore."""
        found = fields(await self._database.run("user_by_email", email))
        return user_from(found) if found else None

    async def users(self) -> Sequence[User]:
        """See UserStore."""
        return [user_from(found) async for found in read_all(self._database, "user")]

    async def disable_user(self, user_id: str, now: float) -> bool:
        """See UserStore."""
        return bool(await self._database.run("disable_user", user_id, now, durable=True))

    async def enable_user(self, user_id: str) -> bool:
        """See UserStore."""
        return bool(await self._database.run("enable_user", user_id))

    async def delete_user(self, user_id: str, now: float) -> bool:
        """See UserStore."""
        return bool(await self._database.run("delete_user", user_id, now, durable=True))

    async def set_password_hash(self, user_id: str, password_hash: str) -> bool:
        """See UserStore."""
        return bool(await self._database.run("set_password_hash", user_id, password_hash, durable=True))

    async def renew_password_hash(self, user_id: str, previous: str, renewed: str) -> None:
        """See UserStore."""
        await self._database.run("renew_password_hash", user_id, previous, renewed)

    async def start_session(self, session: Session, *, verified_hash: str, replaces: str | None) -> bool:
        """See SessionStore."""
        started = await self._database.run(
            "start_session",
            session.digest,
            session.user_id,
            session.authenticated_at,
            session.expires_at,
            verified_hash,
            replaces,
            *pairs(session_fields(session)),
        )
        return bool(started)

    async def session(self, digest: str, now: float) -> Session | None:
        """See SessionStore."""
        found = await read(self._database, "session", digest)
        session = session_from(found) if found else None
        return session if session and session.expires_at > now else None

    async def sessions(self, now: float) -> Sequence[Session]:
        """See SessionStore."""
        user_ids = await identifiers(self._database, "user")
        found = [session_from(each) for each in await read_of_users(self._database, "session", user_ids)]
        alive = (session for session in found if session.expires_at > now)
        return sorted(alive, key=lambda session: (session.authenticated_at, session.digest))

    async def end_session(self, digest: str) -> bool:
        """See SessionStore."""
        return bool(await self._database.run("end_session", digest))
