"""Clients that are known by their metadata document: kept in the store, fetched anew when it is time."""

import math
from collections import OrderedDict
from dataclasses import replace
from weakref import WeakValueDictionary

import anyio

from auth_server.domain.audit import EventName
from auth_server.domain.client import Client, Registration
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import Addition, ClientStore
from auth_server.ports.documents import DocumentSource, DocumentUnavailable, Obstacle
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import client_documents, document_url
from shared_kernel.clock import Clock

STALE_SECONDS = 86400.0
"""How much longer than it should a document counts while its host cannot be reached."""
RETRY_SECONDS = 30
"""How long a refusal stands before the host is asked again."""
_MOST_REFUSALS = 1000
_TEXTS = {
    Obstacle.FORBIDDEN_ADDRESS: "Its host is not on the public Internet.",
    Obstacle.UNREACHABLE: "Its host does not answer, or has no valid certificate.",
    Obstacle.TOO_SLOW: "Its host took too long.",
    Obstacle.STATUS: "Its host answered with another status than 200; redirects are not followed.",
    Obstacle.SERVER_ERROR: "Its host could not serve it.",
    Obstacle.CONTENT_TYPE: "Its Content-Type is not application/json.",
    Obstacle.CONTENT_ENCODING: "It came compressed, which was not asked for.",
    Obstacle.TOO_LONG: "It is longer than 5 KB.",
}


class ClientDocuments:
    """Answers who a client id of the form `https://…` is.

    One request at a time goes out for an id, however many people ask. What a document said is a row in the store, which
    every process shares and which the later steps of a sign-in rest on; that it cannot be had, or is not valid, is
    remembered here for RETRY_SECONDS and never replaces a row.
    """

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        source: DocumentSource,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
    ) -> None:
        self._deployment, self._clients, self._source = deployment, clients, source
        self._limiter, self._trail, self._clock = limiter, trail, clock
        self._turns: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
        self._refusals: OrderedDict[str, tuple[float, Refused]] = OrderedDict()

    async def client(self, client_id: str, address: str) -> Client:
        """The client as its document has it; `address` is the network address of whoever asks.

        Raises Refused (UNKNOWN_CLIENT, CLIENT_DOCUMENT_URL, CLIENT_DOCUMENT_NOT_ALLOWED, CLIENT_DOCUMENT_UNAVAILABLE,
        CLIENT_DOCUMENT_REFUSED, CLIENT_DOCUMENT_INVALID, CLIENT_DELETED, TOO_MANY_REQUESTS), StoreUnavailable.
        """
        asked_at = self._clock.now()
        known = await self._clients.client(client_id)
        if known and known.registration is not Registration.DOCUMENT:
            return known
        origin = document_url.foreign_origin(client_id, self._deployment.issuer)
        try:
            document_url.check_policy(origin, self._deployment)
        except Refused as refused:
            raise Refused(refused.reason, Facts(client_id=client_id)) from refused
        if known and _is_current(known, asked_at):
            return known
        turn = self._turns.setdefault(client_id, anyio.Lock())
        async with turn:
            known = await self._clients.client(client_id)
            # One that must not be kept still answers everybody who asked before it came.
            if known and _is_current(known, asked_at):
                return known
            try:
                self._raise_remembered(client_id)
                return await self._fetched(client_id, origin, address)
            except Refused as refused:
                return self._stale(known, refused)

    async def _fetched(self, client_id: str, origin: str, address: str) -> Client:
        wait = await self._limiter.document_fetch(origin, address)
        if wait is not None:
            raise Refused(Reason.TOO_MANY_REQUESTS, Facts(client_id=client_id, retry_after=wait))
        try:
            document = await self._source.document(client_id)
            now = self._clock.now()
            client = client_documents.client(client_id, document, self._deployment.redirect_schemes, now)
        except DocumentUnavailable as obstacle:
            reason = Reason.CLIENT_DOCUMENT_UNAVAILABLE if obstacle.may_pass else Reason.CLIENT_DOCUMENT_REFUSED
            facts = Facts(client_id=client_id, retry_after=RETRY_SECONDS, defect=_TEXTS[obstacle.obstacle])
            unavailable = EventName.CLIENT_DOCUMENT_UNAVAILABLE
            self._trail.record(
                unavailable, client_id=client_id, address=address, reason=reason.value, detail=str(obstacle)
            )
            raise self._remembered(client_id, Refused(reason, facts)) from obstacle
        except Refused as refused:
            self._trail.record(
                EventName.CLIENT_DOCUMENT_INVALID,
                client_id=client_id,
                address=address,
                reason=refused.reason.value,
                detail=refused.facts.defect,
            )
            raise self._remembered(client_id, refused) from refused
        if await self._clients.add_client(client) is Addition.DELETED:
            raise Refused(Reason.CLIENT_DELETED, Facts(client_id=client_id))
        self._trail.record(
            EventName.CLIENT_DOCUMENT_READ, client_id=client_id, address=address, client_name=client.name
        )
        return client

    def _remembered(self, client_id: str, refused: Refused) -> Refused:
        self._refusals[client_id] = (self._clock.monotonic() + RETRY_SECONDS, refused)
        self._refusals.move_to_end(client_id)
        if len(self._refusals) > _MOST_REFUSALS:
            self._refusals.popitem(last=False)
        return refused

    def _raise_remembered(self, client_id: str) -> None:
        until, refused = self._refusals.get(client_id, (0.0, None))
        if refused is None:
            return
        wait = math.ceil(until - self._clock.monotonic())
        if wait > 0:
            raise Refused(refused.reason, replace(refused.facts, retry_after=wait))
        del self._refusals[client_id]

    def _stale(self, known: Client | None, refused: Refused) -> Client:
        """What was known before, if it has not been out of date for long and nothing worse than silence came."""
        waits = {Reason.CLIENT_DOCUMENT_UNAVAILABLE, Reason.TOO_MANY_REQUESTS}
        if known and refused.reason in waits and self._clock.now() < (known.document_expires_at or 0.0) + STALE_SECONDS:
            return known
        raise refused


def _is_current(client: Client, now: float) -> bool:
    """Whether the client's row stands as it is: the operator's always, a document's while the document may be kept."""
    return client.registration is not Registration.DOCUMENT or (client.document_expires_at or 0.0) >= now
