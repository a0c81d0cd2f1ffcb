"""The consent page: the signed-in person allows or denies; an allowed request becomes a code."""

from dataclasses import dataclass

from auth_server.domain.deployment import Deployment
from auth_server.flows.sign_in import AlreadyUsed, Forged, Stale
from auth_server.ports import ClientStore, SessionStore, TransactionStore, UserStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class ScopeLine:
    """A scope that is asked for, and what it allows in plain words."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class ConsentPage:
    """What the page shows, and the anti-forgery token of its form; both stay the same when it is loaded again.

    `client_verified` is False for a client that registered itself: show "unverified, registered dynamically".
    `redirect_host` is where the browser goes next: a host with port, or a private-use scheme such as `cursor://host`.
    `redirect_is_loopback` asks for the warning that any program on this computer could be the client;
    `redirect_is_private_scheme` for the one that any installed app could have claimed the scheme.
    """

    client_name: str
    client_verified: bool
    redirect_host: str
    redirect_is_loopback: bool
    redirect_is_private_scheme: bool
    scopes: tuple[ScopeLine, ...]
    resource: str
    workspace: str
    user_email: str
    csrf_token: str


@dataclass(frozen=True, slots=True)
class NeedsSignIn:
    """Nobody is signed in here, or not recently enough: go to the sign-in page."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The decision is made: send the browser to `url`, the client's redirect URI with `code` or `error`."""

    url: str
    approved: bool


class Consent:
    """Shows and takes decisions."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        transactions: TransactionStore,
        users: UserStore,
        sessions: SessionStore,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment = deployment
        self._clients, self._transactions, self._users, self._sessions = clients, transactions, users, sessions
        self._clock, self._entropy = clock, entropy

    async def view(
        self, transaction_id: str, browser_id: str | None, session_id: str | None
    ) -> ConsentPage | NeedsSignIn | Stale | AlreadyUsed:
        """What to show; without side effects. Raises StoreUnavailable."""
        raise NotImplementedError

    async def decide(
        self,
        transaction_id: str,
        browser_id: str | None,
        session_id: str | None,
        *,
        csrf_token: str,
        approve: bool,
    ) -> Redirect | NeedsSignIn | Stale | AlreadyUsed | Forged:
        """Makes the decision, from the stored transaction alone; only the first of several submissions counts.

        Raises StoreUnavailable.
        """
        raise NotImplementedError
