"""Who is signed in in a browser, and the end of that."""

from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.failures import Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.people import SessionStore, UserStore
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Account:
    """The person who is signed in, and the anti-forgery token of every form that signs them out."""

    email: str
    csrf_token: str


class SignOut:
    """Signs people out. What they have allowed clients stays allowed."""

    def __init__(self, *, users: UserStore, sessions: SessionStore, trail: AuditTrail, clock: Clock) -> None:
        self._users, self._sessions, self._trail, self._clock = users, sessions, trail, clock

    async def account(self, session_id: str | None) -> Account | None:
        """Who is signed in; None if nobody is. Raises StoreUnavailable."""
        session = (
            await self._sessions.session(credentials.digest(session_id), self._clock.now()) if session_id else None
        )
        user = await self._users.user(session.user_id) if session else None
        return Account(user.email, sign_out_token(session_id)) if user and session_id else None

    async def end(self, session_id: str | None, *, csrf_token: str, address: str) -> None:
        """Ends the session; without one there is nothing to do. Raises Refused (FORGED_FORM), StoreUnavailable."""
        if session_id is None:
            return
        if not credentials.same_digest(csrf_token, sign_out_token(session_id)):
            raise Refused(Reason.FORGED_FORM)
        digest = credentials.digest(session_id)
        session = await self._sessions.session(digest, self._clock.now())
        if await self._sessions.end_session(digest) and session:
            self._trail.record(EventName.SIGNED_OUT, user_id=session.user_id, address=address)


def sign_out_token(session_id: str) -> str:
    """The anti-forgery token of a form that ends that session, on whichever page it stands."""
    return credentials.csrf_token(cookie=session_id, transaction_id="", page="sign-out")
