"""Signing keys and their life: published first, then used, then kept until no token of theirs is left."""

from dataclasses import dataclass
from enum import StrEnum

from shared_kernel import access_token

JWKS_MAX_AGE = 300
"""Seconds for which resource servers may cache the key set."""
PUBLICATION_LEAD = 2 * JWKS_MAX_AGE
"""Seconds for which a later `next` key is published before it may sign, so that every cache has seen it."""
RETIRED_LIFETIME = access_token.LIFETIME + access_token.CLOCK_SKEW + 2 * JWKS_MAX_AGE
"""Seconds for which a retired key stays published."""
LONGEST_OUTAGE = RETIRED_LIFETIME - access_token.LIFETIME - access_token.CLOCK_SKEW
"""Most seconds for which a key may go on signing unseen: after a rotation that was missed, its last token still expires
before it is published no longer."""


class KeyStage(StrEnum):
    """Where a key is in its life."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A signing key as it is stored: one for access tokens, and the one for ID tokens that was made with it.

    `key_id` is the first one's. `public_jwk` is the JWK set that is published of them, as JSON; of a key of the first
    release, its JWK. `sealed` is the same with the private parts, encrypted under the master key; empty once retired.
    `changed_at` is when it entered its stage; a `next` key may be promoted from `promotable_at` on.
    """

    key_id: str
    stage: KeyStage
    public_jwk: str
    sealed: bytes
    changed_at: float
    promotable_at: float
