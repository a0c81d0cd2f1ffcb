"""The sign-in page: e-mail address and password into a session."""

from dataclasses import dataclass

from auth_server.domain.deployment import Deployment
from auth_server.ports import AttemptLimiter, ClientStore, PasswordHasher, SessionStore, TransactionStore, UserStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class SignInPage:
    """What the page shows, and the anti-forgery token of its form; both stay the same when it is loaded again."""

    client_name: str
    client_verified: bool
    csrf_token: str


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
class Stale:
    """The transaction is unknown, expired, or another browser's: start again at the client."""


@dataclass(frozen=True, slots=True)
class AlreadyUsed:
    """The transaction has been decided already."""


@dataclass(frozen=True, slots=True)
class Forged:
    """The form did not come from our page in this browser: 403."""


class SignIn:
    """Signs people in for a transaction."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        transactions: TransactionStore,
        users: UserStore,
        sessions: SessionStore,
        passwords: PasswordHasher,
        limiter: AttemptLimiter,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment = deployment
        self._clients, self._transactions, self._users, self._sessions = clients, transactions, users, sessions
        self._passwords, self._limiter = passwords, limiter
        self._clock, self._entropy = clock, entropy

    async def view(self, transaction_id: str, browser_id: str | None) -> SignInPage | Stale | AlreadyUsed:
        """What to show; without side effects. Raises StoreUnavailable."""
        raise NotImplementedError

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
    ) -> SignedIn | WrongCredentials | TooManyAttempts | Stale | AlreadyUsed | Forged:
        """Signs in. `address` is the browser's network address; `session_id` the old cookie, which ends.

        Raises StoreUnavailable.
        """
        raise NotImplementedError
