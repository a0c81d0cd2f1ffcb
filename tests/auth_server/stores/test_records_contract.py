"""What every store promises about its records: a copy of a store remembers the same and behaves the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from auth_server.adapters.sqlite_store.store import SqliteStore
from auth_server.domain.grant import RefreshToken, RefreshTokenKey
from auth_server.domain.signing_key import KeyStage, SealedKey
from auth_server.flows.administration.copying import BATCH
from auth_server.ports.records import HadKeys, Record, ReplacedToken, StoredClient, StoredGrant, StoredTransaction
from auth_server.ports.store import Store
from tests.auth_server.stores.backends import BACKENDS
from tests.auth_server.stores.full_store import behaviour, everything, fill
from tests.auth_server.stores.test_contract import CLIENT, GRANT, NOW, USER

pytestmark = pytest.mark.anyio

FEW = 7


@pytest.fixture
async def copy(backend: str, tmp_path: Path) -> AsyncIterator[Store]:
    """Another empty store of the backend."""
    async with BACKENDS[backend](tmp_path / "copy") as opened:
        yield opened


async def _copy(source: Store, target: Store) -> None:
    records = await everything(source)
    for start in range(0, len(records), FEW):
        await target.restore(records[start : start + FEW])


async def test_an_empty_store_has_no_records(store: Store) -> None:
    await store.check()
    assert await everything(store) == []


async def test_a_full_store_tells_everything_in_order(store: Store) -> None:
    """What refers to something follows it; a store that lacks its last records is one whose keys were lost."""
    await fill(store)
    records = await everything(store)
    kinds = list(dict.fromkeys(type(record) for record in records))
    assert kinds == list(get_args(Record))
    assert isinstance(records[0], HadKeys)
    assert [key.stage for key in records if isinstance(key, SealedKey)].count(KeyStage.RETIRED) == 1
    grants = {record.grant.grant_id: record for record in records if isinstance(record, StoredGrant)}
    assert grants["revoked"].revoked_at is not None
    assert grants["rotated"].replaced is not None
    assert grants["rotated"].replaced.sealed == b"\x00\xffsealed rt2-rotated"
    assert grants["unused"].live is None
    decided = {r.transaction.digest: r.grant_id for r in records if isinstance(r, StoredTransaction)}
    assert decided["txn-used"] == "used"
    assert decided["txn-denied"] is None


async def test_a_copy_remembers_the_same(store: Store, copy: Store) -> None:
    await fill(store)
    await _copy(store, copy)
    assert set(await everything(copy)) == set(await everything(store))


async def test_many_records_can_be_restored_at_a_time(store: Store) -> None:
    """As many as `store copy` hands over in one batch."""
    people: list[Record] = [replace(USER, user_id=f"usr_{n}", email=f"{n}@example.com") for n in range(BATCH)]
    grants: list[Record] = [
        StoredGrant(
            replace(GRANT, grant_id=f"g{n}", handle=f"h{n}", user_id=f"usr_{n}"),
            RefreshToken(RefreshTokenKey(f"g{n}", "family", f"rt{n}"), NOW + 1000),
            ReplacedToken(f"old{n}", NOW, "query", b"sealed"),
            None,
        )
        for n in range(BATCH)
    ]
    client = StoredClient(CLIENT, NOW, None)
    await store.restore([client, *people])
    await store.restore(grants)
    assert set(await everything(store)) == {client, *people, *grants}
    assert len(await store.grants(NOW)) == BATCH


async def test_a_copy_behaves_the_same(store: Store, copy: Store) -> None:
    await fill(store)
    await _copy(store, copy)
    assert await behaviour(copy) == await behaviour(store)
    assert set(await everything(copy)) == set(await everything(store))


async def test_a_copy_through_another_store_remembers_the_same(store: Store, tmp_path: Path) -> None:
    """From the embedded store to this one and back: nobody is stuck with the store they began with."""
    origin, back = SqliteStore.open(tmp_path / "origin"), SqliteStore.open(tmp_path / "back")
    try:
        await fill(origin)
        await _copy(origin, store)
        await _copy(store, back)
        assert set(await everything(back)) == set(await everything(origin))
        assert await behaviour(store) == await behaviour(origin)
    finally:
        origin.close()
        back.close()
