"""Initial access tokens. ClientStore.add_client() counts their uses."""

from collections.abc import Sequence
from typing import Protocol

from auth_server.domain.initial_token import InitialToken


class InitialTokenStore(Protocol):
    """Initial access tokens, until they expire."""

    async def add_initial_token(self, token: InitialToken) -> None:
        """Adds a token, whose id is new."""
        ...

    async def initial_token(self, token_id: str) -> InitialToken | None:
        """The token of that id, good or not; one that has expired may be gone."""
        ...

    async def initial_tokens(self) -> Sequence[InitialToken]:
        """All tokens, used up or not, oldest first; some that have expired may be among them."""
        ...

    async def revoke_initial_token(self, token_id: str) -> bool:
        """Removes a token; False if there is none of that id. Clients that were registered with it stay."""
        ...
