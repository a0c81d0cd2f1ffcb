"""The consent page: the signed-in person allows or denies, or has allowed as much before."""

from dataclasses import dataclass
from enum import Enum

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.consent import CONSENT_LIFETIME, document_digest
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.workspace import Workspace
from auth_server.flows import transactions, workspace_choice
from auth_server.flows.consent_check import Checked, ConsentCheck, NeedsSignIn, csrf_token
from auth_server.flows.consent_decision import ConsentDecisions, DeviceDecided, Redirect
from auth_server.flows.device_decision import DeviceDecisions, DeviceQuestion
from auth_server.ports.authorizations import Decided, TransactionStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.consents import ConsentStore
from auth_server.ports.workspaces import WorkspaceStore
from auth_server.protocol import redirect_uri, remembered_consent
from shared_kernel import scope
from shared_kernel.clock import Clock


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


class Hindrance(Enum):
    """Why a person can allow nothing."""

    NO_WORKSPACE = EventName.NO_WORKSPACE
    """They belong to no workspace that the request may be for; whether there is such a one is not told."""
    ANOTHER_PERSON = EventName.ANOTHER_PERSON
    """The client says by an ID token whom it expects, and they are another."""


@dataclass(frozen=True, slots=True)
class CannotAllow:
    """The signed-in person can allow nothing here. They can deny, or go on as somebody else."""

    hindrance: Hindrance
    client_name: str
    client_verified: bool
    user_email: str
    csrf_token: str
    sign_out_token: str


@dataclass(frozen=True, slots=True)
class Unchosen:
    """Nothing was decided: of several workspaces the person chose none, or they can allow nothing."""


class Consent:
    """Shows the question, and takes the answer."""

    def __init__(
        self,
        *,
        check: ConsentCheck,
        decisions: ConsentDecisions,
        clients: ClientStore,
        transactions: TransactionStore,
        workspaces: WorkspaceStore,
        devices: DeviceDecisions,
        consents: ConsentStore,
        clock: Clock,
    ) -> None:
        self._check, self._decisions = check, decisions
        self._clients, self._transactions, self._workspaces = clients, transactions, workspaces
        self._devices, self._consents, self._clock = devices, consents, clock

    async def view(
        self, transaction_id: str, browser_id: str | None, session_id: str | None, address: str
    ) -> ConsentQuestion | CannotAllow | NeedsSignIn:
        """What to show.

        Raises Refused (UNKNOWN_TRANSACTION, DECIDED_TRANSACTION), StoreUnavailable.
        """
        now = self._clock.now()
        transaction = await transactions.load(self._transactions, transaction_id, browser_id, now)
        checked = await self._check.check(transaction, transaction_id, session_id, now)
        if not isinstance(checked, Checked):
            return checked
        hindrance = _hindrance(checked)
        if hindrance is not None:
            self._decisions.record(hindrance.value, checked, address)
            return CannotAllow(
                hindrance=hindrance,
                client_name=checked.client.name,
                client_verified=checked.client.is_verified,
                user_email=checked.user.email,
                csrf_token=checked.csrf_token,
                sign_out_token=checked.sign_out_token,
            )
        self._decisions.record(EventName.CONSENT_SHOWN, checked, address)
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
        checked = await self._check.check(transaction, transaction_id, session_id, now)
        if not isinstance(checked, Checked) or session_id is None or not checked.is_expected:
            return None
        # Of several workspaces only the person can say which.
        membership = workspace_choice.chosen(checked.memberships, None)
        about = self._decisions.about(checked, membership) if membership else None
        consent = await self._consents.consent(about, now) if about else None
        if (
            not membership
            or not consent
            or not consent.covers(transaction.request.scopes, document_digest(checked.client))
        ):
            return None
        url = await self._decisions.approved(
            checked, membership, transaction_id, session_id, address, now, rest_on=consent
        )
        return Redirect(url) if url else None

    async def _automatic_again(
        self, decided: Decided, transaction_id: str, session_id: str | None, address: str, now: float
    ) -> Redirect:
        request = decided.transaction.request
        client = await self._clients.client(request.client_id)
        if client is None or not remembered_consent.is_remembered(request, client):
            raise Refused(Reason.DECIDED_TRANSACTION, transactions.facts(decided.transaction))
        token = csrf_token(session_id or "", transaction_id)
        return self._decisions.again(decided, transaction_id, session_id, token, address, approve=True, now=now)

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
            return self._decisions.again(
                found, transaction_id, session_id, csrf_token, address, approve=approve, now=now
            )
        checked = await self._check.check(found, transaction_id, session_id, now)
        if not isinstance(checked, Checked) or session_id is None:
            return NeedsSignIn()
        if not credentials.same_digest(csrf_token, checked.csrf_token):
            raise Refused(Reason.FORGED_FORM, transactions.facts(checked.transaction))
        membership = workspace_choice.chosen(checked.memberships, workspace)
        if approve and (membership is None or not checked.is_expected):
            return Unchosen()
        if found.request.device_id is not None:
            grant = self._decisions.grant(checked, membership, now) if approve and membership else None
            return await self._decisions.decided_device(found.request.device_id, checked, grant, address, now)
        url = await (
            self._decisions.approved(checked, membership, transaction_id, session_id, address, now)
            if approve and membership
            else self._decisions.denied(checked, address, now)
        )
        if url is None:  # somebody else was faster, if it was not the person's end or the client's
            found = await transactions.find(self._transactions, transaction_id, browser_id, now)
            if not isinstance(found, Decided):
                raise Refused(Reason.DECIDED_TRANSACTION, transactions.facts(found))
            return self._decisions.again(
                found, transaction_id, session_id, csrf_token, address, approve=approve, now=now
            )
        return Redirect(url)


def _hindrance(checked: Checked) -> Hindrance | None:
    if not checked.is_expected:
        return Hindrance.ANOTHER_PERSON
    return None if checked.memberships else Hindrance.NO_WORKSPACE


def _remembered_days(checked: Checked) -> int:
    is_remembered = remembered_consent.is_remembered(checked.transaction.request, checked.client)
    return CONSENT_LIFETIME // 86400 if is_remembered else 0
