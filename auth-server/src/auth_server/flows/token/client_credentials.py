"""`grant_type=client_credentials` (RFC 6749 §4.4)."""

from collections import OrderedDict
from dataclasses import dataclass

from auth_server.domain.client import Client, GrantType
from auth_server.domain.deployment import Deployment
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.token.issuing import Issuing
from auth_server.ports.clients import ClientStore
from auth_server.protocol import resource_indicator
from auth_server.protocol.authlib import client_credentials
from auth_server.protocol.authlib.server import TokenRequest
from auth_server.protocol.token import IssuedTokens
from shared_kernel.dpop import Proof

REMEMBERED = 10_000
"""Most requests of which it is remembered what they were granted."""


@dataclass(frozen=True, slots=True)
class _Granted:
    """What a request was granted, and the client whose it was."""

    client: Client
    scopes: frozenset[str]
    resource: str


class ClientCredentials:
    """Issues tokens to clients that act for themselves.

    Programs send the same request all day. What was granted to one is granted to the next that equals it to the byte,
    unread, while the client's registration and secrets are the same. Neither request nor secret is kept, only a digest.
    """

    def __init__(self, *, deployment: Deployment, clients: ClientStore, issuing: Issuing) -> None:
        self._deployment, self._clients, self._issuing = deployment, clients, issuing
        self._granted: OrderedDict[bytes, _Granted] = OrderedDict()

    async def exchange(self, request: ClientRequest, client: Client, now: float) -> IssuedTokens:
        """The tokens. Raises Refused, StoreUnavailable."""
        given = request.parameters
        decision = client_credentials.decide(TokenRequest(client, request.credentials.method, given.values))
        resource = resource_indicator.resolve(given.resources, self._deployment)
        granted = _Granted(decision.client, decision.scopes, resource)
        # An assertion and a proof are judged each time, and good for one token.
        if request.credentials.assertion is None and request.proof is None:
            self._remember(request.fingerprint, granted)
        return await self._issue(granted, request.address, request.proof, now)

    async def again(self, fingerprint: bytes, address: str, now: float) -> IssuedTokens | None:
        """The tokens for a request with this fingerprint and no proof; None if it must be read.

        Raises StoreUnavailable.
        """
        granted = self._granted.get(fingerprint)
        if granted is None:
            return None
        if await self._clients.client(granted.client.client_id) != granted.client:
            self._granted.pop(fingerprint, None)
            return None
        self._granted.move_to_end(fingerprint)
        return await self._issue(granted, address, None, now)

    def _remember(self, fingerprint: bytes, granted: _Granted) -> None:
        if any(secret.expires_at is not None for secret in granted.client.secrets):
            return  # one of its secrets ends soon, without a change that would be seen here
        self._granted[fingerprint] = granted
        if len(self._granted) > REMEMBERED:
            self._granted.popitem(last=False)

    async def _issue(self, granted: _Granted, address: str, proof: Proof | None, now: float) -> IssuedTokens:
        client = granted.client
        issued = await self._issuing.for_client(client, granted.scopes, granted.resource, proof, now)
        self._issuing.record(issued, GrantType.CLIENT_CREDENTIALS, client.client_id, address)
        return issued
