"""People, their browser sessions, and their passwords."""

from typing import Protocol

from auth_server.domain.user import Session, User


class UserStore(Protocol):
    """People."""

    async def add_user(self, user: User) -> bool:
        """Adds a user; False if the e-mail address is taken."""
        ...

    async def user(self, user_id: str) -> User | None:
        """The user of that id."""
        ...

    async def user_by_email(self, email: str) -> User | None:
        """The user of that normalised address."""
        ...


class SessionStore(Protocol):
    """Signed-in browsers."""

    async def start_session(self, session: Session, replaces: str | None) -> None:
        """Adds a session and ends the one it replaces, in one step."""
        ...

    async def session(self, digest: str, now: float) -> Session | None:
        """The session, unless it has expired."""
        ...


class PasswordHasher(Protocol):
    """Slow password hashing, off the event loop and bounded in number."""

    async def hash(self, password: str) -> str:
        """The hash to store."""
        ...

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password matches; takes as long for None, which stands for an unknown user."""
        ...
