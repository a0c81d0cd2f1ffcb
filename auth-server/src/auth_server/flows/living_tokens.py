"""Access tokens that count now: what has been revoked since is asked of the store, each time."""

from dataclasses import dataclass

from auth_server.domain.credentials import is_user_id
from auth_server.domain.deployment import Deployment
from auth_server.domain.grant import Grant
from auth_server.domain.revocation import Revoked
from auth_server.ports.clients import ClientStore
from auth_server.ports.grants import GrantStore
from auth_server.ports.keys import KeyRing
from auth_server.ports.revocations import RevocationStore
from auth_server.protocol.issued_token import issued
from shared_kernel import revocations
from shared_kernel.access_token import CLOCK_SKEW, AccessToken


@dataclass(frozen=True, slots=True)
class Living:
    """A token that counts, and the grant that it was issued under; None for a client's own."""

    token: AccessToken
    grant: Grant | None


class LivingTokens:
    """Tells whether an access token counts.

    A resource server that follows the feed of revocations decides the same, a few seconds later.
    """

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        grants: GrantStore,
        revocations: RevocationStore,
        keys: KeyRing,
    ) -> None:
        self._deployment, self._clients, self._grants = deployment, clients, grants
        self._revocations, self._keys = revocations, keys

    async def find(self, unverified_token: str, now: float) -> Living | None:
        """The token, if it is an access token of this server's that counts now. Raises StoreUnavailable."""
        token = issued(unverified_token, keys=await self._keys.published_keys(), deployment=self._deployment, now=now)
        # The clocks of resource servers differ from ours; our own is no reason for patience.
        if token is None or now >= token.expires_at:
            return None
        if not is_user_id(token.subject):
            return Living(token, None) if await self._counts(token, now) else None
        grant = await self._grants.grant_by_handle(token.grant_handle, now)
        if grant is None or await self._was_barred(token, now):
            return None
        if token.client_id != grant.client_id and await self._clients.client(token.client_id) is None:
            return None  # exchanged for a client that is gone
        return Living(token, grant)

    async def _counts(self, token: AccessToken, now: float) -> bool:
        """Whether a client's own token does, which has no grant."""
        for client_id in {token.client_id, token.subject}:
            if await self._clients.client(client_id) is None:
                return False
        since = now - revocations.MEMORY
        return await self._revocations.revoked_at(Revoked.GRANT, token.grant_handle, since) is None

    async def _was_barred(self, token: AccessToken, now: float) -> bool:
        """Whether the person was disabled after the token was issued; enabling them does not bring it back."""
        barred_at = await self._revocations.revoked_at(Revoked.USER, token.subject, now - revocations.MEMORY)
        return barred_at is not None and token.issued_at <= barred_at + CLOCK_SKEW
