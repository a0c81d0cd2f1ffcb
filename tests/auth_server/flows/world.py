"""auth-server without HTTP: every flow over a real SQLite store, a clock to set, and a person with a browser."""

import base64
import contextlib
import sqlite3
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from argon2 import PasswordHasher
from joserfc import jws

from auth_server.adapters.attempt_limits import StoreAttemptLimiter
from auth_server.adapters.audit_trail import StoreAuditTrail
from auth_server.adapters.client_documents.https_documents import HttpsDocuments
from auth_server.adapters.client_documents.public_connections import PublicConnections
from auth_server.adapters.passwords import Argon2Passwords, open_passwords
from auth_server.adapters.remembered_clients import RememberedClients
from auth_server.adapters.signing_keys import SealedKeyRing, open_key_ring
from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.domain.signing_key import LONGEST_OUTAGE
from auth_server.flows import client_request
from auth_server.flows.administration.clients import NewClient
from auth_server.flows.administration.problems import CannotDo
from auth_server.flows.administration.verbs import Administration
from auth_server.flows.authorize import Answered, Continue, ErrorRedirect
from auth_server.flows.consent import ConsentQuestion, Unchosen
from auth_server.flows.consent_check import NeedsSignIn
from auth_server.flows.consent_decision import DeviceDecided, Redirect
from auth_server.flows.device import TooManyCodes, UnknownCode
from auth_server.flows.flows import Flows, compose
from auth_server.flows.sign_in import SignedIn, SignInPage
from auth_server.ports.documents import DocumentSource
from auth_server.ports.store import Store
from auth_server.protocol import registration
from auth_server.protocol.parameters import Pairs
from shared_kernel import access_token
from shared_kernel.access_token import AccessToken
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import SystemEntropy
from tests.auth_server.stores.backends import BACKENDS
from tests.support.clock import SettableClock
from tests.support.people import Pkce
from tests.support.rsa_keys import an_rsa_key

ISSUER = "https://auth.example.com"
RESOURCE = "https://mcp.example.com/mcp"
OTHER_RESOURCE = "https://mcp.example.com/other"
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
ADDRESS = "203.0.113.7"
REDIRECT_URI = "http://localhost:49152/callback"
VERIFIER = "v" * 43
PKCE = Pkce(VERIFIER)
MASTER_KEY = b"m" * 32
NO_DOCUMENTS = HttpsDocuments(PublicConnections({}), certificates=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
"""Trusts no host, for tests that are not about documents."""
FAST_ARGON2 = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


_Outcome = TypeVar("_Outcome")


def basic(client_id: str, secret: str) -> str:
    """An Authorization header as `curl -u` sends it."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def query(url: str) -> dict[str, list[str]]:
    """The parameters in a URL's query."""
    return parse_qs(urlsplit(url).query, keep_blank_values=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program is answered: a body, None where there is none, or a refusal's."""

    status: int
    body: Mapping[str, Any] | None
    reason: Reason | None = None
    retry_after: int | None = None


def authorization_request(client_id: str, **changes: Any) -> list[tuple[str, str]]:
    """The parameters of a good authorization request, changed: None leaves one out, a list repeats it."""
    parameters: dict[str, Any] = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": PKCE.challenge,
        "code_challenge_method": "S256",
        "state": "xyz",
        "resource": RESOURCE,
        **changes,
    }
    return [
        (name, item)
        for name, value in parameters.items()
        if value is not None
        for item in (value if isinstance(value, list) else [value])
    ]


async def outcome(flow: Awaitable[_Outcome]) -> _Outcome | Reason:
    """What comes of a flow: its value, or why it refuses."""
    try:
        return await flow
    except Refused as refused:
        return refused.reason


async def answer_to(flow: Callable[[], Awaitable[Mapping[str, Any] | None]]) -> Answer:
    """What comes of a flow."""
    try:
        return Answer(200, await flow())
    except Refused as refused:
        wire = refused.wire
        body = {"error": wire.error, "error_description": wire.description}
        return Answer(wire.status, body, refused.reason, refused.facts.retry_after)


@dataclass(slots=True)
class World:
    """The flows, their store, and what one browser knows."""

    store: Store
    keys: SealedKeyRing
    passwords: Argon2Passwords
    clock: SettableClock
    path: Path
    deployment: Deployment = field(
        default_factory=lambda: Deployment(ISSUER, (RESOURCE, OTHER_RESOURCE), frozenset({"cursor"}))
    )
    documents: DocumentSource = NO_DOCUMENTS
    browser_id: str | None = None
    session_id: str | None = None

    def __post_init__(self) -> None:
        self.limiter = StoreAttemptLimiter(self.store, self.clock)
        self.trail = StoreAuditTrail(self.store, self.clock, SystemEntropy())
        self.administration = Administration.over(
            self.store,
            resources=self.deployment.resources,
            passwords=self.passwords,
            trail=self.trail,
            clock=self.clock,
            entropy=SystemEntropy(),
        )
        self.deploy(self.deployment)

    limiter: StoreAttemptLimiter = field(init=False)
    trail: StoreAuditTrail = field(init=False)
    flows: Flows = field(init=False)
    administration: Administration = field(init=False)

    def deploy(self, deployment: Deployment) -> None:
        """Starts the server anew, on the same store."""
        self.deployment = deployment
        self.flows = compose(
            deployment,
            store=self.store,
            clients=RememberedClients(self.store, self.clock, freshness=0.0, outage=LONGEST_OUTAGE),
            documents=self.documents,
            keys=self.keys,
            passwords=self.passwords,
            limiter=self.limiter,
            nonces=Nonces(MASTER_KEY, "auth-server"),
            trail=self.trail,
            clock=self.clock,
            entropy=SystemEntropy(),
        )

    async def register(self, **metadata: Any) -> Client:
        """A dynamically registered client; by default a native one with refresh tokens."""
        given: dict[str, Any] = {
            "client_name": "Probe",
            "redirect_uris": ["http://localhost/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
        }
        registered = registration.register({**given, **metadata}, self.deployment.redirect_schemes, self.clock.now())
        await self.store.add_client(registered.client)
        return registered.client

    async def machine(self, scope: str | None = "query schemas:read", *redirect_uris: str) -> NewClient:
        """A confidential client of the operator's."""
        return await self.administration.clients.create(
            name="Nightly report", confidential=True, redirect_uris=redirect_uris, scope=scope
        )

    async def begin(
        self, client_id: str, workspace: str | None = None, **changes: Any
    ) -> Refused | ErrorRedirect | Continue | Answered:
        """GET /authorize, or /authorize/{workspace}, with a good request, changed as authorization_request() does.

        Gives the Refused, where that is raised, as a value.
        """
        outcome = await self.begin_with(authorization_request(client_id, **changes), workspace)
        if isinstance(outcome, Continue | Answered):
            self.browser_id = outcome.browser_id
        return outcome

    async def begin_with(
        self, pairs: Pairs, workspace: str | None = None
    ) -> Refused | ErrorRedirect | Continue | Answered:
        """As begin, with these very parameters."""
        try:
            return await self.flows.authorize.begin(
                pairs,
                browser_id=self.browser_id,
                session_id=self.session_id,
                address=ADDRESS,
                workspace=workspace,
            )
        except Refused as refused:
            return refused

    async def began(self, client_id: str, **changes: Any) -> str:
        """As begin, for a request that is good; gives the transaction id."""
        outcome = await self.begin(client_id, **changes)
        assert isinstance(outcome, Continue), outcome
        return outcome.transaction_id

    async def signed_in(self, transaction_id: str, password: str = PASSWORD, email: str = EMAIL) -> None:
        """Fills in the sign-in page."""
        page = await self.flows.sign_in.view(transaction_id, self.browser_id, ADDRESS)
        assert isinstance(page, SignInPage), page
        outcome = await self.flows.sign_in.submit(
            transaction_id,
            self.browser_id,
            csrf_token=page.csrf_token,
            email=email,
            password=password,
            address=ADDRESS,
            session_id=self.session_id,
        )
        assert isinstance(outcome, SignedIn), outcome
        self.session_id = outcome.session_id

    async def consent_page(self, transaction_id: str) -> ConsentQuestion:
        """The consent page of a signed-in person."""
        page = await self.flows.consent.view(transaction_id, self.browser_id, self.session_id, ADDRESS)
        assert isinstance(page, ConsentQuestion), page
        return page

    async def decided(self, transaction_id: str, *, approve: bool = True, workspace: str | None = None) -> str:
        """Decides on the consent page; gives the URL to go to."""
        outcome = await self.decide(transaction_id, approve=approve, workspace=workspace)
        assert isinstance(outcome, Redirect), outcome
        return outcome.url

    async def decide(
        self, transaction_id: str, *, approve: bool = True, workspace: str | None = None
    ) -> Redirect | DeviceDecided | NeedsSignIn | Unchosen:
        """As decided, for whatever comes of it."""
        page = await self.consent_page(transaction_id)
        return await self.flows.consent.decide(
            transaction_id,
            self.browser_id,
            self.session_id,
            csrf_token=page.csrf_token,
            approve=approve,
            address=ADDRESS,
            workspace=workspace,
        )

    async def code(self, client_id: str, **changes: Any) -> str:
        """A fresh authorization code, the person having signed in and allowed it."""
        transaction_id = await self.began(client_id, **changes)
        if self.session_id is None:
            await self.signed_in(transaction_id)
        return query(await self.decided(transaction_id))["code"][0]

    async def exchange(
        self, authorization: str | None = None, *, proof: str | None = None, **parameters: str | None
    ) -> Answer:
        """POST /token; `proof` is the DPoP header."""
        pairs = [(name, value) for name, value in parameters.items() if value is not None]
        return await self.exchange_pairs(pairs, authorization, proof=proof)

    async def exchange_pairs(
        self, pairs: Pairs, authorization: str | None = None, address: str = ADDRESS, proof: str | None = None
    ) -> Answer:
        """As exchange, with these very parameters."""

        async def exchange() -> Mapping[str, Any]:
            fingerprint = repr((pairs, authorization)).encode()
            tokens = await self.flows.token.again(fingerprint, address) if proof is None else None
            if tokens is None:
                request = client_request.read(pairs, authorization, address, fingerprint, proof)
                tokens = await self.flows.token.exchange(request)
            return tokens

        return await answer_to(exchange)

    async def push(
        self, pairs: Pairs, authorization: str | None = None, address: str = ADDRESS, proof: str | None = None
    ) -> Answer:
        """POST /par."""

        async def push() -> Mapping[str, Any]:
            return await self.flows.par.push(client_request.read(pairs, authorization, address, b"", proof))

        return await answer_to(push)

    async def revoke(self, authorization: str | None = None, address: str = ADDRESS, **parameters: str) -> Answer:
        """POST /revoke."""

        async def revoke() -> None:
            await self.flows.revoke.revoke(client_request.read([*parameters.items()], authorization, address, b""))

        return await answer_to(revoke)

    async def introspect(self, authorization: str | None = None, address: str = ADDRESS, **parameters: str) -> Answer:
        """POST /introspect."""

        async def introspect() -> Mapping[str, Any]:
            request = client_request.read([*parameters.items()], authorization, address, b"")
            return (await self.flows.introspect.introspect(request)).members

        return await answer_to(introspect)

    async def registration(self, metadata: Any, address: str = ADDRESS, token: str | None = None) -> Answer:
        """POST /register; `token` is an initial access token."""

        async def register() -> Mapping[str, Any]:
            return await self.flows.register.register(metadata, token, address)

        return await answer_to(register)

    async def device_authorization(
        self, authorization: str | None = None, address: str = ADDRESS, **parameters: str
    ) -> Answer:
        """POST /device_authorization."""

        async def begin() -> Mapping[str, Any]:
            request = client_request.read([*parameters.items()], authorization, address, b"")
            return await self.flows.device_authorization.begin(request)

        return await answer_to(begin)

    async def entered(self, user_code: str, address: str = ADDRESS) -> Continue | UnknownCode | TooManyCodes:
        """Types a code into the page /device."""
        form = self.flows.device.form(self.browser_id)
        self.browser_id = form.browser_id
        return await self.flows.device.enter(
            user_code,
            csrf_token=form.csrf_token,
            browser_id=self.browser_id,
            session_id=self.session_id,
            address=address,
        )

    async def decided_device(self, user_code: str, *, approve: bool = True) -> DeviceDecided:
        """Types a code, signs in if needed, and decides."""
        outcome = await self.entered(user_code)
        assert isinstance(outcome, Continue), outcome
        if outcome.needs_sign_in:
            await self.signed_in(outcome.transaction_id)
        decision = await self.decide(outcome.transaction_id, approve=approve)
        assert isinstance(decision, DeviceDecided), decision
        return decision

    async def poll(self, client_id: str | None, device_code: str, **changes: str | None) -> Answer:
        """Polls as a public client does."""
        given = {"client_id": client_id, "device_code": device_code}
        return await self.exchange(grant_type=GrantType.DEVICE_CODE, **{**given, **changes})

    async def redeem(self, client_id: str | None, code: str, **changes: str | None) -> Answer:
        """Redeems a code as a public client does."""
        given = {"client_id": client_id, "code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
        return await self.exchange(grant_type="authorization_code", **{**given, **changes})

    async def refresh(self, client_id: str | None, refresh_token: str, **changes: str | None) -> Answer:
        """Uses a refresh token as a public client does."""
        given = {"client_id": client_id, "refresh_token": refresh_token}
        return await self.exchange(grant_type="refresh_token", **{**given, **changes})

    async def tokens(self, client_id: str, **changes: Any) -> dict[str, Any]:
        """A fresh token response of the browser flow."""
        return ok(await self.redeem(client_id, await self.code(client_id, **changes)))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Looks into the store's file, or tampers with it."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(statement).fetchall()

    def dump(self) -> str:
        """Everything in the store's file, as text."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return "\n".join(connection.iterdump())

    async def claims(self, token: str, resource: str = RESOURCE) -> AccessToken:
        """The claims of a token that a resource server would accept now."""
        keys = await self.keys.published_keys()
        return access_token.verify(token, keys=keys, issuer=ISSUER, audience=resource, now=self.clock.now())


def ok(answer: Answer) -> dict[str, Any]:
    """The body of a successful answer."""
    assert answer.status == 200, answer
    assert answer.body is not None
    return dict(answer.body)


def error(answer: Answer) -> tuple[int, str]:
    """Status and error code of a refusal."""
    assert answer.body is not None
    assert set(answer.body) == {"error", "error_description"}
    return answer.status, answer.body["error"]


def unverified_header(token: str) -> dict[str, Any]:
    """The header of a token, unchecked."""
    return dict(jws.extract_compact(token.encode()).headers())


@asynccontextmanager
async def open_world(
    path: Path,
    clock: SettableClock | None = None,
    *,
    backend: str = "sqlite",
    documents: DocumentSource = NO_DOCUMENTS,
) -> AsyncIterator[World]:
    """A world on the store at that path, with one person in it."""
    clock = clock or SettableClock()
    async with BACKENDS[backend](path) as store:
        keys = await open_key_ring(store, MASTER_KEY, clock, SystemEntropy(), outage=LONGEST_OUTAGE, rsa_key=an_rsa_key)
        world = World(store, keys, await open_passwords(FAST_ARGON2), clock, path, documents=documents)
        if await store.user_by_email(EMAIL) is None:
            with contextlib.suppress(CannotDo):  # another process was faster
                await world.administration.people.create(EMAIL, PASSWORD)
        yield world
