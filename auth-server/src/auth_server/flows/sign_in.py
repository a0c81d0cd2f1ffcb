"""The sign-in page: e-mail address and password into a session."""

from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.authorization import SESSION_LIFETIME, Transaction
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.user import MalformedEmail, Session, UnusablePassword, normalise_email, prepare_password
from auth_server.flows import transactions
from auth_server.ports.audit import AuditTrail
from auth_server.ports.authorizations import TransactionStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.people import PasswordsBusy, PasswordVerifier, SessionStore, UserStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class SignInPage:
    """What the page shows, and the anti-forgery token of its form; both stay the same when it is loaded again.

    `login_hint` is the address that the client expects to sign in; empty if it expects none.
    """

    client_name: str
    client_verified: bool
    csrf_token: str
    login_hint: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Set the session cookie to `session_id` (a new one, always) for `lifetime` seconds, and go on to consent."""

    session_id: str
    lifetime: int


@dataclass(frozen=True, slots=True)
class WrongCredentials:
    """Unknown address or wrong password; the two look and take the same."""


@dataclass(frozen=True, slots=True)
class TooManyAttempts:
    """Wait `retry_after` seconds."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class TooBusy:
    """Too many people are signing in at the moment; nothing was verified."""


class SignIn:
    """Signs people in for a transaction."""

    def __init__(
        self,
        *,
        clients: ClientStore,
        transactions: TransactionStore,
        users: UserStore,
        sessions: SessionStore,
        passwords: PasswordVerifier,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._clients, self._transactions, self._users, self._sessions = clients, transactions, users, sessions
        self._passwords, self._limiter, self._trail = passwords, limiter, trail
        self._clock, self._entropy = clock, entropy

    async def view(self, transaction_id: str, browser_id: str | None, address: str) -> SignInPage:
        """What to show.

        Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION), StoreUnavailable.
        """
        transaction = await transactions.load(self._transactions, transaction_id, browser_id, self._clock.now())
        client = await self._clients.client(transaction.request.client_id)
        if client is None or browser_id is None:
            raise Refused(Reason.UNKNOWN_TRANSACTION)
        self._record(EventName.SIGN_IN_SHOWN, transaction, address)
        return SignInPage(
            client.name,
            client.is_verified,
            _csrf_token(browser_id, transaction_id),
            transaction.request.login_hint or "",
        )

    async def submit(
        self,
        transaction_id: str,
        browser_id: str | None,
        *,
        csrf_token: str,
        email: str,
        password: str,
        address: str,
        session_id: str | None,
    ) -> SignedIn | WrongCredentials | TooManyAttempts | TooBusy:
        """Signs in. `address` is the browser's network address; `session_id` the old cookie, which ends.

        Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION, FORGED_FORM), StoreUnavailable.
        """
        now = self._clock.now()
        transaction = await transactions.load(self._transactions, transaction_id, browser_id, now)
        if browser_id is None or not credentials.same_digest(csrf_token, _csrf_token(browser_id, transaction_id)):
            raise Refused(Reason.FORGED_FORM, transactions.facts(transaction))
        account = _account(email)
        retry_after = await self._limiter.sign_in_attempt(account, address)
        if retry_after is not None:
            self._record(EventName.SIGN_IN_THROTTLED, transaction, address)
            return TooManyAttempts(retry_after)
        user = await self._users.user_by_email(account)
        try:
            match = await self._passwords.verify(user.password_hash if user else None, _password(password), address)
        except PasswordsBusy:
            self._record(EventName.SIGN_IN_SHED, transaction, address)
            return TooBusy()
        if match is None or user is None:
            self._record(EventName.SIGN_IN_FAILED, transaction, address, user_id=user.user_id if user else None)
            return WrongCredentials()
        if match.renewed_hash is not None:
            await self._users.renew_password_hash(user.user_id, user.password_hash, match.renewed_hash)
        # A new id at every sign-in: one that was planted before is worth nothing afterwards.
        new_session_id = credentials.new_session_id(self._entropy)
        started = await self._sessions.start_session(
            Session(credentials.digest(new_session_id), user.user_id, now, now + SESSION_LIFETIME),
            verified_hash=match.renewed_hash or user.password_hash,
            replaces=credentials.digest(session_id) if session_id else None,
        )
        if not started:  # disabled, or given another password a moment ago
            self._record(EventName.SIGN_IN_FAILED, transaction, address, user_id=user.user_id)
            return WrongCredentials()
        await self._limiter.sign_in_succeeded(account, address)
        self._record(EventName.SIGNED_IN, transaction, address, user_id=user.user_id)
        return SignedIn(new_session_id, SESSION_LIFETIME)

    def _record(
        self,
        name: EventName,
        transaction: Transaction,
        address: str,
        user_id: str | None = None,
    ) -> None:
        flow_id, client_id = transaction.flow_id, transaction.request.client_id
        self._trail.record(name, flow_id=flow_id, client_id=client_id, user_id=user_id, address=address)


def _csrf_token(browser_id: str, transaction_id: str) -> str:
    return credentials.csrf_token(cookie=browser_id, transaction_id=transaction_id, page="sign-in")


def _account(email: str) -> str:
    """The address to look up; a malformed one is looked up all the same, to keep timing constant."""
    try:
        return normalise_email(email)
    except MalformedEmail:
        return ""


def _password(password: str) -> str:
    try:
        return prepare_password(password)
    except UnusablePassword:
        return ""
