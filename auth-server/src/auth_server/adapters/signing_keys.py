"""The signing keys, opened with the master key.

How a rotation stays unnoticed. Every key is published before it signs: the first two, active and next, appear
together, so no key set was ever served without `next`; a later `next` may be promoted only PUBLICATION_LEAD (600 s)
after it appeared, when every cache (max-age 300 s) has been filled again. After promotion the old key stays published
for RETIRED_LIFETIME. Each server process reads the stages anew when its copy is a second old; until then it signs with
a key that all caches know.

While the store is away a process signs with the keys that it read last, for as long as it is told to, which is
LONGEST_OUTAGE at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from anyio import to_thread
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import ECKey, RSAKey

from auth_server.adapters.key_generations import Generation, NewRsaKey, generation_from, new_generation, new_rsa_key
from auth_server.domain.signing_key import LONGEST_OUTAGE, PUBLICATION_LEAD, KeyStage, SealedKey
from auth_server.ports.keys import Published, SigningKeyStore
from auth_server.ports.store import StoreUnavailable
from auth_server.protocol import id_token
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy
from shared_kernel.signer import Signer

SNAPSHOT_AGE = 1.0
"""Seconds after which the stages are read anew."""
RETRY_SECONDS = 1.0
"""Seconds for which a store that was away is not asked again."""
_NONCE_BYTES = 12


class KeysLost(Exception):
    """The store has had signing keys, and has none."""

    def __init__(self) -> None:
        super().__init__("the signing keys are gone from the store: restore it from its backup")


class WrongMasterKey(Exception):
    """The store's signing keys were sealed under another master key."""

    def __init__(self) -> None:
        super().__init__(
            "the master key does not open the signing keys in the store; use the key they were sealed with"
        )


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The keys as they were read at `taken_at`, on the monotonic clock, and as they are `stored`."""

    stored: tuple[SealedKey, ...]
    active: Signer
    id_token_key: RSAKey | ECKey
    published: Mapping[str, ECKey]
    shown: Published
    taken_at: float


class SealedKeyRing:
    """Implements KeyRing over a SigningKeyStore. Opened by open_key_ring()."""

    def __init__(
        self,
        store: SigningKeyStore,
        master_key: bytes,
        snapshot: _Snapshot,
        clock: Clock,
        entropy: Entropy,
        *,
        outage: float,
        rsa_key: NewRsaKey,
    ) -> None:
        self._store, self._master_key, self._clock, self._entropy = store, master_key, clock, entropy
        self._snapshot, self._outage, self._rsa_key = snapshot, outage, rsa_key
        self._away_until = 0.0

    async def signing_key(self) -> Signer:
        """See KeyRing."""
        return (await self._fresh_enough()).active

    async def id_token_key(self) -> RSAKey | ECKey:
        """See KeyRing."""
        return (await self._fresh_enough()).id_token_key

    async def published_keys(self) -> Mapping[str, ECKey]:
        """See KeyRing. An unreachable store leaves the last known set in place."""
        return (await self._fresh_or_last()).published

    async def published(self) -> Published:
        """See KeyRing, and published_keys()."""
        return (await self._fresh_or_last()).shown

    def published_at_once(self) -> Published | None:
        """See KeyRing."""
        return self._snapshot.shown if self._age() < SNAPSHOT_AGE else None

    async def keys(self) -> Sequence[SealedKey]:
        """See KeyRing."""
        return await self._store.signing_keys(self._clock.now())

    async def withdraw(self, key_id: str) -> bool:
        """See KeyRing."""
        following = await self._following()
        now = self._clock.now()
        withdrawn = await self._store.withdraw_key(await self._generation_of(key_id), following, now)
        self._snapshot = await self._read()
        return withdrawn

    async def rotate(self) -> float | None:
        """See KeyRing."""
        wait = max((key.promotable_at for key in await self.keys() if key.stage is KeyStage.NEXT), default=0.0)
        wait -= self._clock.now()
        if wait > 0:  # no reason to make a key; whether there is one to promote, the store decides
            return wait
        following = await self._following()
        now = self._clock.now()
        promotable_at = await self._store.promote_next_key(following, now)
        if promotable_at is not None:
            return promotable_at - now
        self._snapshot = await self._read()
        return None

    async def rotate_older(self, seconds: float) -> bool:
        """See KeyRing."""
        since = [key.changed_at for key in await self.keys() if key.stage is KeyStage.ACTIVE]
        if not since or self._clock.now() - since[0] < seconds:
            return False
        # Who comes second finds a next key that has just been published, and may not promote it.
        return await self.rotate() is None

    async def _following(self) -> SealedKey:
        """A key to be published next."""
        generation = await _made(self._rsa_key)
        now = self._clock.now()
        lead = now + PUBLICATION_LEAD
        return _sealed(generation, KeyStage.NEXT, self._master_key, self._entropy, now, promotable_at=lead)

    async def _generation_of(self, key_id: str) -> str:
        """The id under which a key is stored; an unknown one stays what it is."""
        stored = (key.key_id for key in await self.keys() if key_id in generation_from(key.public_jwk).keys)
        return next(stored, key_id)

    async def _fresh_enough(self) -> _Snapshot:
        """The keys as they are, or as they were a moment ago if the store is away. Raises StoreUnavailable."""
        try:
            return await self._fresh()
        except StoreUnavailable:
            if self._age() >= self._outage:
                raise
            return self._snapshot

    async def _fresh_or_last(self) -> _Snapshot:
        try:
            return await self._fresh()
        except StoreUnavailable:
            return self._snapshot

    async def _fresh(self) -> _Snapshot:
        if self._age() >= SNAPSHOT_AGE:
            if self._clock.monotonic() < self._away_until:
                raise StoreUnavailable
            try:
                self._snapshot = await self._read()
            except StoreUnavailable:
                self._away_until = self._clock.monotonic() + RETRY_SECONDS
                raise
        return self._snapshot

    def _age(self) -> float:
        """Seconds since the keys were read."""
        return self._clock.monotonic() - self._snapshot.taken_at

    async def _read(self) -> _Snapshot:
        taken_at = self._clock.monotonic()
        stored = tuple(await self._store.signing_keys(self._clock.now()))
        if stored == self._snapshot.stored:
            return replace(self._snapshot, taken_at=taken_at)
        return _open(stored, self._master_key, taken_at)


async def open_key_ring(
    store: SigningKeyStore,
    master_key: bytes,
    clock: Clock,
    entropy: Entropy,
    *,
    outage: float = 0.0,
    rsa_key: NewRsaKey = new_rsa_key,
) -> SealedKeyRing:
    """The store's keys; creates the first two in a new store. Raises WrongMasterKey, KeysLost, StoreUnavailable.

    `outage` is for how many seconds they sign without being read anew while the store is away; `rsa_key` makes the keys
    of ID tokens.
    """
    now, taken_at = clock.now(), clock.monotonic()
    keys = await store.signing_keys(now)
    if not any(key.stage is KeyStage.ACTIVE for key in keys):
        # Of two processes that get here at once, one stores its keys and both go on with those.
        keys = await store.ensure_signing_keys(
            _sealed(await _made(rsa_key), KeyStage.ACTIVE, master_key, entropy, now, promotable_at=now),
            _sealed(await _made(rsa_key), KeyStage.NEXT, master_key, entropy, now, promotable_at=now),
        )
    if not any(key.stage is KeyStage.ACTIVE for key in keys):
        raise KeysLost
    snapshot = _open(keys, master_key, taken_at)
    return SealedKeyRing(
        store, master_key, snapshot, clock, entropy, outage=min(outage, LONGEST_OUTAGE), rsa_key=rsa_key
    )


def _open(keys: Sequence[SealedKey], master_key: bytes, taken_at: float) -> _Snapshot:
    (active,) = (key for key in keys if key.stage is KeyStage.ACTIVE)
    published = [generation_from(key.public_jwk) for key in keys]
    try:
        private = AESGCM(master_key).decrypt(
            active.sealed[:_NONCE_BYTES], active.sealed[_NONCE_BYTES:], active.key_id.encode()
        )
    except InvalidTag as error:
        raise WrongMasterKey from error
    generation = generation_from(private)
    id_token_key = generation.id_tokens or generation.access_tokens
    key_set = {key_id: key for each in published for key_id, key in each.keys.items()}
    return _Snapshot(
        stored=tuple(keys),
        active=Signer(generation.access_tokens),
        id_token_key=id_token_key,
        published={each.key_id: each.access_tokens for each in published},
        shown=Published(key_set, id_token.algorithm(id_token_key)),
        taken_at=taken_at,
    )


async def _made(rsa_key: NewRsaKey) -> Generation:
    # Looking for two primes takes long enough for others to notice.
    return await to_thread.run_sync(new_generation, rsa_key)


def _sealed(
    generation: Generation, stage: KeyStage, master_key: bytes, entropy: Entropy, now: float, *, promotable_at: float
) -> SealedKey:
    nonce, private = entropy.bytes(_NONCE_BYTES), generation.to_json(private=True).encode()
    return SealedKey(
        key_id=generation.key_id,
        stage=stage,
        public_jwk=generation.to_json(private=False),
        sealed=nonce + AESGCM(master_key).encrypt(nonce, private, generation.key_id.encode()),
        changed_at=now,
        promotable_at=promotable_at,
    )
