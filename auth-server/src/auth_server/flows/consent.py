"""The consent page: the signed-in person allows or denies; an allowed request becomes a code."""

from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.authorization import CODE_LIFETIME, REPEAT_SECONDS, AuthorizationCode, Transaction
from auth_server.domain.client import Client, GrantType
from auth_server.domain.consent import CONSENT_LIFETIME, ConsentKey, RememberedConsent, document_digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import GRANT_LIFETIME, Grant
from auth_server.domain.user import User
from auth_server.domain.workspace import Membership, Workspace
from auth_server.flows import transactions, workspace_choice
from auth_server.flows.device_decision import DeviceDecisions, DeviceQuestion
from auth_server.flows.sign_out import sign_out_token
from auth_server.ports.audit import AuditTrail
from auth_server.ports.authorizations import Decided, TransactionStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.consents import ConsentStore
from auth_server.ports.people import SessionStore, UserStore
from auth_server.ports.workspaces import WorkspaceStore
from auth_server.protocol import authorize, redirect_uri, remembered_consent
from shared_kernel import scope
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """What the page shows, and the anti-forgery tokens of its forms; all stay the same when it is loaded again.

    `client_verified` is True for a client of the operator's; `client_host` is the host that publishes the client's
    metadata document, and so vouches for it. Show "unverified" for a client that has neither.
    `redirect_host` is where the browser goes next: a host with port, or a private-use scheme such as `cursor://host`.
    `redirect_is_loopback` asks for the warning that any program on this computer could be the client;
    `redirect_is_private_scheme` for the one that any installed app could have claimed the scheme. Of several
    `workspaces` the person chooses one. Where a device waits for the decision, `device` tells of it and `redirect_host`
    is empty. `remembered_days` is for how long an answer is remembered, 0 if it is not.
    """

    client_name: str
    client_verified: bool
    client_host: str | None
    redirect_host: str
    redirect_is_loopback: bool
    redirect_is_private_scheme: bool
    scopes: tuple[str, ...]
    resource: str
    workspaces: tuple[Workspace, ...]
    user_email: str
    csrf_token: str
    sign_out_token: str
    device: DeviceQuestion | None = None
    remembered_days: int = 0


@dataclass(frozen=True, slots=True)
class NoWorkspace:
    """The person belongs to no workspace that the request may be for; whether there is such a one is not told.

    They can deny, or go on as somebody else.
    """

    client_name: str
    client_verified: bool
    user_email: str
    csrf_token: str
    sign_out_token: str


@dataclass(frozen=True, slots=True)
class Unchosen:
    """Nothing was decided: of several workspaces the person chose none."""


@dataclass(frozen=True, slots=True)
class NeedsSignIn:
    """Nobody is signed in here, or not recently enough: go to the sign-in page."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The decision is made: send the browser to `url`, the client's redirect URI with `code` or `error`."""

    url: str


@dataclass(frozen=True, slots=True)
class DeviceDecided:
    """The decision about a device is made, which hears of it by itself: tell the person to go back to it."""

    client_name: str
    client_verified: bool
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
        workspaces: WorkspaceStore,
        devices: DeviceDecisions,
        consents: ConsentStore,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._workspaces = deployment, workspaces
        self._devices, self._consents = devices, consents
        self._clients, self._transactions, self._users, self._sessions = clients, transactions, users, sessions
        self._trail, self._clock, self._entropy = trail, clock, entropy

    async def view(
        self, transaction_id: str, browser_id: str | None, session_id: str | None, address: str
    ) -> ConsentQuestion | NoWorkspace | NeedsSignIn:
        """What to show.

        Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION), StoreUnavailable.
        """
        now = self._clock.now()
        transaction = await transactions.load(self._transactions, transaction_id, browser_id, now)
        checked = await self._checked(transaction, transaction_id, session_id, now)
        if not isinstance(checked, _Checked):
            return checked
        if not checked.memberships:
            self._record(EventName.NO_WORKSPACE, checked, address)
            return NoWorkspace(
                client_name=checked.client.name,
                client_verified=checked.client.is_verified,
                user_email=checked.user.email,
                csrf_token=checked.csrf_token,
                sign_out_token=checked.sign_out_token,
            )
        self._record(EventName.CONSENT_SHOWN, checked, address)
        request = checked.transaction.request
        kind = redirect_uri.kind(request.redirect_uri) if request.device_id is None else None
        device = await self._devices.question(request.device_id, transaction_id, now) if request.device_id else None
        return ConsentQuestion(
            client_name=checked.client.name,
            client_verified=checked.client.is_verified,
            client_host=checked.client.host,
            redirect_host=redirect_uri.shown_host(request.redirect_uri) if device is None else "",
            redirect_is_loopback=kind is redirect_uri.Kind.LOOPBACK,
            redirect_is_private_scheme=kind is redirect_uri.Kind.PRIVATE_SCHEME,
            scopes=tuple(scope.join(request.scopes).split()),
            resource=request.resource,
            workspaces=await workspace_choice.workspaces_of(checked.memberships, self._workspaces),
            user_email=checked.user.email,
            csrf_token=checked.csrf_token,
            sign_out_token=checked.sign_out_token,
            device=device,
            remembered_days=_remembered_days(checked),
        )

    async def automatic(
        self, transaction_id: str, browser_id: str | None, session_id: str | None, address: str
    ) -> Redirect | None:
        """Approves the request if the person has allowed as much before, and may be taken at that; None if not.

        Whoever makes a browser come here gains nothing by it: the code goes to the client that the person has allowed
        it to, at an address on the web that is the client's own, and is of use only with the verifier of whoever began.
        One that was approved a moment ago leads where it led then: some browsers load a page twice. Raises Refused
        (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION), StoreUnavailable.
        """
        now = self._clock.now()
        transaction = await transactions.find(self._transactions, transaction_id, browser_id, now)
        if isinstance(transaction, Decided):
            return await self._automatic_again(transaction, transaction_id, session_id, address, now)
        if transaction.request.asks_consent:
            return None
        checked = await self._checked(transaction, transaction_id, session_id, now)
        if not isinstance(checked, _Checked) or session_id is None:
            return None
        # Of several workspaces only the person can say which.
        membership = workspace_choice.chosen(checked.memberships, None)
        about = self._about(checked, membership) if membership else None
        consent = await self._consents.consent(about, now) if about else None
        if (
            not membership
            or not consent
            or not consent.covers(transaction.request.scopes, document_digest(checked.client))
        ):
            return None
        url = await self._approved(checked, membership, transaction_id, session_id, address, now, rest_on=consent)
        return Redirect(url) if url else None

    async def _automatic_again(
        self, decided: Decided, transaction_id: str, session_id: str | None, address: str, now: float
    ) -> Redirect:
        request = decided.transaction.request
        client = await self._clients.client(request.client_id)
        if client is None or not remembered_consent.is_remembered(request, client):
            raise Refused(Reason.DECIDED_TRANSACTION, transactions.facts(decided.transaction))
        token = _csrf_token(session_id or "", transaction_id)
        return self._again(decided, transaction_id, session_id, token, address, approve=True, now=now)

    async def decide(
        self,
        transaction_id: str,
        browser_id: str | None,
        session_id: str | None,
        *,
        csrf_token: str,
        approve: bool,
        address: str,
        workspace: str | None = None,
    ) -> Redirect | DeviceDecided | NeedsSignIn | Unchosen:
        """Makes the decision, from the stored transaction alone; only the first of several submissions counts.

        `workspace` is the one that the person chose; it need not be given where there is only one to choose.
        A second one that says the same soon afterwards, as of a double click, is sent where the first was: the browser
        follows the last answer only. Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION, FORGED_FORM),
        StoreUnavailable.
        """
        now = self._clock.now()
        found = await transactions.find(self._transactions, transaction_id, browser_id, now)
        if isinstance(found, Decided):
            return self._again(found, transaction_id, session_id, csrf_token, address, approve=approve, now=now)
        checked = await self._checked(found, transaction_id, session_id, now)
        if not isinstance(checked, _Checked) or session_id is None:
            return NeedsSignIn()
        if not credentials.same_digest(csrf_token, checked.csrf_token):
            raise Refused(Reason.FORGED_FORM, transactions.facts(checked.transaction))
        membership = workspace_choice.chosen(checked.memberships, workspace)
        if approve and membership is None:
            return Unchosen()
        if found.request.device_id is not None:
            grant = self._grant(checked, membership, now) if approve and membership else None
            return await self._decided_device(found.request.device_id, checked, grant, address, now)
        url = await (
            self._approved(checked, membership, transaction_id, session_id, address, now)
            if approve and membership
            else self._denied(checked, address, now)
        )
        if url is None:  # somebody else was faster, if it was not the person's end or the client's
            found = await transactions.find(self._transactions, transaction_id, browser_id, now)
            if not isinstance(found, Decided):
                raise Refused(Reason.DECIDED_TRANSACTION, transactions.facts(found))
            return self._again(found, transaction_id, session_id, csrf_token, address, approve=approve, now=now)
        return Redirect(url)

    async def _approved(
        self,
        checked: "_Checked",
        membership: Membership,
        transaction_id: str,
        session_id: str,
        address: str,
        now: float,
        rest_on: RememberedConsent | None = None,
    ) -> str | None:
        request, grant = checked.transaction.request, self._grant(checked, membership, now)
        about = self._about(checked, membership) if rest_on is None else None
        remember = remembered_consent.given(request, checked.client, about, now) if about else None
        code = credentials.authorization_code(
            session_id=session_id, transaction_id=transaction_id, grant_id=grant.grant_id
        )
        stored = AuthorizationCode(
            digest=credentials.digest(code),
            grant_id=grant.grant_id,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            expires_at=now + CODE_LIFETIME,
            nonce=request.nonce,
            key_thumbprint=request.key_thumbprint,
        )
        digest = checked.transaction.digest
        if not await self._transactions.approve(digest, grant, stored, now, remember=remember, rest_on=rest_on):
            return None
        self._record_given(grant, address, remembered=rest_on is not None)
        return authorize.code_redirect(request, code, self._deployment.issuer)

    async def _denied(self, checked: "_Checked", address: str, now: float) -> str | None:
        if not await self._transactions.deny(checked.transaction.digest, now):
            return None
        reference = self._record(EventName.CONSENT_DENIED, checked, address)
        return self._denial(checked.transaction, reference)

    def _record_given(self, grant: Grant, address: str, *, remembered: bool = False) -> None:
        self._trail.record(
            EventName.CONSENT_REMEMBERED if remembered else EventName.CONSENT_GIVEN,
            flow_id=grant.handle,
            client_id=grant.client_id,
            user_id=grant.user_id,
            address=address,
            scope=scope.join(grant.scopes),
            resource=grant.resource,
            tenant=grant.tenant,
        )

    def _record(self, name: EventName, checked: "_Checked", address: str) -> str:
        return self._trail.record(
            name,
            flow_id=checked.transaction.flow_id,
            client_id=checked.client.client_id,
            user_id=checked.user.user_id,
            address=address,
        )

    async def _decided_device(
        self, device_id: str, checked: "_Checked", grant: Grant | None, address: str, now: float
    ) -> DeviceDecided:
        if await self._devices.decide(device_id, grant, now):
            if grant:
                self._record_given(grant, address)
            else:
                self._record(EventName.CONSENT_DENIED, checked, address)
        return DeviceDecided(checked.client.name, checked.client.is_verified, grant is not None)

    def _again(
        self,
        decided: Decided,
        transaction_id: str,
        session_id: str | None,
        csrf_token: str,
        address: str,
        *,
        approve: bool,
        now: float,
    ) -> Redirect:
        """Where the first submission led, for the same answer in the same session. Raises Refused."""
        if (
            session_id is None
            or not credentials.same_digest(csrf_token, _csrf_token(session_id, transaction_id))
            or approve != (decided.grant_id is not None)
            or now >= decided.decided_at + REPEAT_SECONDS
        ):
            raise Refused(Reason.DECIDED_TRANSACTION, transactions.facts(decided.transaction))
        flow_id, client_id = decided.transaction.flow_id, decided.transaction.request.client_id
        reference = self._trail.record(
            EventName.DECISION_REPEATED, flow_id=flow_id, client_id=client_id, address=address
        )
        if decided.grant_id is None:
            return Redirect(self._denial(decided.transaction, reference))
        code = credentials.authorization_code(
            session_id=session_id, transaction_id=transaction_id, grant_id=decided.grant_id
        )
        return Redirect(authorize.code_redirect(decided.transaction.request, code, self._deployment.issuer))

    def _denial(self, transaction: Transaction, reference: str) -> str:
        return authorize.error_redirect(
            transaction.request.redirect_uri,
            transaction.request.state,
            Refused(Reason.ACCESS_DENIED),
            self._deployment.issuer,
            reference,
        )

    async def _checked(
        self, transaction: Transaction, transaction_id: str, session_id: str | None, now: float
    ) -> "_Checked | NeedsSignIn":
        """Everything both page and decision rest on, from the store alone."""
        session = await self._sessions.session(credentials.digest(session_id), now) if session_id else None
        if session_id is None or session is None or session.authenticated_at < transaction.authenticated_since:
            return NeedsSignIn()
        user = await self._users.user(session.user_id)
        client = await self._clients.client(transaction.request.client_id)
        if user is None or client is None or not authorize.still_allowed(transaction.request, client, self._deployment):
            raise Refused(Reason.UNKNOWN_TRANSACTION)
        return _Checked(
            transaction,
            client,
            user,
            workspace_choice.eligible(user, client, transaction.request.workspace),
            session.authenticated_at,
            _csrf_token(session_id, transaction_id),
            sign_out_token(session_id),
        )

    def _about(self, checked: "_Checked", membership: Membership) -> ConsentKey | None:
        """What the person's consent is about; None if it is not remembered."""
        request, user_id = checked.transaction.request, checked.user.user_id
        return remembered_consent.key(request, checked.client, user_id, membership.workspace)

    def _grant(self, checked: "_Checked", membership: Membership, now: float) -> Grant:
        request, client = checked.transaction.request, checked.client
        return Grant(
            grant_id=credentials.new_identifier(self._entropy),
            handle=checked.transaction.flow_id or credentials.new_identifier(self._entropy),
            client_id=client.client_id,
            user_id=checked.user.user_id,
            tenant=membership.workspace,
            scopes=request.scopes,
            resource=request.resource,
            refreshable=GrantType.REFRESH_TOKEN in client.grant_types or scope.OFFLINE_ACCESS in request.scopes,
            created_at=now,
            expires_at=now + GRANT_LIFETIME,
            authenticated_at=checked.authenticated_at,
            role=membership.role,
        )


@dataclass(frozen=True, slots=True)
class _Checked:
    """A transaction whose browser, person and client have been checked now; the grant is for one of the memberships."""

    transaction: Transaction
    client: Client
    user: User
    memberships: tuple[Membership, ...]
    authenticated_at: float
    csrf_token: str
    sign_out_token: str


def _remembered_days(checked: _Checked) -> int:
    is_remembered = remembered_consent.is_remembered(checked.transaction.request, checked.client)
    return CONSENT_LIFETIME // 86400 if is_remembered else 0


def _csrf_token(session_id: str, transaction_id: str) -> str:
    """Bound to the session: a page that one person loaded cannot be sent in by another."""
    return credentials.csrf_token(cookie=session_id, transaction_id=transaction_id, page="consent")
