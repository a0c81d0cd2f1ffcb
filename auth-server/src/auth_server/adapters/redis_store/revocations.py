"""What was revoked lately, in Redis."""

from collections.abc import Sequence

from auth_server.adapters.redis_store.database import Database
from auth_server.domain.revocation import Revocation, Revoked


class RedisRevocations:
    """Implements RevocationStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def revocations(self, since: float) -> Sequence[Revocation]:
        """See RevocationStore."""
        found = await self._database.run("revocations", since)
        return [_revocation(member.decode(), float(at)) for member, at in zip(found[::2], found[1::2], strict=True)]

    async def revoked_at(self, revoked: Revoked, name: str, since: float) -> float | None:
        """See RevocationStore."""
        at = await self._database.run("revoked_at", revoked.value, name)
        return float(at) if at is not None and float(at) >= since else None

    async def note_revocation(self, revocation: Revocation) -> None:
        """See RevocationStore."""
        await self._database.run(
            "note_revocation", revocation.revoked.value, revocation.name, revocation.at, durable=True
        )


def _revocation(member: str, at: float) -> Revocation:
    revoked, _, name = member.partition(":")
    return Revocation(Revoked(revoked), name, at)
