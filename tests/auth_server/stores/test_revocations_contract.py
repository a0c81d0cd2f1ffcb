"""What every store promises about what was revoked lately."""

from dataclasses import replace

import pytest

from auth_server.domain.client import Client
from auth_server.domain.grant import Grant
from auth_server.domain.revocation import Revocation, Revoked
from auth_server.ports.grants import Reused
from auth_server.ports.store import Store
from shared_kernel.revocations import MEMORY
from tests.auth_server.stores.test_contract import CLIENT, CODE, GRANT, NOW, PUBLIC, TRANSACTION, USER

pytestmark = pytest.mark.anyio


async def _granted(store: Store, name: str = "g") -> Grant:
    await store.add_client(CLIENT)
    await store.add_user(USER)
    await store.start_transaction(replace(TRANSACTION, digest=f"txn-{name}"))
    grant = replace(GRANT, grant_id=name, handle=f"handle-{name}")
    assert await store.approve(f"txn-{name}", grant, replace(CODE, digest=f"code-{name}", grant_id=name), NOW)
    return grant


async def _told(store: Store, since: float = NOW) -> set[tuple[str, str, float]]:
    found = await store.revocations(since)
    assert [each.at for each in found] == sorted(each.at for each in found)
    return {(each.revoked.value, each.name, each.at) for each in found}


async def test_nothing_is_revoked_at_first(store: Store) -> None:
    await _granted(store)
    assert await _told(store) == set()


async def test_a_grant_is_told_by_its_handle_however_it_ends(store: Store) -> None:
    one, two, three = [await _granted(store, name) for name in ("one", "two", "three")]
    await store.revoke_grant(one.grant_id, NOW + 1)
    assert await store.revoke_grant_by_handle(two.handle, None, NOW + 2)
    await store.redeem("code-three", None, NOW + 3)
    assert isinstance(await store.redeem("code-three", None, NOW + 4), Reused)
    ended = {("grant", one.handle, NOW + 1), ("grant", two.handle, NOW + 2), ("grant", three.handle, NOW + 4)}
    assert await _told(store) == ended
    await store.revoke_grant(one.grant_id, NOW + 9)  # the first time stays
    assert await _told(store) == ended


@pytest.mark.parametrize("deleted", [CLIENT, PUBLIC])
async def test_a_deleted_client_is_told(store: Store, deleted: Client) -> None:
    await store.add_client(deleted)
    assert await store.delete_client(deleted.client_id, NOW + 1)
    assert not await store.delete_client("unknown", NOW + 2)
    assert await _told(store) == {("client", deleted.client_id, NOW + 1)}


async def test_the_grants_of_a_deleted_client_are_told_too(store: Store) -> None:
    grant = await _granted(store)
    await store.delete_client(grant.client_id, NOW + 1)
    assert ("client", grant.client_id, NOW + 1) in await _told(store)


async def test_people_are_told_when_they_are_disabled_and_when_they_are_deleted(store: Store) -> None:
    await _granted(store)
    assert await store.disable_user(USER.user_id, NOW + 1)
    assert await _told(store) == {("user", USER.user_id, NOW + 1)}
    await store.enable_user(USER.user_id)
    assert await _told(store) == {("user", USER.user_id, NOW + 1)}  # tokens from before stay dead
    await store.disable_user(USER.user_id, NOW + 2)
    assert ("user", USER.user_id, NOW + 2) in await _told(store)
    assert await store.delete_user(USER.user_id, NOW + 3)
    assert ("user", USER.user_id, NOW + 3) in await _told(store)
    assert not await store.disable_user("usr_unknown", NOW + 4)
    assert not await store.delete_user("usr_unknown", NOW + 4)
    assert {at for _, _, at in await _told(store)} <= {NOW + 3}


async def test_what_has_no_grant_can_be_noted(store: Store) -> None:
    await store.note_revocation(Revocation(Revoked.GRANT, "h", NOW))
    await store.note_revocation(Revocation(Revoked.GRANT, "h", NOW + 1))
    assert await _told(store) == {("grant", "h", NOW + 1)}


async def test_one_thing_can_be_asked_about(store: Store) -> None:
    grant = await _granted(store)
    assert await store.revoked_at(Revoked.GRANT, grant.handle, NOW - MEMORY) is None
    await store.revoke_grant(grant.grant_id, NOW + 1)
    await store.disable_user(USER.user_id, NOW + 2)
    await store.note_revocation(Revocation(Revoked.GRANT, "h", NOW + 3))
    await store.note_revocation(Revocation(Revoked.GRANT, "h", NOW + MEMORY))
    since = NOW
    assert await store.revoked_at(Revoked.GRANT, grant.handle, since) == NOW + 1
    assert await store.revoked_at(Revoked.USER, USER.user_id, since) == NOW + 2
    assert await store.revoked_at(Revoked.GRANT, "h", since) == NOW + MEMORY
    assert await store.revoked_at(Revoked.USER, "h", since) is None
    assert await store.revoked_at(Revoked.GRANT, grant.handle, NOW + 1) == NOW + 1
    assert await store.revoked_at(Revoked.GRANT, grant.handle, NOW + 1.5) is None


async def test_only_what_is_asked_for_is_told(store: Store) -> None:
    for second in range(5):
        await store.note_revocation(Revocation(Revoked.GRANT, f"h{second}", NOW + second))
    assert {name for _, name, _ in await _told(store, NOW + 3)} == {"h3", "h4"}


async def test_what_can_have_no_token_left_is_swept(store: Store) -> None:
    await store.note_revocation(Revocation(Revoked.GRANT, "old", NOW))
    await store.note_revocation(Revocation(Revoked.GRANT, "new", NOW + 1))
    await store.sweep(NOW + MEMORY - 1)
    assert {name for _, name, _ in await _told(store)} == {"old", "new"}
    await store.sweep(NOW + MEMORY + 0.5)
    assert {name for _, name, _ in await _told(store)} == {"new"}
