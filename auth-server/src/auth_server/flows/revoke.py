"""`/revoke`: token revocation (RFC 7009)."""

from auth_server.domain import credentials
from auth_server.domain.audit import EventName
from auth_server.domain.client import Client
from auth_server.domain.deployment import Deployment
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.flows.client_authentication import ClientAuthentication
from auth_server.flows.client_request import ClientRequest
from auth_server.ports.audit import AuditTrail
from auth_server.ports.grants import GrantStore, RefreshStore
from auth_server.ports.keys import KeyRing
from auth_server.ports.revocations import RevocationStore
from auth_server.protocol import revocation
from shared_kernel.clock import Clock


class Revoke:
    """Revokes tokens."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        refresh_tokens: RefreshStore,
        grants: GrantStore,
        revocations: RevocationStore,
        keys: KeyRing,
        authentication: ClientAuthentication,
        trail: AuditTrail,
        clock: Clock,
    ) -> None:
        self._deployment, self._refresh_tokens, self._grants = deployment, refresh_tokens, grants
        self._revocations, self._keys = revocations, keys
        self._authentication, self._trail, self._clock = authentication, trail, clock

    async def revoke(self, request: ClientRequest) -> None:
        """Ends what the token stands for, if it is the client's own.

        RFC 7009 §2.2: "invalid tokens do not cause an error response". Raises StoreUnavailable, and Refused:
        TOO_MANY_REQUESTS, CLIENT_NOT_AUTHENTICATED, MISSING_PARAMETER.
        """
        now = self._clock.now()
        client = await self._authentication.authenticate(request, now)
        # RFC 7009 §2.1: "the authorization server [...] MUST extend its search across all of its supported token
        # types" when a hint misleads; we look at the token alone.
        await self._end(request.parameters.required("token"), client, request.address, now)

    async def _end(self, text: str, client: Client, address: str, now: float) -> None:
        key = credentials.refresh_token_key(text)
        if key is not None:
            grant = await self._refresh_tokens.refreshed_grant(key)
            if grant is None or grant.client_id != client.client_id:
                return
            await self._grants.revoke_grant(grant.grant_id, now)
            handle, user_id = grant.handle, grant.user_id
        else:
            token = revocation.own_token(
                text, keys=await self._keys.published_keys(), deployment=self._deployment, client=client, now=now
            )
            if token is None:
                return
            handle, user_id = token.grant_handle, token.subject
            if token.subject == client.client_id:  # its own, without a grant
                await self._revocations.note_revocation(Revocation(Revoked.GRANT, handle, now))
                user_id = None
            elif not await self._grants.revoke_grant_by_handle(handle, client.client_id, now):
                return
        self._trail.record(
            EventName.GRANT_REVOKED, flow_id=handle, client_id=client.client_id, user_id=user_id, address=address
        )
