"""`/par`: a client sends its authorization request ahead, so that no browser can change it (RFC 9126)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.authorization import PUSHED_LIFETIME, PushedRequest
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_documents import ClientDocuments
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.possession import Possession
from auth_server.ports.audit import AuditTrail
from auth_server.ports.limits import AttemptLimiter
from auth_server.ports.pushed_requests import PushedRequestStore
from auth_server.protocol import authorize, client_documents, par
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


class Par:
    """Takes authorization requests from clients."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        documents: ClientDocuments,
        pushed_requests: PushedRequestStore,
        authentication: ClientAuthentication,
        possession: Possession,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._documents, self._pushed_requests = deployment, documents, pushed_requests
        self._authentication, self._possession, self._limiter = authentication, possession, limiter
        self._trail, self._clock, self._entropy = trail, clock, entropy

    def nonce(self) -> str:
        """The nonce for the next proof of possession."""
        return self._possession.nonce()

    async def push(self, request: ClientRequest) -> Mapping[str, Any]:
        """Judges the request as `/authorize` would, and keeps it if it is good; gives the response body.

        It is judged again when the browser comes: what its client may do can have changed by then. Raises Refused,
        StoreUnavailable.
        """
        now, client_id = self._clock.now(), request.credentials.unverified_client_id
        # A public client proves nothing, and leaves a row all the same.
        wait = await self._limiter.authorization_attempt(request.address)
        if wait is not None:
            raise Refused(Reason.TOO_MANY_REQUESTS, Facts(retry_after=wait))
        try:
            if client_documents.is_document_id(client_id):
                await self._documents.client(client_id, request.address)
            client = await self._authentication.authenticate(request, now)
            request = self._possession.judged(request, "/par", now)
            kept = par.to_keep(request.parameters, client, request.proof)
            authorize.unverified_client_id(kept)
            proven = authorize.prove(kept, client, self._deployment)
            authorize.judge(kept, proven, self._deployment, now, pushed=True)
            await self._possession.use(request.proof, now)
        except Refused as refused:
            raise Refused(refused.reason, replace(refused.facts, client_id=client_id)) from refused
        uri = credentials.new_request_uri(self._entropy)
        await self._pushed_requests.push(
            PushedRequest(credentials.digest(uri), client.client_id, kept, now + PUSHED_LIFETIME)
        )
        self._trail.record(EventName.REQUEST_PUSHED, client_id=client.client_id, address=request.address)
        return par.body(uri)
