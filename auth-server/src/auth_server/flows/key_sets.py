"""JWK sets that others publish: fetched when needed, kept for a while, fetched anew for a key that is missing."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from auth_server.domain.audit import EventName
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.documents import DocumentSource, DocumentUnavailable
from auth_server.ports.limits import AttemptLimiter
from auth_server.protocol import public_keys
from auth_server.protocol.public_keys import PublicKey, UnusableKeySet
from shared_kernel.clock import Clock

MAX_BYTES = 32 * 1024
"""Longest key set: some hosts publish certificates beside the keys."""
LEAST_AGE, MOST_AGE = 300, 3600
"""Seconds for which a key set is kept, whatever its server says of it."""
STALE_SECONDS = 3600
"""How much longer than it should a key set counts while its host cannot be reached: keys are withdrawn for a reason."""
COOL_DOWN_SECONDS = 30
"""Least time between two requests for one key set, whatever keys are asked for and whatever came of the last one."""
_MOST_SETS = 1000

Choice = Callable[[Sequence[PublicKey]], PublicKey | None]
"""Finds the key that is wanted among those of a set."""


@dataclass(slots=True)
class _Published:
    """What is known of a key set; times are of the monotonic clock."""

    keys: Sequence[PublicKey] = ()
    fresh_until: float = -math.inf
    usable_until: float = -math.inf
    asked_at: float = -math.inf
    refusal: Refused | None = None
    turn: anyio.Lock = field(default_factory=anyio.Lock)


class KeySets:
    """Finds keys in key sets by their URL. One request at a time goes out for a set, however many want a key of it."""

    def __init__(self, *, source: DocumentSource, limiter: AttemptLimiter, trail: AuditTrail, clock: Clock) -> None:
        self._source, self._limiter, self._trail, self._clock = source, limiter, trail, clock
        self._sets: OrderedDict[str, _Published] = OrderedDict()

    async def find(self, url: str, origin: str, choose: Choice, address: str) -> PublicKey | None:
        """The chosen key of the set at that URL, which is of that origin; None if the set has none.

        `address` is the network address of whoever causes the request. Raises StoreUnavailable, and Refused:
        KEY_SET_UNAVAILABLE for a host in trouble, CLIENT_NOT_AUTHENTICATED for one that publishes no key set,
        TOO_MANY_REQUESTS.
        """
        known = self._known(url)
        if self._clock.monotonic() < known.fresh_until and (key := choose(known.keys)):
            return key
        asked_at = known.asked_at
        if self._clock.monotonic() >= asked_at + COOL_DOWN_SECONDS:
            async with known.turn:
                if known.asked_at == asked_at:  # else somebody else's request has answered this one too
                    await self._renew(known, url, origin, address)
        if self._clock.monotonic() < known.usable_until:
            return choose(known.keys)
        assert known.refusal is not None  # what is not usable could not be had
        raise known.refusal

    def _known(self, url: str) -> _Published:
        known = self._sets.setdefault(url, _Published())
        self._sets.move_to_end(url)
        if len(self._sets) > _MOST_SETS:
            self._sets.popitem(last=False)
        return known

    async def _renew(self, known: _Published, url: str, origin: str, address: str) -> None:
        wait = await self._limiter.document_fetch(origin, address)
        if wait is not None:
            known.refusal = Refused(Reason.TOO_MANY_REQUESTS, Facts(retry_after=wait))
            return
        try:
            document = await self._source.document(url, MAX_BYTES)
            keys = public_keys.parse(document.content)
        except DocumentUnavailable as obstacle:
            reason = Reason.KEY_SET_UNAVAILABLE if obstacle.may_pass else Reason.CLIENT_NOT_AUTHENTICATED
            self._trail.record(
                EventName.KEY_SET_UNAVAILABLE, address=address, reason=reason.value, url=url, detail=str(obstacle)
            )
            known.refusal = Refused(reason, Facts(retry_after=COOL_DOWN_SECONDS))
            if not obstacle.may_pass:
                known.usable_until = -math.inf
        except UnusableKeySet as unusable:
            self._trail.record(EventName.KEY_SET_INVALID, address=address, url=url, detail=unusable.defect.value)
            known.refusal, known.usable_until = Refused(Reason.CLIENT_NOT_AUTHENTICATED), -math.inf
        else:
            known.keys, known.refusal = keys, None
            known.fresh_until = self._clock.monotonic() + min(max(LEAST_AGE, document.max_age or 0), MOST_AGE)
            known.usable_until = known.fresh_until + STALE_SECONDS
        known.asked_at = self._clock.monotonic()
