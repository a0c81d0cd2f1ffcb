"""Initial access tokens in Redis."""

from collections.abc import Sequence
from dataclasses import asdict

from auth_server.adapters.redis_store.database import Argument, Database
from auth_server.adapters.redis_store.fields import Fields, pairs, text
from auth_server.adapters.redis_store.reading import read, read_all
from auth_server.domain.initial_token import InitialToken


class RedisInitialTokens:
    """Implements InitialTokenStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_initial_token(self, token: InitialToken) -> None:
        """See InitialTokenStore."""
        await self._database.run(
            "add_initial_token",
            token.token_id,
            token.created_at,
            token.expires_at,
            *pairs(initial_token_fields(token)),
        )

    async def initial_token(self, token_id: str) -> InitialToken | None:
        """See InitialTokenStore."""
        found = await read(self._database, "initial-token", token_id)
        return initial_token_from(found) if found else None

    async def initial_tokens(self) -> Sequence[InitialToken]:
        """See InitialTokenStore."""
        return [initial_token_from(found) async for found in read_all(self._database, "initial-token")]

    async def revoke_initial_token(self, token_id: str) -> bool:
        """See InitialTokenStore."""
        return bool(await self._database.run("revoke_initial_token", token_id, durable=True))


def initial_token_fields(token: InitialToken) -> dict[str, Argument]:
    """The fields of a token."""
    return asdict(token)


def initial_token_from(found: Fields) -> InitialToken:
    """The token of these fields."""
    return InitialToken(
        token_id=text(found, "token_id"),
        digest=text(found, "digest"),
        label=text(found, "label"),
        max_uses=int(found["max_uses"]),
        uses=int(found["uses"]),
        created_at=float(found["created_at"]),
        expires_at=float(found["expires_at"]),
    )
