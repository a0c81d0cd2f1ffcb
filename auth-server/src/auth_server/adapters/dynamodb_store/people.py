"""Users and sessions in DynamoDB.

A session holds the name that its user's sessions had when it began; whatever ends all of them gives them another.
"""

from collections.abc import Callable, Sequence

from auth_server.adapters.dynamodb_store import memberships
from auth_server.adapters.dynamodb_store.items import (
    NEVER,
    Item,
    Key,
    email_key,
    expiring,
    queue,
    queues,
    session_key,
    user_key,
)
from auth_server.adapters.dynamodb_store.memberships import counted, stored, unchanged_memberships
from auth_server.adapters.dynamodb_store.revocations import note
from auth_server.adapters.dynamodb_store.table import LISTING, ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import NEW, Delete, Put, Update, Write
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.domain.user import Session, User

QUEUE = "user"
SESSION = "session"
_LIVE = "attribute_exists(#generation)"
_LEFT_BEHIND = (
    "email",
    "password_hash",
    "tenant",
    "memberships",
    "created_at",
    "disabled_at",
    "generation",
    "sessions",
    "revision",
)
"""What a deleted user loses; what is left goes once the sweeper has been there."""


class DynamoDbPeople:
    """Implements UserStore and SessionStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def add_user(self, user: User) -> bool:
        """See UserStore."""
        async with self._table.in_time():
            try:
                joined = counted([each.workspace for each in user.memberships], "members", 1)
                await self._table.transact([*user_puts(user, self._table.new_name), *joined])
            except TransactionFailed:
                return False
            return True

    async def user(self, user_id: str) -> User | None:
        """See UserStore."""
        async with self._table.in_time():
            item = await self._table.get(user_key(user_id)) or {}
            return user_of(item) if "generation" in item else None

    async def user_by_email(self, email: str) -> User | None:
        """See UserStore."""
        async with self._table.in_time():
            pointer = await self._table.get(email_key(email))
            # An address that nobody has takes as long, so that nobody learns which ones have an account.
            item = await self._table.get(user_key(pointer["user_id"] if pointer else email)) or {}
            return user_of(item) if pointer and "generation" in item else None

    async def users(self) -> Sequence[User]:
        """See UserStore. May lag by some seconds."""
        async with self._table.in_time(LISTING):
            keys = [key async for page in self._table.queued(QUEUE) for key in page]
            items = (await self._table.get_many(keys)).values()
            users = [user_of(item) for item in items if "generation" in item]
            return sorted(users, key=lambda user: (user.created_at, user.user_id))

    async def disable_user(self, user_id: str, now: float) -> bool:
        """See UserStore."""
        bar = Update(user_key(user_id), self._without_sessions(), _LIVE, at_first={"disabled_at": now})
        async with self._table.in_time():
            try:
                await self._table.transact([bar, note(Revocation(Revoked.USER, user_id, now))])
            except TransactionFailed:
                return False
            return True

    async def enable_user(self, user_id: str) -> bool:
        """See UserStore."""
        return await self._change_user(Update(user_key(user_id), {"disabled_at": None}, _LIVE))

    async def delete_user(self, user_id: str, now: float) -> bool:
        """See UserStore. The sweeper revokes the grants, which are over already without their person."""
        async with self._table.in_time():
            key = user_key(user_id)
            item = await self._table.get(key) or {}
            if "generation" not in item:
                return False
            gone = {**dict.fromkeys(_LEFT_BEHIND), "deleted_at": now, "due": now}
            ended = note(Revocation(Revoked.USER, user_id, now))
            while True:  # in_time() ends it
                unchanged, values = unchanged_memberships(item)
                left = counted([*stored(item)], "members", -1)
                try:
                    deletion = Update(key, gone, unchanged, values)
                    await self._table.transact([deletion, Delete(email_key(item["email"])), ended, *left])
                except TransactionFailed:
                    item = await self._table.get(key) or {}
                    if "generation" not in item:
                        return False
                else:
                    return True

    async def set_password_hash(self, user_id: str, password_hash: str) -> bool:
        """See UserStore."""
        changes = {"password_hash": password_hash, **self._without_sessions()}
        return await self._change_user(Update(user_key(user_id), changes, _LIVE))

    async def renew_password_hash(self, user_id: str, previous: str, renewed: str) -> None:
        """See UserStore."""
        condition, values = f"{_LIVE} AND #password_hash = :previous", {"previous": previous}
        await self._change_user(Update(user_key(user_id), {"password_hash": renewed}, condition, values))

    async def start_session(self, session: Session, *, verified_hash: str, replaces: str | None) -> bool:
        """See SessionStore."""
        async with self._table.in_time():
            user = await self._table.get(user_key(session.user_id)) or {}
            # Whoever was disabled, or given another password, while this one was being verified does not get in.
            if user.get("password_hash") != verified_hash or "disabled_at" in user:
                return False
            writes: list[Write] = [session_put(session, user["sessions"])]
            if replaces is not None and replaces != session.digest:
                writes.append(Delete(session_key(replaces)))
            await self._table.transact(writes)
            return True

    async def session(self, digest: str, now: float) -> Session | None:
        """See SessionStore."""
        async with self._table.in_time():
            item = await self._table.get(session_key(digest))
            if item is None or item["expires_at"] <= now:
                return None
            user = await self._table.get(user_key(item["user_id"])) or {}
            return session_of(item) if user.get("sessions") == item["sessions"] else None

    async def sessions(self, now: float) -> Sequence[Session]:
        """See SessionStore. May lag by some seconds."""
        async with self._table.in_time(LISTING):
            keys = [key for each in queues(SESSION) async for page in self._table.queued(each) for key in page]
            items = [item for item in (await self._table.get_many(keys)).values() if item["expires_at"] > now]
            users = await self._table.get_many([user_key(item["user_id"]) for item in items])
            living = [
                session_of(item)
                for item in items
                if users.get(user_key(item["user_id"]), {}).get("sessions") == item["sessions"]
            ]
            return sorted(living, key=lambda session: (session.authenticated_at, session.digest))

    async def end_session(self, digest: str) -> bool:
        """See SessionStore."""
        async with self._table.in_time():
            return await _done(self._table, Delete(session_key(digest), "attribute_exists(#pk)"))

    async def _change_user(self, update: Update) -> bool:
        """False if there is no such user, or none whom the condition means."""
        async with self._table.in_time():
            return await _done(self._table, update)

    def _without_sessions(self) -> Item:
        """The change that ends all sessions of a user."""
        return {"sessions": self._table.new_name()}


async def _done(table: Table, write: Write) -> bool:
    try:
        await table.write(write)
    except ConditionFailed:
        return False
    return True


def user_puts(user: User, new_name: Callable[[], str]) -> list[Put]:
    """Adds a user whose id and address are free."""
    item = {
        "user_id": user.user_id,
        "email": user.email,
        "password_hash": user.password_hash,
        "memberships": memberships.attributes(user.memberships, new_name),
        "revision": 1,
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
        "generation": new_name(),
        "sessions": new_name(),
        "queue": QUEUE,
        "due": NEVER,
    }
    pointer = Put(email_key(user.email), {"user_id": user.user_id}, NEW)
    return [pointer, Put(user_key(user.user_id), item, f"{NEW} OR attribute_not_exists(#generation)")]


def user_of(item: Item) -> User:
    """The user in an item."""
    return User(
        user_id=item["user_id"],
        email=item["email"],
        password_hash=item["password_hash"],
        created_at=item["created_at"],
        disabled_at=item.get("disabled_at"),
        memberships=memberships.memberships_of(item),
    )


def session_put(session: Session, sessions: str) -> Put:
    """Adds a session to those of its user that have that name."""
    key: Key = session_key(session.digest)
    return Put(
        key,
        {
            "digest": session.digest,
            "user_id": session.user_id,
            "authenticated_at": session.authenticated_at,
            "expires_at": session.expires_at,
            "sessions": sessions,
            "queue": queue(SESSION, key),
            **expiring(session.expires_at),
        },
    )


def session_of(item: Item) -> Session:
    """The session in an item."""
    return Session(item["digest"], item["user_id"], item["authenticated_at"], item["expires_at"])
