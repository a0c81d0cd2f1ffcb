"""The consent page: the signed-in person allows or denies; an allowed request becomes a code."""

from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.authorization import CODE_LIFETIME, AuthorizationCode, Transaction
from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import GRANT_LIFETIME, Grant
from auth_server.domain.user import User
from auth_server.flows import transactions
from auth_server.ports.authorizations import TransactionStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.people import SessionStore, UserStore
from auth_server.protocol import authorize, redirect_uri
from shared_kernel import scope
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
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
    scopes: tuple[str, ...]
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
    ) -> ConsentQuestion | NeedsSignIn:
        """What to show; without side effects.

        Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION), StoreUnavailable.
        """
        checked = await self._checked(transaction_id, browser_id, session_id, self._clock.now())
        if not isinstance(checked, _Checked):
            return checked
        request, kind = checked.transaction.request, redirect_uri.kind(checked.transaction.request.redirect_uri)
        return ConsentQuestion(
            client_name=checked.client.name,
            client_verified=checked.client.is_verified,
            redirect_host=redirect_uri.shown_host(request.redirect_uri),
            redirect_is_loopback=kind is redirect_uri.Kind.LOOPBACK,
            redirect_is_private_scheme=kind is redirect_uri.Kind.PRIVATE_SCHEME,
            scopes=tuple(scope.join(request.scopes).split()),
            resource=request.resource,
            workspace=checked.user.tenant,
            user_email=checked.user.email,
            csrf_token=checked.csrf_token,
        )

    async def decide(
        self,
        transaction_id: str,
        browser_id: str | None,
        session_id: str | None,
        *,
        csrf_token: str,
        approve: bool,
    ) -> Redirect | NeedsSignIn:
        """Makes the decision, from the stored transaction alone; only the first of several submissions counts.

        Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION, FORGED_FORM), StoreUnavailable.
        """
        now = self._clock.now()
        checked = await self._checked(transaction_id, browser_id, session_id, now)
        if not isinstance(checked, _Checked):
            return checked
        if not credentials.same_digest(csrf_token, checked.csrf_token):
            raise Refused(Reason.FORGED_FORM)
        request, digest = checked.transaction.request, checked.transaction.digest
        if not approve:
            if not await self._transactions.deny(digest, now):
                raise Refused(Reason.DECIDED_TRANSACTION)
            url = authorize.error_redirect(
                request.redirect_uri, request.state, Refused(Reason.ACCESS_DENIED), self._deployment.issuer
            )
            return Redirect(url, approved=False)
        grant = self._grant(checked, now)
        code = credentials.new_authorization_code(self._entropy, grant.grant_id)
        stored = AuthorizationCode(
            digest=credentials.digest(code),
            grant_id=grant.grant_id,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            expires_at=now + CODE_LIFETIME,
        )
        if not await self._transactions.approve(digest, grant, stored, now):
            raise Refused(Reason.DECIDED_TRANSACTION)
        return Redirect(authorize.code_redirect(request, code, self._deployment.issuer), approved=True)

    async def _checked(
        self, transaction_id: str, browser_id: str | None, session_id: str | None, now: float
    ) -> "_Checked | NeedsSignIn":
        """Everything both page and decision rest on, from the store alone."""
        transaction = await transactions.load(self._transactions, transaction_id, browser_id, now)
        session = await self._sessions.session(credentials.digest(session_id), now) if session_id else None
        if session_id is None or session is None or session.authenticated_at < transaction.authenticated_since:
            return NeedsSignIn()
        user = await self._users.user(session.user_id)
        client = await self._clients.client(transaction.request.client_id)
        if user is None or client is None or not authorize.still_allowed(transaction.request, client, self._deployment):
            raise Refused(Reason.UNKNOWN_TRANSACTION)
        # Bound to the session: a page that one person loaded cannot be sent in by another.
        token = credentials.csrf_token(cookie=session_id, transaction_id=transaction_id, page="consent")
        return _Checked(transaction, client, user, token)

    def _grant(self, checked: "_Checked", now: float) -> Grant:
        request, client = checked.transaction.request, checked.client
        return Grant(
            grant_id=credentials.new_identifier(self._entropy),
            handle=credentials.new_identifier(self._entropy),
            client_id=client.client_id,
            user_id=checked.user.user_id,
            tenant=checked.user.tenant,
            scopes=request.scopes,
            resource=request.resource,
            refreshable=GrantType.REFRESH_TOKEN in client.grant_types or scope.OFFLINE_ACCESS in request.scopes,
            created_at=now,
            expires_at=now + GRANT_LIFETIME,
        )


@dataclass(frozen=True, slots=True)
class _Checked:
    """A transaction whose browser, person and client have been checked now."""

    transaction: Transaction
    client: Client
    user: User
    csrf_token: str
