"""Sealed signing keys in DynamoDB: all of them in one item. Another one says whether there have ever been any."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from auth_server.adapters.dynamodb_store.items import SIGNING_KEYS, STORE, Item
from auth_server.adapters.dynamodb_store.table import ConditionFailed, Table, TransactionFailed
from auth_server.adapters.dynamodb_store.writes import NEW, Put, Update, Write
from auth_server.domain.signing_key import RETIRED_LIFETIME, KeyStage, SealedKey

T = TypeVar("T")
Keys = list[SealedKey]


class DynamoDbSigningKeys:
    """Implements SigningKeyStore."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def ensure_signing_keys(self, active: SealedKey, following: SealedKey) -> Sequence[SealedKey]:
        """See SigningKeyStore."""
        async with self._table.in_time():
            writes: list[Write] = [
                # Where keys have been, new ones would hide that the old were lost, and refuse every token that is out.
                Update(STORE, {"had_keys": True}, "attribute_not_exists(#had_keys)"),
                keys_put([active, following], self._table.new_name(), NEW),
            ]
            try:
                await self._table.transact(writes)
            except TransactionFailed:
                return _published(keys_of(await self._table.get(SIGNING_KEYS)), active.changed_at)
            return _published([active, following], active.changed_at)

    async def signing_keys(self, now: float) -> Sequence[SealedKey]:
        """See SigningKeyStore."""
        async with self._table.in_time():
            return _published(keys_of(await self._table.get(SIGNING_KEYS)), now)

    async def promote_next_key(self, following: SealedKey, now: float) -> float | None:
        """See SigningKeyStore."""

        def promote(keys: Keys) -> tuple[Keys | None, float | None]:
            (next_key,) = (key for key in keys if key.stage is KeyStage.NEXT)
            if now < next_key.promotable_at:
                return None, next_key.promotable_at
            return [*(_moved(key, now) for key in keys), following], None

        return await self._change_keys(promote, now)

    async def withdraw_key(self, key_id: str, following: SealedKey, now: float) -> bool:
        """See SigningKeyStore."""

        def withdraw(keys: Keys) -> tuple[Keys | None, bool]:
            withdrawn = next((key for key in keys if key.key_id == key_id), None)
            if withdrawn is None:
                return None, False
            left = [key for key in keys if key is not withdrawn]
            if withdrawn.stage is KeyStage.ACTIVE:
                # However new it is: a resource server that does not know it yet asks for it.
                left = [_moved(key, now) for key in left]
            return left if withdrawn.stage is KeyStage.RETIRED else [*left, following], True

        return await self._change_keys(withdraw, now)

    async def forget_retired(self, now: float) -> int:
        """Deletes the keys that need no longer be published; gives their number."""

        def forget(keys: Keys) -> tuple[Keys | None, int]:
            left = _published(keys, now)
            return (left if len(left) < len(keys) else None), len(keys) - len(left)

        return await self._change_keys(forget, now)

    async def _change_keys(self, change: Callable[[Keys], tuple[Keys | None, T]], now: float) -> T:
        """Stores what the change makes of the keys, unless None, as if nobody else changed them; gives its answer."""
        async with self._table.in_time():
            call, item = self._table.new_name(), await self._table.get(SIGNING_KEYS)
            while True:  # in_time() ends it
                keys, answer = change(keys_of(item))
                if keys is None or item is None:
                    return answer
                condition, values = "#revision = :revision", {"revision": item["revision"]}
                try:
                    await self._table.write(keys_put(_published(keys, now), call, condition, values))
                except ConditionFailed as failed:
                    item = failed.met
                    if item is not None and item["revision"] == call:
                        return answer  # stored by this very call: its first request got through, the answer was lost
                else:
                    return answer


def keys_put(keys: Sequence[SealedKey], revision: str, condition: str | None, values: Item | None = None) -> Put:
    """Stores exactly these keys."""
    stored = [
        {
            "key_id": key.key_id,
            "stage": key.stage.value,
            "public_jwk": key.public_jwk,
            "sealed": key.sealed,
            "changed_at": key.changed_at,
            "promotable_at": key.promotable_at,
        }
        for key in keys
    ]
    return Put(SIGNING_KEYS, {"keys": stored, "revision": revision}, condition, values or {})


def keys_of(item: Item | None) -> Keys:
    """All keys in an item."""
    return [
        SealedKey(
            key_id=key["key_id"],
            stage=KeyStage(key["stage"]),
            public_jwk=key["public_jwk"],
            sealed=key["sealed"],
            changed_at=key["changed_at"],
            promotable_at=key["promotable_at"],
        )
        for key in (item or {"keys": []})["keys"]
    ]


def _published(keys: Keys, now: float) -> Keys:
    shown = [key for key in keys if key.stage is not KeyStage.RETIRED or key.changed_at > now - RETIRED_LIFETIME]
    return sorted(shown, key=lambda key: (key.changed_at, key.key_id))


def _moved(key: SealedKey, now: float) -> SealedKey:
    """The key in its next stage. What can no longer sign need not stay: the private half goes with the stage."""
    match key.stage:
        case KeyStage.NEXT:
            return replace(key, stage=KeyStage.ACTIVE, changed_at=now)
        case KeyStage.ACTIVE:
            return replace(key, stage=KeyStage.RETIRED, sealed=b"", changed_at=now)
        case _:
            return key
