"""Sealed signing keys in Redis."""

from collections.abc import Sequence

from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import fields, pairs
from auth_server.adapters.redis_store.key_fields import key_fields, key_from
from auth_server.domain.signing_key import RETIRED_LIFETIME, KeyStage, SealedKey


class RedisSigningKeys:
    """Implements SigningKeyStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ensure_signing_keys(self, active: SealedKey, following: SealedKey) -> Sequence[SealedKey]:
        """See SigningKeyStore."""
        of_active = key_fields(active)
        found = await self._database.run(
            "ensure_signing_keys",
            active.key_id,
            following.key_id,
            len(of_active),
            *pairs(of_active),
            *pairs(key_fields(following)),
        )
        return _published(found, active.changed_at)

    async def signing_keys(self, now: float) -> Sequence[SealedKey]:
        """See SigningKeyStore."""
        return _published(await self._database.run("signing_keys"), now)

    async def promote_next_key(self, following: SealedKey, now: float) -> float | None:
        """See SigningKeyStore."""
        promotable_at: bytes = await self._database.run(
            "promote_next_key", following.key_id, now, *pairs(key_fields(following)), durable=True
        )
        return float(promotable_at) if promotable_at else None

    async def withdraw_key(self, key_id: str, following: SealedKey, now: float) -> bool:
        """See SigningKeyStore."""
        withdrawn = await self._database.run(
            "withdraw_key", key_id, now, following.key_id, *pairs(key_fields(following)), durable=True
        )
        return bool(withdrawn)


def _published(found: Sequence[Sequence[bytes]], now: float) -> list[SealedKey]:
    keys = [key_from(fields(each)) for each in found if each]
    published = (key for key in keys if key.stage is not KeyStage.RETIRED or key.changed_at > now - RETIRED_LIFETIME)
    return sorted(published, key=lambda key: (key.changed_at, key.key_id))
