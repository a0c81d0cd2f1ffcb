"""`/authorize`: from the client's request to a transaction (RFC 6749 §4.1.1, OAuth 2.1)."""

from dataclasses import dataclass, replace

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.authorization import TRANSACTION_LIFETIME, PushedRequest, Transaction
from auth_server.domain.client import Client
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.domain.user import Session
from auth_server.flows.client_documents import ClientDocuments
from auth_server.flows.consent import Consent
from auth_server.ports.audit import AuditTrail
from auth_server.ports.authorizations import TransactionStore
from auth_server.ports.clients import ClientStore
from auth_server.ports.grants import GrantStore
from auth_server.ports.keys import KeyRing
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.people import SessionStore
from auth_server.ports.pushed_requests import PushedRequestStore, Started
from auth_server.protocol import authorize, client_documents, id_token, par, redirect_uri, remembered_consent
from auth_server.protocol.parameters import Pairs
from shared_kernel import scope
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


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


@dataclass(frozen=True, slots=True)
class Answered:
    """The person has allowed as much before: 303 to `url` with a code. `browser_id` as in Continue."""

    url: str
    browser_id: str


class Authorize:
    """Starts authorizations."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        documents: ClientDocuments,
        pushed_requests: PushedRequestStore,
        transactions: TransactionStore,
        sessions: SessionStore,
        grants: GrantStore,
        consent: Consent,
        keys: KeyRing,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment = deployment
        self._clients, self._documents, self._transactions = clients, documents, transactions
        self._pushed_requests, self._sessions, self._grants = pushed_requests, sessions, grants
        self._consent, self._keys = consent, keys
        self._limiter, self._trail, self._clock, self._entropy = limiter, trail, clock, entropy

    async def begin(
        self,
        pairs: Pairs,
        *,
        browser_id: str | None,
        session_id: str | None,
        address: str,
        workspace: str | None = None,
    ) -> ErrorRedirect | Continue | Answered:
        """Judges the request's parameters and starts a transaction if they are good; approves it if no page is needed.

        `browser_id` and `session_id` are the cookies' values, `address` is the browser's network address, `workspace`
        the one that the URL names: consent finds out whether it is one of the person's. An error that shows in the
        request and the session alone has no side effect. Raises StoreUnavailable, and Refused when the error must not
        be redirected: client or redirect URI are not proven, the request is absurd, the address sends too many, or
        nobody here knows the client.
        """
        retry_after = await self._limiter.authorization_attempt(address)
        if retry_after is not None:
            raise Refused(Reason.TOO_MANY_REQUESTS, Facts(retry_after=retry_after))
        now = self._clock.now()
        pushed = await self._pushed_request(pairs, browser_id, now)
        if isinstance(pushed, Continue):
            return await self._answered(pushed, session_id, address) or pushed
        if pushed is not None:
            pairs = pushed.parameters  # RFC 9101 §6.3: what stands beside it is not used
        client = await self._client(authorize.unverified_client_id(pairs), address)
        proven = authorize.prove(pairs, client, self._deployment)
        try:
            accepted = authorize.judge(
                pairs, proven, self._deployment, now, pushed=pushed is not None, workspace=workspace
            )
            session = await self._live_session(session_id, accepted.authenticated_since, now)
            request = replace(accepted.request, expected_user_id=await self._hinted(accepted.unverified_hint))
            is_hint_nobodys = accepted.unverified_hint is not None and request.expected_user_id is None
            is_expected = session is not None and not is_hint_nobodys and request.is_for(session.user_id)
            may_answer = is_expected and remembered_consent.is_remembered(request, proven.client)
            if accepted.silent and not may_answer:
                raise Refused(Reason.CONSENT_REQUIRED if is_expected else Reason.LOGIN_REQUIRED)
        except Refused as refusal:
            return await self._error(refusal, proven, session_id, address, now)
        browser_id = browser_id or credentials.new_browser_id(self._entropy)
        transaction_id = self._transaction_id(pushed, browser_id)
        transaction = Transaction(
            digest=credentials.digest(transaction_id),
            browser_digest=credentials.digest(browser_id),
            request=request,
            authenticated_since=accepted.authenticated_since,
            expires_at=now + TRANSACTION_LIFETIME,
            flow_id=credentials.new_identifier(self._entropy),
        )
        if pushed is None:
            await self._transactions.start_transaction(transaction)
        elif not await self._pushed_requests.start_pushed(pushed.digest, transaction, now):
            raise Refused(Reason.USED_REQUEST_URI, Facts(client_id=pushed.client_id))
        self._record_start(transaction, session, address)
        begun = Continue(transaction_id, browser_id, needs_sign_in=session is None)
        answered = await self._answered(begun, session_id, address) if may_answer else None
        if answered is None and accepted.silent:
            return await self._error(Refused(Reason.CONSENT_REQUIRED), proven, session_id, address, now)
        return answered or begun

    async def _answered(self, begun: Continue, session_id: str | None, address: str) -> Answered | None:
        """The answer to a request about which its person need not be asked."""
        answer = await self._consent.automatic(begun.transaction_id, begun.browser_id, session_id, address)
        return Answered(answer.url, begun.browser_id) if answer else None

    async def _error(
        self, refusal: Refused, proven: authorize.Proven, session_id: str | None, address: str, now: float
    ) -> ErrorRedirect:
        """Tells the client. Raises the refusal where the browser must not be sent to it."""
        if not await self._is_trusted(proven, session_id, now):
            raise Refused(refusal.reason, replace(refusal.facts, client_id=proven.client.client_id)) from refusal
        return self._sent_back(proven, refusal, address)

    def _sent_back(self, proven: authorize.Proven, refusal: Refused, address: str) -> ErrorRedirect:
        reference = self._trail.record(
            EventName.AUTHORIZATION_REFUSED,
            client_id=proven.client.client_id,
            address=address,
            reason=refusal.reason.value,
        )
        issuer = self._deployment.issuer
        return ErrorRedirect(
            authorize.error_redirect(proven.redirect_uri, proven.state, refusal, issuer, reference), refusal.reason
        )

    def _record_start(self, transaction: Transaction, session: Session | None, address: str) -> None:
        request = transaction.request
        self._trail.record(
            EventName.AUTHORIZATION_STARTED,
            flow_id=transaction.flow_id,
            client_id=request.client_id,
            user_id=session.user_id if session else None,
            address=address,
            scope=scope.join(request.scopes),
            resource=request.resource,
            redirect=redirect_uri.shown_host(request.redirect_uri),
        )

    async def _pushed_request(
        self, pairs: Pairs, browser_id: str | None, now: float
    ) -> PushedRequest | Continue | None:
        """The pushed request that these parameters name, if they name one.

        Continue if this browser has started its transaction: a page that is loaded again, or twice, leads where it led
        at first. Raises Refused (UNKNOWN_REQUEST_URI, USED_REQUEST_URI), StoreUnavailable.
        """
        uri = par.request_uri(pairs)
        if uri is None:
            return None
        client_id, digest = authorize.unverified_client_id(pairs), credentials.digest(uri)
        match await self._pushed_requests.pushed_request(digest, now):
            # RFC 9126 §2.2: "The request_uri value MUST be bound to the client that posted the authorization request."
            case PushedRequest(client_id=owner) as request if owner == client_id:
                return request
            case Started(transaction_digest) if browser_id is not None:
                transaction_id = credentials.pushed_transaction_id(browser_id=browser_id, pushed_digest=digest)
                if credentials.same_digest(credentials.digest(transaction_id), transaction_digest):
                    return Continue(transaction_id, browser_id, needs_sign_in=False)
                raise Refused(Reason.USED_REQUEST_URI, Facts(client_id=client_id))
            case Started():
                raise Refused(Reason.USED_REQUEST_URI, Facts(client_id=client_id))
            case _:
                raise Refused(Reason.UNKNOWN_REQUEST_URI, Facts(client_id=client_id))

    async def _hinted(self, unverified_hint: str | None) -> str | None:
        """The person in the ID token that the client gives as a hint: None if it gives none, or one of nobody's.

        OpenID Connect Core §3.1.2.1: if that one is signed in, or signs in now, "the Authorization Server returns a
        positive response; otherwise, it MUST return an error". A hint that cannot be read, as one of a withdrawn key,
        is no answer to `prompt=none`, and beside a page it means nobody.
        """
        if unverified_hint is None:
            return None
        keys = (await self._keys.published()).key_set
        return id_token.hinted_subject(unverified_hint, keys, self._deployment.issuer)

    def _transaction_id(self, pushed: PushedRequest | None, browser_id: str) -> str:
        if pushed is None:
            return credentials.new_transaction_id(self._entropy)
        return credentials.pushed_transaction_id(browser_id=browser_id, pushed_digest=pushed.digest)

    async def _client(self, client_id: str, address: str) -> Client | None:
        if client_documents.is_document_id(client_id):
            return await self._documents.client(client_id, address)
        return await self._clients.client(client_id)

    async def _is_trusted(self, proven: authorize.Proven, session_id: str | None, now: float) -> bool:
        """Whether a browser may be sent to the redirect URI before its person has been asked anything.

        RFC 9700 §4.11.2: "attackers could register a client" and use the server "to redirect to phishing sites".
        """
        client = proven.client
        if client.is_verified or redirect_uri.kind(proven.redirect_uri) is redirect_uri.Kind.LOOPBACK:
            return True
        session = await self._live_session(session_id, 0.0, now)
        return session is not None and await self._grants.has_grant(session.user_id, client.client_id, now)

    async def _live_session(self, session_id: str | None, since: float, now: float) -> Session | None:
        session = await self._sessions.session(credentials.digest(session_id), now) if session_id else None
        return session if session and session.authenticated_at >= since else None
