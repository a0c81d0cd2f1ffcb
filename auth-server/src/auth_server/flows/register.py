"""`/register`: clients register themselves, or with an initial access token of the operator's (RFC 7591)."""

from collections.abc import Mapping
from typing import Any

from auth_server.domain.audit import EventName
from auth_server.domain.credentials import digest, initial_token_id, same_digest
from auth_server.domain.deployment import Deployment, RegistrationPolicy
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.clients import Addition, ClientStore
from auth_server.ports.initial_tokens import InitialTokenStore
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import managed_registration, registration
from auth_server.protocol.registration import Registered
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

_GUESSER = "initial-access-token"
"""As whose failed authentications wrong tokens count."""


class Register:
    """Registers clients."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        initial_tokens: InitialTokenStore,
        limiter: AttemptLimiter,
        trail: AuditTrail,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment, self._clients, self._initial_tokens = deployment, clients, initial_tokens
        self._limiter, self._trail, self._clock, self._entropy = limiter, trail, clock, entropy

    async def register(self, metadata: object, token: str | None, address: str) -> Mapping[str, Any]:
        """Registers a client; gives the body of the answer (RFC 7591 §3.2.1).

        `metadata` is the parsed JSON body, whatever it is; `token` that of the Authorization header; `address` the
        caller's. Raises StoreUnavailable, and Refused (REGISTRATION_OFF, INITIAL_TOKEN_REQUIRED,
        INITIAL_TOKEN_NOT_VALID, TOO_MANY_REQUESTS, CLIENT_DELETED, or what registration.register raises).
        """
        policy = self._deployment.registration
        if policy is RegistrationPolicy.OFF:
            raise Refused(Reason.REGISTRATION_OFF)
        # Where everybody may register, another server's token, which some programs send everywhere, says nothing.
        token_id = initial_token_id(token) if token is not None else None
        if token_id is not None and token is not None:
            return await self._register_invited(metadata, token, token_id, address)
        if policy is RegistrationPolicy.TOKEN:
            raise await self._refused(address) if token else Refused(Reason.INITIAL_TOKEN_REQUIRED)
        return await self._register_anybody(metadata, address)

    async def _register_invited(self, metadata: object, token: str, token_id: str, address: str) -> Mapping[str, Any]:
        now = self._clock.now()
        known = await self._initial_tokens.initial_token(token_id)
        if known is None or not same_digest(digest(token), known.digest) or not known.is_good(now):
            raise await self._refused(address)
        new = managed_registration.new_credentials(self._entropy)
        registered = managed_registration.register(metadata, self._deployment, new, now)
        # The token may have been good for one client, and another request have been faster.
        if await self._clients.add_client(registered.client, token_id) is Addition.NO_TOKEN:
            raise await self._refused(address)
        self._trail.record(
            EventName.CLIENT_REGISTERED, client_id=new.client_id, address=address, initial_token_id=token_id
        )
        return registered.answer

    async def _register_anybody(self, metadata: object, address: str) -> Mapping[str, Any]:
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
        new = managed_registration.new_credentials(self._entropy)
        return managed_registration.register(metadata, self._deployment, new, now)

    async def _refused(self, address: str) -> Refused:
        wait = await self._limiter.client_authentication_failed(_GUESSER, address)
        reason = Reason.INITIAL_TOKEN_NOT_VALID if wait is None else Reason.TOO_MANY_REQUESTS
        return Refused(reason, Facts(retry_after=wait))
