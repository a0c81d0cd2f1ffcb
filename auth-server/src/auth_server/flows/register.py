"""`/register`: dynamic registration of public clients (RFC 7591)."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain.audit import EventName
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import Addition, ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import registration
from shared_kernel.clock import Clock


class Register:
    """Registers clients."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
    ) -> None:
        self._deployment, self._clients, self._limiter = deployment, clients, limiter
        self._trail, self._clock = trail, clock

    async def register(self, metadata: object, address: str) -> Mapping[str, Any]:
        """Registers a client; gives the body of the answer (RFC 7591 §3.2.1).

        `metadata` is the parsed JSON body, whatever it is; `address` the caller's. Raises StoreUnavailable, and Refused
        (TOO_MANY_REQUESTS, CLIENT_DELETED, or what registration.register raises).
        """
        registered = registration.register(metadata, self._deployment.redirect_schemes, self._clock.now())
        # Clients register at every start: those that are known cost nothing, and no flood of new ones keeps them out.
        if await self._clients.client(registered.client.client_id) is None:
            retry_after = await self._limiter.registration_attempt(address)
            if retry_after is not None:
                raise Refused(Reason.TOO_MANY_REQUESTS, Facts(retry_after=retry_after))
        # What the operator has deleted would come back under the same id.
        addition = await self._clients.add_client(registered.client)
        if addition is Addition.DELETED:
            raise Refused(Reason.CLIENT_DELETED, Facts(client_id=registered.client.client_id))
        if addition is Addition.ADDED:
            self._trail.record(EventName.CLIENT_REGISTERED, client_id=registered.client.client_id, address=address)
        return registered.answer
