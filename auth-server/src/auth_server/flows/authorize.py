"""`/authorize`: from the client's request to a transaction (RFC 6749 §4.1.1, OAuth 2.1)."""

from dataclasses import dataclass

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason
from auth_server.ports import ClientStore, SessionStore, TransactionStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class Rejected:
    """Client or redirect URI are not proven, or the request is absurd: an error page, never a redirect."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class ErrorRedirect:
    """The client is told, with `error`, `state` and `iss` in the query: 303 to `url`."""

    url: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on to the sign-in page, or straight to consent. `browser_id` is the value the browser cookie must have."""

    transaction_id: str
    browser_id: str
    needs_sign_in: bool


class Authorize:
    """Starts authorizations."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        transactions: TransactionStore,
        sessions: SessionStore,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment = deployment
        self._clients, self._transactions, self._sessions = clients, transactions, sessions
        self._clock, self._entropy = clock, entropy

    async def begin(
        self, pairs: list[tuple[str, str]], browser_id: str | None, session_id: str | None
    ) -> Rejected | ErrorRedirect | Continue:
        """Judges the request's parameters, in order and with duplicates, and starts a transaction if they are good.

        `browser_id` and `session_id` are the cookies' values. Only Continue has a side effect: one row.
        Raises StoreUnavailable.
        """
        raise NotImplementedError
