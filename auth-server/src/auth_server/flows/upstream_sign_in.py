"""Signing in at another OpenID Connect provider, which the operator trusts to say who people are.

Nothing is stored on the way: what the provider gives back is bound to the transaction and to the browser that began it,
and is good once.
"""

import math
from dataclasses import dataclass, replace

import anyio

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.authorization import SESSION_LIFETIME, TRANSACTION_LIFETIME, Transaction
from auth_server.domain.deployment import Deployment, Upstream
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.domain.user import Session
from auth_server.flows import transactions
from auth_server.flows.key_sets import KeySets
from auth_server.flows.sign_in import SignedIn
from auth_server.ports.audit import AuditTrail
from auth_server.ports.authorizations import TransactionStore
from auth_server.ports.documents import DocumentSource, DocumentUnavailable
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.people import SessionStore, UserStore
from auth_server.ports.replays import ReplayStore
from auth_server.ports.upstream import UpstreamEndpoint
from auth_server.protocol import document_url, public_keys, upstream
from auth_server.protocol.upstream import Defect, Identity, Provider
from shared_kernel.access_token import CLOCK_SKEW
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

DISCOVERY_SECONDS = 3600.0
RETRY_SECONDS = 30
_ATTEMPT_BITS = 128


@dataclass(frozen=True, slots=True)
class Callback:
    """What the provider sent the browser back with; empty where it did not."""

    state: str
    code: str
    error: str
    issuer: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody is signed in, for that transaction."""

    transaction_id: str
    signed_in: SignedIn


class UpstreamSignIn:
    """Sends browsers to the provider, and takes them back. Without one, there is nothing here (NOT_FOUND)."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        transactions: TransactionStore,
        users: UserStore,
        sessions: SessionStore,
        replays: ReplayStore,
        documents: DocumentSource,
        endpoint: UpstreamEndpoint | None,
        key_sets: KeySets,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._transactions, self._users, self._sessions = deployment, transactions, users, sessions
        self._replays, self._documents, self._endpoint, self._key_sets = replays, documents, endpoint, key_sets
        self._limiter, self._trail, self._clock, self._entropy = limiter, trail, clock, entropy
        self._found_or_not: Provider | Refused | None = None
        self._turn = anyio.Lock()
        self._known_until = -math.inf

    @property
    def host(self) -> str:
        """The provider's host, for the sign-in page; empty if there is none."""
        known = self._deployment.upstream
        return document_url.origin(upstream.discovery_url(known)).removeprefix(document_url.PREFIX) if known else ""

    async def begin(self, transaction_id: str, browser_id: str | None) -> str:
        """The URL at the provider that this browser goes to.

        Raises Refused (NOT_FOUND, UNKNOWN_TRANSACTION, DECIDED_TRANSACTION, UPSTREAM_UNAVAILABLE, UPSTREAM_REFUSED),
        StoreUnavailable.
        """
        known = self._configured()
        transaction = await transactions.load(self._transactions, transaction_id, browser_id, self._clock.now())
        assert browser_id is not None  # or no transaction were this browser's
        attempt = self._entropy.token(_ATTEMPT_BITS)
        return upstream.authorization_url(
            await self._found(known),
            known,
            redirect_uri=self._redirect_uri,
            state=f"{transaction_id}.{attempt}.{_derived('state', browser_id, transaction_id, attempt)}",
            nonce=_derived("nonce", browser_id, transaction_id, attempt),
            verifier=_derived("verifier", browser_id, transaction_id, attempt),
            fresh=transaction.authenticated_since > 0,
        )

    async def complete(
        self, callback: Callback, *, browser_id: str | None, session_id: str | None, address: str
    ) -> Arrived:
        """Signs the person in. `session_id` is the old cookie, which ends.

        Raises Refused (as begin() does, and TOO_MANY_REQUESTS), StoreUnavailable.
        """
        known, now = self._configured(), self._clock.now()
        transaction_id, _, rest = callback.state.partition(".")
        attempt, _, mac = rest.partition(".")
        transaction = await transactions.load(self._transactions, transaction_id, browser_id, now)
        if browser_id is None or not credentials.same_digest(
            mac, _derived("state", browser_id, transaction_id, attempt)
        ):
            raise Refused(Reason.FORGED_FORM, transactions.facts(transaction))
        try:
            found = await self._identity(known, callback, (browser_id, transaction_id, attempt), address)
            user_id, started = await self._started(found, transaction, session_id, now)
        except Refused as refused:
            if refused.reason is Reason.UPSTREAM_REFUSED:
                self._trail.record(
                    EventName.SIGN_IN_FAILED,
                    flow_id=transaction.flow_id,
                    client_id=transaction.request.client_id,
                    address=address,
                    provider=known.issuer,
                    detail=refused.facts.defect,
                )
                facts = transactions.facts(transaction)
                raise Refused(refused.reason, replace(facts, defect=refused.facts.defect)) from refused
            raise
        await self._limiter.sign_in_succeeded(_account(address), address)
        self._trail.record(
            EventName.SIGNED_IN,
            flow_id=transaction.flow_id,
            client_id=transaction.request.client_id,
            user_id=user_id,
            address=address,
            provider=known.issuer,
        )
        return Arrived(transaction_id, started)

    async def _identity(
        self, known: Upstream, callback: Callback, names: tuple[str, str, str], address: str
    ) -> Identity:
        """Whom the provider vouches for. What it gave is used up."""
        # RFC 9207 §2.4: another issuer's answer must not be taken to this one's token endpoint.
        if callback.issuer and callback.issuer != known.issuer:
            raise upstream.refused(Defect.ISSUER)
        retry_after = await self._limiter.sign_in_attempt(_account(address), address)
        if retry_after is not None:
            raise Refused(Reason.TOO_MANY_REQUESTS, Facts(retry_after=retry_after))
        now = self._clock.now()
        mark = f"upstream:{credentials.digest(callback.state)}"
        if not await self._replays.use_once(mark, now + TRANSACTION_LIFETIME + CLOCK_SKEW, now):
            raise upstream.refused(Defect.REPLAYED)
        if callback.error or not callback.code:
            raise upstream.refused(Defect.ERROR)
        provider = await self._found(known)
        authorization, form = upstream.token_request(
            known, code=callback.code, redirect_uri=self._redirect_uri, verifier=_derived("verifier", *names)
        )
        assert self._endpoint is not None  # there is one where there is a provider
        try:
            content = await self._endpoint.redeem(provider.token_endpoint, authorization, form, upstream.MAX_BYTES)
        except DocumentUnavailable as obstacle:
            raise _unavailable(obstacle) from obstacle
        found = upstream.identity(content, known, nonce=_derived("nonce", *names), now=self._clock.now())
        await self._verify(found, provider, address)
        return found

    async def _verify(self, found: Identity, provider: Provider, address: str) -> None:
        jws = found.jws
        try:
            key = await self._key_sets.find(
                provider.jwks_uri,
                document_url.origin(provider.jwks_uri),
                lambda keys: public_keys.chosen(keys, jws.algorithm, jws.key_id),
                address,
            )
        except Refused as refused:
            if refused.reason is Reason.KEY_SET_UNAVAILABLE:
                raise Refused(Reason.UPSTREAM_UNAVAILABLE, refused.facts) from refused
            if refused.reason is Reason.CLIENT_NOT_AUTHENTICATED:  # it publishes no key set
                raise upstream.refused(Defect.NO_SUCH_KEY) from refused
            raise
        if key is None:
            raise upstream.refused(Defect.NO_SUCH_KEY)
        if not public_keys.verifies(key, jws.algorithm, jws.signed, jws.signature):
            raise upstream.refused(Defect.SIGNATURE)

    async def _started(
        self, found: Identity, transaction: Transaction, session_id: str | None, now: float
    ) -> tuple[str, SignedIn]:
        """Who was signed in, and how."""
        # Whoever was signed in there long ago may be somebody else at the keyboard by now.
        authenticated_at = now if found.authenticated_at is None else min(now, found.authenticated_at)
        if transaction.authenticated_since > 0:
            if found.authenticated_at is None or authenticated_at + CLOCK_SKEW < transaction.authenticated_since:
                raise upstream.refused(Defect.TOO_LONG_AGO)
            authenticated_at = max(authenticated_at, transaction.authenticated_since)
        user = await self._users.user_by_email(found.email)
        if user is None:
            raise upstream.refused(Defect.NO_SUCH_PERSON)
        new_session_id = credentials.new_session_id(self._entropy)
        started = await self._sessions.start_session(
            Session(credentials.digest(new_session_id), user.user_id, authenticated_at, now + SESSION_LIFETIME),
            verified_hash=user.password_hash,
            replaces=credentials.digest(session_id) if session_id else None,
        )
        if not started:  # disabled
            raise upstream.refused(Defect.NO_SUCH_PERSON)
        return user.user_id, SignedIn(new_session_id, SESSION_LIFETIME)

    async def _found(self, known: Upstream) -> Provider:
        """The provider's endpoints, as it has published them within the hour.

        One request at a time asks for them, and after one that failed the next does so in RETRY_SECONDS.
        """
        async with self._turn:
            if self._clock.monotonic() >= self._known_until:
                try:
                    document = await self._documents.document(upstream.discovery_url(known), upstream.MAX_BYTES)
                    self._found_or_not = upstream.provider(document.content, known)
                    self._known_until = self._clock.monotonic() + DISCOVERY_SECONDS
                except DocumentUnavailable as obstacle:
                    self._found_or_not = _unavailable(obstacle)
                    self._known_until = self._clock.monotonic() + RETRY_SECONDS
                except Refused as refused:
                    self._found_or_not = refused
                    self._known_until = self._clock.monotonic() + RETRY_SECONDS
            found = self._found_or_not
        if isinstance(found, Provider):
            return found
        assert found is not None  # whoever had a turn leaves one or the other
        raise Refused(found.reason, found.facts)

    def _configured(self) -> Upstream:
        if self._deployment.upstream is None:
            raise Refused(Reason.NOT_FOUND)
        return self._deployment.upstream

    @property
    def _redirect_uri(self) -> str:
        return f"{self._deployment.issuer}/login/callback"


def _derived(purpose: str, browser_id: str, transaction_id: str, attempt: str) -> str:
    """A secret of this attempt that only the browser's own cookie leads to."""
    return credentials.csrf_token(
        cookie=browser_id, transaction_id=transaction_id, page=f"upstream-{purpose}-{attempt}"
    )


def _account(address: str) -> str:
    """What attempts are counted by: nobody has said yet who they are."""
    return f"upstream {address}"


def _unavailable(obstacle: DocumentUnavailable) -> Refused:
    if obstacle.may_pass:
        return Refused(Reason.UPSTREAM_UNAVAILABLE, Facts(retry_after=RETRY_SECONDS))
    return upstream.refused(Defect.ERROR)
