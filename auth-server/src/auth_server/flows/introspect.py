"""`/introspect`: what a token is worth now, for the server that it is presented to (RFC 7662)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.client import AuthenticationMethod, Client
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_request import ClientRequest
from auth_server.flows.living_tokens import LivingTokens
from auth_server.flows.sightings import Sightings
from auth_server.ports.audit import AuditTrail
from auth_server.ports.grants import RefreshStore
from auth_server.ports.keys import KeyRing
from auth_server.protocol import introspection
from shared_kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Introspection:
    """The members of the answer, and the client that asks."""

    members: Mapping[str, Any]
    client: Client


class Introspect:
    """Answers about tokens."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        refresh_tokens: RefreshStore,
        tokens: LivingTokens,
        keys: KeyRing,
        authentication: ClientAuthentication,
        trail: AuditTrail,
        clock: Clock,
    ) -> None:
        self._deployment, self._refresh_tokens, self._tokens = deployment, refresh_tokens, tokens
        self._keys, self._authentication, self._trail, self._clock = keys, authentication, trail, clock
        self._sightings = Sightings()

    async def introspect(self, request: ClientRequest) -> Introspection:
        """What there is to say of the token; nothing is used up.

        A resource server sees the access tokens for its resource, every client its own tokens. Raises StoreUnavailable,
        and Refused: TOO_MANY_REQUESTS, CLIENT_NOT_AUTHENTICATED, MISSING_PARAMETER.
        """
        now = self._clock.now()
        client = await self._authentication.authenticate(request, now)
        # RFC 7662 §2.1: "To prevent token scanning attacks, the endpoint MUST also require some form of authorization".
        # A public client has none: whoever stole a token of its could learn unnoticed whether it still works.
        if request.credentials.method is AuthenticationMethod.NONE:
            raise Refused(Reason.CLIENT_NOT_AUTHENTICATED, Facts(client_id=client.client_id))
        # RFC 7662 §2.1: token_type_hint only speeds up the search; we look at the token alone.
        text = request.parameters.required("token")
        key = credentials.refresh_token_key(text)
        if key is not None:
            live = await self._refresh_tokens.live_refresh_token(key, now)
            if live is not None and live.grant.client_id == client.client_id:
                self._record(client, request.address, now, live.grant.handle, live.grant.user_id)
                members = introspection.of_refresh_token(live.grant, live.expires_at, self._deployment.issuer)
                return Introspection(members, client)
            return self._inactive(client, request.address, now)
        living = await self._tokens.find(text, now)
        if living is not None and introspection.may_see(client, living.token):
            user_id = living.grant.user_id if living.grant else None
            self._record(client, request.address, now, living.token.grant_handle, user_id)
            return Introspection(introspection.of_access_token(living.token), client)
        return self._inactive(client, request.address, now)

    def _inactive(self, client: Client, address: str, now: float) -> Introspection:
        self._record(client, address, now)
        return Introspection(introspection.INACTIVE, client)

    def _record(
        self, client: Client, address: str, now: float, flow_id: str | None = None, user_id: str | None = None
    ) -> None:
        """Records that this client asks about that flow; of a token that is not active, none is known."""
        if self._sightings.is_new(client.client_id, flow_id or "", now):
            self._trail.record(
                EventName.INTROSPECTED,
                flow_id=flow_id,
                client_id=client.client_id,
                user_id=user_id,
                address=address,
                answer="active" if flow_id else "not active",
            )

    async def signed(self, found: Introspection) -> str:
        """The answer as a JWT (RFC 9701). Raises StoreUnavailable."""
        signer, issuer = await self._keys.signing_key(), self._deployment.issuer
        return introspection.signed(signer, found.members, issuer=issuer, client=found.client, now=self._clock.now())
