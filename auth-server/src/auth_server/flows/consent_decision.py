"""What comes of a decision: a grant and its code, a denial, or where the same decision has led before."""

from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.authorization import CODE_LIFETIME, REPEAT_SECONDS, AuthorizationCode, Transaction
from auth_server.domain.client import GrantType
from auth_server.domain.consent import ConsentKey, RememberedConsent
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.grant import GRANT_LIFETIME, Grant
from auth_server.domain.workspace import Membership
from auth_server.flows import transactions
from auth_server.flows.consent_check import Checked, csrf_token
from auth_server.flows.device_decision import DeviceDecisions
from auth_server.ports.audit import AuditTrail
from auth_server.ports.authorizations import Decided, TransactionStore
from auth_server.protocol import authorize, remembered_consent
from shared_kernel import scope
from shared_kernel.entropy import Entropy


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


class ConsentDecisions:
    """Makes decisions, each at most once, and records them."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        transactions: TransactionStore,
        devices: DeviceDecisions,
        trail: AuditTrail,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._transactions, self._devices = deployment, transactions, devices
        self._trail, self._entropy = trail, entropy

    async def approved(
        self,
        checked: Checked,
        membership: Membership,
        transaction_id: str,
        session_id: str,
        address: str,
        now: float,
        rest_on: RememberedConsent | None = None,
    ) -> str | None:
        """Where the browser goes with its code; None if there was nothing left to decide, or person or client are gone.

        `rest_on` is the earlier consent for which the person is not asked. Raises StoreUnavailable.
        """
        request, grant = checked.transaction.request, self.grant(checked, membership, now)
        about = self.about(checked, membership) if rest_on is None else None
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

    async def denied(self, checked: Checked, address: str, now: float) -> str | None:
        """Where the browser goes with the error; None if there was nothing left to decide. Raises StoreUnavailable."""
        if not await self._transactions.deny(checked.transaction.digest, now):
            return None
        reference = self.record(EventName.CONSENT_DENIED, checked, address)
        return self._denial(checked.transaction, reference)

    async def decided_device(
        self, device_id: str, checked: Checked, grant: Grant | None, address: str, now: float
    ) -> DeviceDecided:
        """Decides about a device; without a grant, denies it. Raises Refused, StoreUnavailable."""
        if await self._devices.decide(device_id, grant, now):
            if grant:
                self._record_given(grant, address)
            else:
                self.record(EventName.CONSENT_DENIED, checked, address)
        return DeviceDecided(checked.client.name, checked.client.is_verified, grant is not None)

    def again(
        self,
        decided: Decided,
        transaction_id: str,
        session_id: str | None,
        csrf: str,
        address: str,
        *,
        approve: bool,
        now: float,
    ) -> Redirect:
        """Where the first submission led, for the same answer in the same session. Raises Refused."""
        if (
            session_id is None
            or not credentials.same_digest(csrf, csrf_token(session_id, transaction_id))
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

    def about(self, checked: Checked, membership: Membership) -> ConsentKey | None:
        """What the person's consent is about; None if it is not remembered."""
        request, user_id = checked.transaction.request, checked.user.user_id
        return remembered_consent.key(request, checked.client, user_id, membership.workspace)

    def grant(self, checked: Checked, membership: Membership, now: float) -> Grant:
        """What the person gives the client, in the workspace of that membership."""
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

    def record(self, name: EventName, checked: Checked, address: str) -> str:
        """Records an event of this transaction; gives the id that the caller may be shown."""
        return self._trail.record(
            name,
            flow_id=checked.transaction.flow_id,
            client_id=checked.client.client_id,
            user_id=checked.user.user_id,
            address=address,
        )

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

    def _denial(self, transaction: Transaction, reference: str) -> str:
        return authorize.error_redirect(
            transaction.request.redirect_uri,
            transaction.request.state,
            Refused(Reason.ACCESS_DENIED),
            self._deployment.issuer,
            reference,
        )
