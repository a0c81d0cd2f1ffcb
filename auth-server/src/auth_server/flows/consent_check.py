"""What the consent page and the decision both rest on: transaction, browser, person and client, as they are now."""

from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.authorization import Transaction
from auth_server.domain.client import Client
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.user import User
from auth_server.domain.workspace import Membership
from auth_server.flows import workspace_choice
from auth_server.flows.sign_out import sign_out_token
from auth_server.ports.clients import ClientStore
from auth_server.ports.people import SessionStore, UserStore
from auth_server.protocol import authorize


@dataclass(frozen=True, slots=True)
class Checked:
    """A transaction whose browser, person and client have been checked now; the grant is for one of the memberships."""

    transaction: Transaction
    client: Client
    user: User
    memberships: tuple[Membership, ...]
    authenticated_at: float
    csrf_token: str
    sign_out_token: str

    @property
    def is_expected(self) -> bool:
        """Whether the person is the one whom the client expects, if it expects one."""
        return self.transaction.request.is_for(self.user.user_id)


@dataclass(frozen=True, slots=True)
class NeedsSignIn:
    """Nobody is signed in here, or not recently enough: go to the sign-in page."""


class ConsentCheck:
    """Checks a transaction anew, each time, from the store alone."""

    def __init__(
        self, *, deployment: Deployment, clients: ClientStore, users: UserStore, sessions: SessionStore
    ) -> None:
        self._deployment, self._clients = deployment, clients
        self._users, self._sessions = users, sessions

    async def check(
        self, transaction: Transaction, transaction_id: str, session_id: str | None, now: float
    ) -> Checked | NeedsSignIn:
        """The transaction with its person and client. Raises Refused (UNKNOWN_TRANSACTION), StoreUnavailable."""
        session = await self._sessions.session(credentials.digest(session_id), now) if session_id else None
        if session_id is None or session is None or session.authenticated_at < transaction.authenticated_since:
            return NeedsSignIn()
        user = await self._users.user(session.user_id)
        client = await self._clients.client(transaction.request.client_id)
        if user is None or client is None or not authorize.still_allowed(transaction.request, client, self._deployment):
            raise Refused(Reason.UNKNOWN_TRANSACTION)
        return Checked(
            transaction,
            client,
            user,
            workspace_choice.eligible(user, client, transaction.request.workspace),
            session.authenticated_at,
            csrf_token(session_id, transaction_id),
            sign_out_token(session_id),
        )


def csrf_token(session_id: str, transaction_id: str) -> str:
    """Bound to the session: a page that one person loaded cannot be sent in by another."""
    return credentials.csrf_token(cookie=session_id, transaction_id=transaction_id, page="consent")
