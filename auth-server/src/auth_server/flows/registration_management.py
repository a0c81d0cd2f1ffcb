"""`/register/{client_id}`: a client reads, changes and deletes its own registration (RFC 7592)."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.client import Client
from auth_server.domain.credentials import digest, same_digest
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import managed_registration
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


class RegistrationManagement:
    """Lets clients with random ids manage their registrations.

    Every method takes the id in the URL, the token of the Authorization header and the caller's network address, and
    raises StoreUnavailable, and Refused: REGISTRATION_TOKEN_NOT_VALID, TOO_MANY_REQUESTS.
    """

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._clients, self._limiter = deployment, clients, limiter
        self._trail, self._clock, self._entropy = trail, clock, entropy

    async def read(self, client_id: str, token: str | None, address: str) -> Mapping[str, Any]:
        """The registration as it is."""
        client, token = await self._owner(client_id, token, address)
        return managed_registration.answer(client, self._deployment, token)

    async def update(
        self, client_id: str, token: str | None, metadata: Mapping[str, Any], address: str
    ) -> Mapping[str, Any]:
        """Replaces the registration and its token, in one step. Also raises what registration.register does."""
        client, token = await self._owner(client_id, token, address)
        successor = credentials.new_registration_token(self._entropy)
        changed = managed_registration.update(metadata, client, self._deployment, successor, self._clock.now())
        if not await self._clients.update_client(changed.client, digest(token)):
            raise await self._refused(client_id, address)
        self._trail.record(EventName.CLIENT_CHANGED, client_id=client_id, address=address)
        return changed.answer

    async def delete(self, client_id: str, token: str | None, address: str) -> None:
        """Ends the registration and everything that people allowed the client."""
        _, token = await self._owner(client_id, token, address)
        if not await self._clients.delete_client(client_id, self._clock.now(), digest(token)):
            raise await self._refused(client_id, address)
        self._trail.record(EventName.CLIENT_DELETED, client_id=client_id, address=address)

    async def _owner(self, client_id: str, token: str | None, address: str) -> tuple[Client, str]:
        """The client whose token it is, and the token."""
        client = await self._clients.client(client_id)
        known = (client.registration_token if client else None) or ""
        # An unknown client is refused as a wrong token is (RFC 7592 §2.1).
        if token is None or not same_digest(digest(token), known) or client is None:
            raise await self._refused(client_id, address)
        return client, token

    async def _refused(self, client_id: str, address: str) -> Refused:
        wait = await self._limiter.client_authentication_failed(client_id, address)
        reason = Reason.REGISTRATION_TOKEN_NOT_VALID if wait is None else Reason.TOO_MANY_REQUESTS
        return Refused(reason, Facts(client_id=client_id, retry_after=wait))
