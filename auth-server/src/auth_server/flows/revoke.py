"""`/revoke`: token revocation (RFC 7009)."""

from auth_server.domain.deployment import Deployment
from auth_server.flows.answers import JsonAnswer
from auth_server.ports import ClientStore, GrantStore, KeyRing, RefreshStore
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
        raise NotImplementedError
