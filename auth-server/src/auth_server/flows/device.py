"""`/device`: a person enters the code that their device shows; sign-in and consent follow as for any client."""

from dataclasses import dataclass

from auth_server.domain import credentials, device_codes
from auth_server.domain.audit import EventName
from auth_server.domain.authorization import AuthorizationRequest, Transaction
from auth_server.domain.deployment import Deployment
from auth_server.domain.device import DeviceAuthorization
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.authorize import Continue
from auth_server.ports.audit import AuditTrail
from auth_server.ports.authorizations import TransactionStore
from auth_server.ports.devices import DecidedDevice, DeviceStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.people import SessionStore
from shared_kernel import scope
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


@dataclass(frozen=True, slots=True)
class CodeForm:
    """The page: the value that the browser cookie must have, and the anti-forgery token of the form."""

    browser_id: str
    csrf_token: str


@dataclass(frozen=True, slots=True)
class UnknownCode:
    """Nobody waits with this code: mistyped, expired, or settled."""


@dataclass(frozen=True, slots=True)
class TooManyCodes:
    """Wait `retry_after` seconds."""

    retry_after: int


class Device:
    """Leads from a user code to the decision about it."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        devices: DeviceStore,
        transactions: TransactionStore,
        sessions: SessionStore,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment = deployment
        self._devices, self._transactions, self._sessions = devices, transactions, sessions
        self._limiter, self._trail, self._clock, self._entropy = limiter, trail, clock, entropy

    def form(self, browser_id: str | None) -> CodeForm:
        """What to show; without side effects."""
        browser_id = browser_id or credentials.new_browser_id(self._entropy)
        return CodeForm(browser_id, _csrf_token(browser_id))

    async def enter(
        self, text: str, *, csrf_token: str, browser_id: str | None, session_id: str | None, address: str
    ) -> Continue | UnknownCode | TooManyCodes:
        """Takes what was typed, and starts a transaction in which the person decides.

        Raises Refused (FORGED_FORM), StoreUnavailable.
        """
        if browser_id is None or not credentials.same_digest(csrf_token, _csrf_token(browser_id)):
            raise Refused(Reason.FORGED_FORM)
        # RFC 8628 §5.1: "it is recommended that the server rate-limit user code attempts". Right ones count too, or
        # somebody with a code of their own could start over after every few guesses.
        retry_after = await self._limiter.user_code_attempt(address)
        if retry_after is not None:
            return TooManyCodes(retry_after)
        user_code, now = device_codes.entered(text), self._clock.now()
        if user_code is None:
            return UnknownCode()
        found = await self._devices.device(device_codes.device_id(user_code, self._deployment.issuer), now)
        if found is None or isinstance(found, DecidedDevice):
            return UnknownCode()
        # One code is for one person: whoever spreads theirs reaches few.
        retry_after = await self._limiter.user_code_use(found.device_id)
        if retry_after is not None:
            return TooManyCodes(retry_after)
        transaction_id = device_codes.new_transaction_id(self._entropy, user_code)
        flow_id = credentials.new_identifier(self._entropy)
        await self._transactions.start_transaction(_transaction(found, transaction_id, browser_id, flow_id))
        session = await self._sessions.session(credentials.digest(session_id), now) if session_id else None
        self._trail.record(
            EventName.DEVICE_CODE_ENTERED,
            flow_id=flow_id,
            client_id=found.client_id,
            user_id=session.user_id if session else None,
            address=address,
            scope=scope.join(found.scopes),
            resource=found.resource,
        )
        return Continue(transaction_id, browser_id, needs_sign_in=session is None)


def _transaction(device: DeviceAuthorization, transaction_id: str, browser_id: str, flow_id: str) -> Transaction:
    request = AuthorizationRequest(
        client_id=device.client_id,
        redirect_uri="",
        state=None,
        scopes=device.scopes,
        resource=device.resource,
        code_challenge="",
        device_id=device.device_id,
    )
    return Transaction(
        digest=credentials.digest(transaction_id),
        browser_digest=credentials.digest(browser_id),
        request=request,
        authenticated_since=0.0,
        expires_at=device.expires_at,
        flow_id=flow_id,
    )


def _csrf_token(browser_id: str) -> str:
    return credentials.csrf_token(cookie=browser_id, transaction_id="", page="device")
