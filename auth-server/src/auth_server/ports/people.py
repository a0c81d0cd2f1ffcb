"""People, their browser sessions, and their passwords."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from auth_server.domain.user import Session, User


class UserStore(Protocol):
    """People."""

    async def add_user(self, user: User) -> bool:
        """Adds a user; False if the e-mail address is taken, or a workspace of theirs is not there."""
        ...

    async def user(self, user_id: str) -> User | None:
        """The user of that id."""
        ...

    async def user_by_email(self, email: str) -> User | None:
        """The user of that normalised address."""
        ...

    async def users(self) -> Sequence[User]:
        """All users, oldest first."""
        ...

    async def disable_user(self, user_id: str, now: float) -> bool:
        """Bars a user from signing in and their grants from giving tokens, and ends their sessions; in one step.

        False if there is no such user. Disabling twice keeps the first time.
        """
        ...

    async def enable_user(self, user_id: str) -> bool:
        """Ends disable_user's bar; False if there is no such user."""
        ...

    async def delete_user(self, user_id: str, now: float) -> bool:
        """Removes a user and their sessions and revokes their grants, in one step; False if there is none."""
        ...

    async def set_password_hash(self, user_id: str, password_hash: str) -> bool:
        """Gives a user another password and ends their sessions, in one step; False if there is no such user."""
        ...

    async def renew_password_hash(self, user_id: str, previous: str, renewed: str) -> None:
        """Replaces the hash of a password by another of the same one, if it is still the user's."""
        ...


class SessionStore(Protocol):
    """Signed-in browsers."""

    async def start_session(self, session: Session, *, verified_hash: str, replaces: str | None) -> bool:
        """Adds a session and ends the one it replaces, in one step.

        False, and nothing happens, if the user is gone or disabled, or has another password by now than the one of
        `verified_hash`.
        """
        ...

    async def session(self, digest: str, now: float) -> Session | None:
        """The session, unless it has expired."""
        ...

    async def sessions(self, now: float) -> Sequence[Session]:
        """The sessions that have not expired, oldest first."""
        ...

    async def end_session(self, digest: str) -> bool:
        """Ends a session; False if there is none."""
        ...


class PasswordsBusy(Exception):
    """Too many passwords are waiting to be verified, or too many from that network; nothing was verified."""


@dataclass(frozen=True, slots=True)
class PasswordMatch:
    """The password is right. `renewed_hash` replaces the stored hash if that was made with other parameters."""

    renewed_hash: str | None


class PasswordHasher(Protocol):
    """Slow password hashing, off the event loop and bounded in number."""

    async def hash(self, password: str) -> str:
        """The hash to store."""
        ...


class PasswordVerifier(PasswordHasher, Protocol):
    """What also tells whether a password is right."""

    async def verify(self, stored: str | None, password: str, address: str) -> PasswordMatch | None:
        """None unless the password matches; takes as long for None, which stands for an unknown user.

        `address` is where the attempt comes from: nobody can fill the queue for all. Raises PasswordsBusy. A caller who
        is cancelled while waiting leaves the queue.
        """
        ...
