"""`/token`: load what the request names, let the protocol decide, commit in one atomic step (RFC 6749 §3.2)."""

from auth_server.domain.deployment import Deployment
from auth_server.flows.answers import JsonAnswer
from auth_server.ports import ClientStore, CodeStore, GrantStore, KeyRing, RefreshStore
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy


class Token:
    """Issues tokens."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clients: ClientStore,
        codes: CodeStore,
        refresh_tokens: RefreshStore,
        grants: GrantStore,
        keys: KeyRing,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._deployment = deployment
        self._clients, self._codes, self._refresh_tokens, self._grants = clients, codes, refresh_tokens, grants
        self._keys, self._clock, self._entropy = keys, clock, entropy

    async def exchange(self, pairs: list[tuple[str, str]], authorization: str | None) -> JsonAnswer:
        """Answers a token request.

        `pairs` are the body's parameters in order and with duplicates; `authorization` is the header's value. The web
        layer has checked method, content type and size, and that the URL has no query. Never raises: a store that
        cannot answer becomes 503.
        """
        raise NotImplementedError
