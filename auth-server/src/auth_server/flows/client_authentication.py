"""Which client a request comes from: the one place where flows let clients prove who they are."""

from dataclasses import replace

from auth_server.domain.client import Client
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.client_request import ClientRequest
from auth_server.ports.clients import ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import client_auth


class ClientAuthentication:
    """Authenticates clients, and slows down those that guess."""

    def __init__(self, *, clients: ClientStore, limiter: AttemptLimiter) -> None:
        self._clients, self._limiter = clients, limiter

    async def authenticate(self, request: ClientRequest, now: float) -> Client:
        """The client whose credentials came with the request, or that is public and named by it.

        A failure turns into TOO_MANY_REQUESTS after many others. Only failures are counted, after the fact: nobody's
        wrong guesses keep a right secret out. Raises StoreUnavailable, and Refused: CLIENT_NOT_AUTHENTICATED,
        TOO_MANY_REQUESTS.
        """
        client_id = request.credentials.unverified_client_id
        found = await self._clients.client(client_id)
        try:
            return client_auth.authenticate(found, request.credentials, now)
        except Refused as refused:
            wait = await self._limiter.client_authentication_failed(client_id, request.address)
            facts = replace(refused.facts, client_id=client_id, retry_after=wait)
            raise Refused(refused.reason if wait is None else Reason.TOO_MANY_REQUESTS, facts) from refused
