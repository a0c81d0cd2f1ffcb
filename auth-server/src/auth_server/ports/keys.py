"""Signing keys: sealed in the store, opened in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from joserfc.jwk import ECKey, RSAKey

from auth_server.domain.signing_key import SealedKey
from shared_kernel.signer import Signer

PublicKey = ECKey | RSAKey
"""A key of either kind, with its id."""


@dataclass(frozen=True, slots=True)
class Published:
    """What is published of the keys: all public ones by `kid`, and the algorithm that ID tokens are signed with."""

    key_set: Mapping[str, PublicKey]
    id_token_algorithm: str


class SigningKeyStore(Protocol):
    """Sealed signing keys."""

    async def ensure_signing_keys(self, active: SealedKey, following: SealedKey) -> Sequence[SealedKey]:
        """Stores the two unless the store has ever had keys, in one step; gives the keys there are then.

        None at all means that they have been lost.
        """
        ...

    async def signing_keys(self, now: float) -> Sequence[SealedKey]:
        """The keys to publish: active, next, and retired ones younger than RETIRED_LIFETIME."""
        ...

    async def promote_next_key(self, following: SealedKey, now: float) -> float | None:
        """Retires the active key, makes `next` active and `following` next, in one step.

        Gives None when done, else the time from which the present `next` key may be promoted.
        """
        ...

    async def withdraw_key(self, key_id: str, following: SealedKey, now: float) -> bool:
        """Removes a key, in one step: of the active one `next` takes the place, of `next` the key `following`.

        False if there is no such key.
        """
        ...


class KeyRing(Protocol):
    """The signing keys, opened. Notices a rotation by another process within a second."""

    async def signing_key(self) -> Signer:
        """The one active private key. Raises StoreUnavailable."""
        ...

    async def published_keys(self) -> Mapping[str, ECKey]:
        """The public keys of access tokens by `kid`: active, next, and recently retired."""
        ...

    async def id_token_key(self) -> RSAKey | ECKey:
        """The one active private key for ID tokens; that of access tokens where there is none. Raises StoreUnavailable.

        Its `kid` is set.
        """
        ...

    async def published(self) -> Published:
        """What is published now, or was when the keys could last be read."""
        ...

    def published_at_once(self) -> Published | None:
        """The same, if the keys need not be read for it."""
        ...

    async def keys(self) -> Sequence[SealedKey]:
        """The keys as they are stored, read anew; oldest first."""
        ...

    async def withdraw(self, key_id: str) -> bool:
        """Removes a key at once, and what was made with it: nothing signed with either is to be believed any more.

        False if there is no such key.
        """
        ...

    async def rotate(self) -> float | None:
        """Promotes the next key. None when done, else the seconds to wait until its publication is old enough."""
        ...

    async def rotate_older(self, seconds: float) -> bool:
        """Promotes the next key if the active one has signed for so long; of several processes one does."""
        ...
