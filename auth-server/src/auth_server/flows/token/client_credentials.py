"""`grant_type=client_credentials` (RFC 6749 §4.4)."""

from auth_server.domain.deployment import Deployment
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.token.issuing import Issuing, log_issued
from auth_server.ports.clients import ClientStore
from auth_server.protocol import resource_indicator
from auth_server.protocol.authlib import client_credentials
from auth_server.protocol.authlib.server import TokenRequest
from auth_server.protocol.token import IssuedTokens


class ClientCredentials:
    """Issues tokens to clients that act for themselves."""

    def __init__(self, *, deployment: Deployment, clients: ClientStore, issuing: Issuing) -> None:
        self._deployment, self._clients, self._issuing = deployment, clients, issuing

    async def exchange(self, request: ClientRequest, now: float) -> IssuedTokens:
        """The tokens. Raises Refused, StoreUnavailable."""
        given = request.parameters
        client = await self._clients.client(request.credentials.unverified_client_id)
        decision = client_credentials.decide(TokenRequest(client, request.credentials, given.values, now))
        resource = resource_indicator.resolve(given.resources, self._deployment)
        issued = await self._issuing.for_client(decision.client, decision.scopes, resource, now)
        log_issued(request, issued)
        return issued
