"""Which client a request comes from: the one place where flows let clients prove who they are."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from auth_server.domain.audit import EventName
from auth_server.domain.client import Client, Registration
from auth_server.domain.credentials import digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.client_documents import ClientDocuments
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.key_sets import KeySets
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.replays import ReplayStore
from auth_server.protocol import client_assertion, client_auth, document_url, public_keys
from auth_server.protocol.client_assertion import Assertion, Defect
from auth_server.protocol.public_keys import PublicKey
from shared_kernel.access_token import CLOCK_SKEW

# These say that the client's host is in trouble, or asked too often: nothing about the client's credentials.
_PASSING = {Reason.KEY_SET_UNAVAILABLE, Reason.CLIENT_DOCUMENT_UNAVAILABLE, Reason.TOO_MANY_REQUESTS}


_REMEMBERED = 1000
"""Clients whose inline keys need not be read again."""


class ClientAuthentication:
    """Authenticates clients, and slows down those that guess."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        documents: ClientDocuments,
        key_sets: KeySets,
        replays: ReplayStore,
        limiter: AttemptLimiter,
        trail: AuditTrail,
    ) -> None:
        self._deployment, self._clients, self._documents = deployment, clients, documents
        self._key_sets, self._replays = key_sets, replays
        self._limiter, self._trail = limiter, trail
        self._inline_keys: OrderedDict[str, Sequence[PublicKey]] = OrderedDict()

    async def authenticate(self, request: ClientRequest, now: float) -> Client:
        """The client whose credentials came with the request, or that is public and named by it.

        An assertion is used up by this. A failure turns into TOO_MANY_REQUESTS after many others. Only failures are
        counted, after the fact: nobody's wrong guesses keep a right secret out. Raises StoreUnavailable, and Refused:
        CLIENT_NOT_AUTHENTICATED, TOO_MANY_REQUESTS, KEY_SET_UNAVAILABLE, CLIENT_DOCUMENT_UNAVAILABLE.
        """
        credentials = request.credentials
        client_id = credentials.unverified_client_id
        try:
            if credentials.assertion is not None:
                return await self._asserted(credentials.assertion, request.address, now)
            return client_auth.authenticate(await self._clients.client(client_id), credentials, now)
        except Refused as refused:
            if refused.reason in _PASSING:
                raise Refused(refused.reason, replace(refused.facts, client_id=client_id)) from refused
            wait = await self._limiter.client_authentication_failed(client_id, request.address)
            facts = replace(refused.facts, client_id=client_id, retry_after=wait)
            reason = Reason.CLIENT_NOT_AUTHENTICATED if wait is None else Reason.TOO_MANY_REQUESTS
            raise Refused(reason, facts) from refused

    async def _asserted(self, assertion: Assertion, address: str, now: float) -> Client:
        """The client that has signed the assertion. Raises Refused."""
        try:
            # Nothing is fetched for an assertion that no key could make good.
            client_assertion.check(assertion, self._deployment, now)
            client = await self._client(assertion.client_id, address)
            key = await self._key(client, assertion, address) if client else None
            client_assertion.verify(assertion, key, Defect.NO_SUCH_KEY if client else Defect.NO_SUCH_CLIENT)
            assert client is not None  # only clients have keys
            # RFC 7523 §3: "the authorization server MAY ensure that JWTs are not replayed"; OpenID Connect Core §9
            # requires that a jti is used once.
            mark = f"client-assertion:{digest(f'{client.client_id} {assertion.token_id}')}"
            if not await self._replays.use_once(mark, assertion.expires_at + CLOCK_SKEW, now):
                raise client_assertion.refused(Defect.REPLAYED)
        except Refused as refused:
            self._trail.record(
                EventName.CLIENT_ASSERTION_REFUSED,
                client_id=assertion.client_id,
                address=address,
                reason=refused.reason.value,
                detail=refused.facts.defect,
            )
            raise
        return client

    async def _client(self, client_id: str, address: str) -> Client | None:
        """The client, by its present document if it has one: keys in it may have been withdrawn."""
        client = await self._clients.client(client_id)
        if client and client.registration is Registration.DOCUMENT and client.has_keys:
            return await self._documents.client(client_id, address)
        return client

    async def _key(self, client: Client, assertion: Assertion, address: str) -> PublicKey | None:
        def chosen(keys: Sequence[PublicKey]) -> PublicKey | None:
            return public_keys.chosen(keys, assertion.algorithm, assertion.key_id)

        if client.jwks is not None:
            return chosen(self._keys_in(client.jwks))
        if client.jwks_uri is None:
            return None
        origin = document_url.foreign_origin(client.jwks_uri, self._deployment.issuer)
        if client.registration is not Registration.OPERATOR:
            document_url.check_policy(origin, self._deployment)
        return await self._key_sets.find(client.jwks_uri, origin, chosen, address)

    def _keys_in(self, jwks: str) -> Sequence[PublicKey]:
        """The keys in a client's registration, which are read once as long as they are the same."""
        if jwks not in self._inline_keys:
            self._inline_keys[jwks] = public_keys.from_text(jwks)
        self._inline_keys.move_to_end(jwks)
        if len(self._inline_keys) > _REMEMBERED:
            self._inline_keys.popitem(last=False)
        return self._inline_keys[jwks]
