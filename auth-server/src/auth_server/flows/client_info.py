"""`/oauth/client-info`: who a client is."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain.client import AuthenticationMethod
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_request import ClientRequest
from auth_server.ports.clients import ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import client_info
from shared_kernel.clock import Clock


class ClientInfo:
    """Tells who a client is. No document is fetched for it: of a client that nobody has used, nothing is known."""

    def __init__(
        self, *, clients: ClientStore, authentication: ClientAuthentication, limiter: AttemptLimiter, clock: Clock
    ) -> None:
        self._clients, self._authentication = clients, authentication
        self._limiter, self._clock = limiter, clock

    async def public(self, unverified_client_id: str, address: str) -> Mapping[str, Any]:
        """What anyone may know of that client. Raises StoreUnavailable, Refused (NOT_FOUND, TOO_MANY_REQUESTS)."""
        retry_after = await self._limiter.authorization_attempt(address)
        if retry_after is not None:
            raise Refused(Reason.TOO_MANY_REQUESTS, Facts(retry_after=retry_after))
        found = client_info.public(await self._clients.client(unverified_client_id))
        if found is None:
            raise Refused(Reason.NOT_FOUND, Facts(client_id=unverified_client_id))
        return found

    async def own(self, request: ClientRequest) -> Mapping[str, Any]:
        """What the client may know of itself that the request comes from.

        Raises StoreUnavailable, Refused (CLIENT_NOT_AUTHENTICATED, TOO_MANY_REQUESTS).
        """
        client = await self._authentication.authenticate(request, self._clock.now())
        if (
            request.credentials.method is AuthenticationMethod.NONE
        ):  # it has proved nothing, and is told what anyone is told
            return await self.public(client.client_id, request.address)
        return client_info.own(client)
