"""`/register`: clients register themselves (RFC 7591)."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.deployment import Deployment, RegistrationPolicy
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import Addition, ClientStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import managed_registration, registration
from auth_server.protocol.registration import Registered
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


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
        entropy: Entropy,
    ) -> None:
        self._deployment, self._clients, self._limiter = deployment, clients, limiter
        self._trail, self._clock, self._entropy = trail, clock, entropy

    async def register(self, metadata: object, address: str) -> Mapping[str, Any]:
        """Registers a client; gives the body of the answer (RFC 7591 §3.2.1).

        `metadata` is the parsed JSON body, whatever it is; `address` the caller's. Raises StoreUnavailable, and Refused
        (REGISTRATION_OFF, TOO_MANY_REQUESTS, CLIENT_DELETED, or what registration.register raises).
        """
        if self._deployment.registration is RegistrationPolicy.OFF:
            raise Refused(Reason.REGISTRATION_OFF)
        registered = self._judged(metadata)
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

    def _judged(self, metadata: object) -> Registered:
        now = self._clock.now()
        if not managed_registration.presents_keys(metadata):
            return registration.register(metadata, self._deployment.redirect_schemes, now)
        client_id = credentials.new_registered_client_id(self._entropy)
        token = credentials.new_registration_token(self._entropy)
        return managed_registration.register(metadata, self._deployment, client_id=client_id, token=token, now=now)
