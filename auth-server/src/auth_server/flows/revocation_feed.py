"""`/revocations`: what has ended before its time, for resource servers that look every few seconds."""

import math
from collections.abc import Sequence

from auth_server.domain.deployment import Deployment
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.ports.keys import KeyRing
from auth_server.ports.revocations import RevocationStore
from shared_kernel import revocations
from shared_kernel.access_token import CLOCK_SKEW
from shared_kernel.clock import Clock
from shared_kernel.revocations import Feed

ANSWER_SECONDS = 1.0
"""How long an answer serves everybody who asks: whoever asks often costs the store nothing."""
OVERLAP_SECONDS = CLOCK_SKEW + 5
"""A feed goes back behind its cursor by so much: clocks differ, and a revocation is dated before it is committed."""


class RevocationFeed:
    """Writes the feed; at most once a second, and once for each cursor."""

    def __init__(self, *, deployment: Deployment, store: RevocationStore, keys: KeyRing, clock: Clock) -> None:
        self._deployment, self._store, self._keys, self._clock = deployment, store, keys, clock
        self._known: Sequence[Revocation] = ()
        self._made_at = -math.inf
        self._answers: dict[int, str] = {}

    async def feed(self, after: str | None) -> str:
        """The signed feed of what was revoked since the one that gave this cursor; of all that matters without one.

        A cursor that is none counts as left out. Raises StoreUnavailable.
        """
        if self._clock.monotonic() - self._made_at >= ANSWER_SECONDS:
            asked_at, now = self._clock.monotonic(), self._clock.now()
            self._known = await self._store.revocations(now - revocations.MEMORY)
            self._made_at, self._answers = asked_at, {}
        start = self._start(after)
        if start not in self._answers:
            self._answers[start] = await self._written(start)
        return self._answers[start]

    def _start(self, after: str | None) -> int:
        """The whole second at which a feed for that cursor begins, one of so many."""
        earliest = math.floor(self._clock.now() - revocations.MEMORY)
        if after is None or len(after) > len(str(earliest)) or not (after.isascii() and after.isdecimal()):
            return earliest
        return max(earliest, min(int(after), earliest + revocations.MEMORY) - OVERLAP_SECONDS)

    async def _written(self, start: int) -> str:
        now = self._clock.now()
        ended = [revocation for revocation in self._known if revocation.at >= start]
        feed = Feed(
            issued_at=now,
            cursor=str(math.floor(now)),
            key_ids=frozenset(await self._keys.published_keys()),
            grants=_of(Revoked.GRANT, ended),
            clients=_of(Revoked.CLIENT, ended),
            users=_of(Revoked.USER, ended),
            members=_of(Revoked.MEMBERSHIP, ended),
        )
        return revocations.write(await self._keys.signing_key(), self._deployment.issuer, feed)


def _of(revoked: Revoked, ended: Sequence[Revocation]) -> dict[str, float]:
    return {revocation.name: revocation.at for revocation in ended if revocation.revoked is revoked}
