"""`/revoke`: token revocation (RFC 7009)."""

from auth_server.domain import credentials
from auth_server.domain.client import Client
from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.answers import JsonAnswer, refusal_answer
from auth_server.ports.clients import ClientStore
from auth_server.ports.grants import GrantStore, RefreshStore
from auth_server.ports.keys import KeyRing
from auth_server.ports.store import StoreUnavailable
from auth_server.protocol import client_auth, parameters, revocation
from shared_kernel.clock import Clock


class Revoke:
    """Revokes tokens."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        refresh_tokens: RefreshStore,
        grants: GrantStore,
        keys: KeyRing,
        clock: Clock,
    ) -> None:
        self._deployment = deployment
        self._clients, self._refresh_tokens, self._grants = clients, refresh_tokens, grants
        self._keys, self._clock = keys, clock

    async def revoke(self, pairs: list[tuple[str, str]], authorization: str | None) -> JsonAnswer:
        """Answers a revocation request; arguments and errors as Token.exchange. Unknown tokens answer 200."""
        now = self._clock.now()
        try:
            given = parameters.parse(pairs)
            presented = client_auth.presented(authorization, given)
            found = await self._clients.client(presented.unverified_client_id)
            client = client_auth.authenticate(found, presented, now)
            # RFC 7009 §2.1: "the authorization server [...] MUST extend its search across all of its supported token
            # types" when a hint misleads; we look at the token alone.
            await self._end(given.required("token"), client, now)
        except Refused as refusal:
            return refusal_answer(refusal.reason)
        except StoreUnavailable:
            return refusal_answer(Reason.STORE_UNAVAILABLE)
        # RFC 7009 §2.2: "invalid tokens do not cause an error response"
        return JsonAnswer(200, None)

    async def _end(self, text: str, client: Client, now: float) -> None:
        loaded = await self._refresh_tokens.refresh_token(credentials.digest(text))
        if loaded is not None:
            if loaded.grant.client_id == client.client_id:
                await self._grants.revoke_grant(loaded.grant.grant_id, now)
            return
        handle = revocation.grant_handle(
            text, keys=await self._keys.published_keys(), deployment=self._deployment, client=client, now=now
        )
        if handle is not None:
            await self._grants.revoke_grant_by_handle(handle, client.client_id, now)
