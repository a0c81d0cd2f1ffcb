"""Remembered consents in Redis."""

from collections.abc import Sequence

from auth_server.adapters.redis_store.database import Database
from auth_server.adapters.redis_store.fields import fields
from auth_server.adapters.redis_store.people_fields import consent_field, consent_from
from auth_server.adapters.redis_store.reading import identifiers, pieces
from auth_server.domain.consent import ConsentKey, RememberedConsent


class RedisConsents:
    """Implements ConsentStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def consent(self, key: ConsentKey, now: float) -> RememberedConsent | None:
        """See ConsentStore."""
        field = consent_field(key)
        found: bytes = await self._database.run("consent", key.user_id, key.client_id, field)
        consent = consent_from(key.user_id, field, found) if found else None
        return consent if consent and consent.expires_at > now else None

    async def consents(self, user_id: str, now: float) -> Sequence[RememberedConsent]:
        """See ConsentStore."""
        found = fields(await self._database.run("consents", user_id))
        consents = [consent_from(user_id, field, value) for field, value in found.items()]
        alive = (consent for consent in consents if consent.expires_at > now)
        return sorted(alive, key=lambda consent: (consent.given_at, *consent.key.parts))

    async def end_consents(self, client_id: str, user_id: str | None = None) -> bool:
        """See ConsentStore."""
        user_ids = [user_id] if user_id is not None else await identifiers(self._database, "user")
        ended = [
            await self._database.run("end_consents", client_id, *piece, durable=True) for piece in pieces(user_ids)
        ]
        return any(ended)
