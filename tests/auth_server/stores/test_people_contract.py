"""What every store promises about people: whoever is disabled or deleted is out at once, everywhere."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from auth_server.domain.user import Session
from auth_server.ports.authorizations import Redeemed
from auth_server.ports.grants import Gone, Rotated
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import CLIENT, CODE, FIRST, GRANT, NOW, TRANSACTION, USER, key, rotation

pytestmark = pytest.mark.anyio

SESSION = Session("s1", USER.user_id, NOW, NOW + 1000)


async def _disable(store: Store) -> None:
    assert await store.disable_user(USER.user_id, NOW)


async def _delete(store: Store) -> None:
    assert await store.delete_user(USER.user_id, NOW)


OUT = pytest.mark.parametrize("put_out", [_disable, _delete])


async def _begun(store: Store) -> None:
    """A client, a user with a session, and a transaction of theirs."""
    await store.add_client(CLIENT)
    await store.add_user(USER)
    assert await store.start_session(SESSION, verified_hash=USER.password_hash, replaces=None)
    await store.start_transaction(TRANSACTION)


@OUT
async def test_sessions_end(store: Store, put_out: Callable[[Store], Awaitable[None]]) -> None:
    await _begun(store)
    await put_out(store)
    assert await store.session("s1", NOW) is None
    assert not await store.start_session(SESSION, verified_hash=USER.password_hash, replaces=None)


@OUT
async def test_b20_nothing_can_be_approved(store: Store, put_out: Callable[[Store], Awaitable[None]]) -> None:
    await _begun(store)
    await put_out(store)
    assert not await store.approve("txn", GRANT, CODE, NOW)
    assert await store.transaction("txn", NOW) == TRANSACTION


@OUT
async def test_codes_give_nothing(store: Store, put_out: Callable[[Store], Awaitable[None]]) -> None:
    await _begun(store)
    await store.approve("txn", GRANT, CODE, NOW)
    await put_out(store)
    assert await store.redeem("code", FIRST, NOW) == Gone()


@OUT
async def test_e11_e18_refresh_tokens_give_nothing(store: Store, put_out: Callable[[Store], Awaitable[None]]) -> None:
    await _begun(store)
    await store.approve("txn", GRANT, CODE, NOW)
    await store.redeem("code", FIRST, NOW)
    await store.rotate(key("rt1"), rotation("rt2"), NOW)
    await put_out(store)
    assert await store.rotate(key("rt1"), rotation("rt3"), NOW) == Gone()  # not even the replay of a moment ago
    assert await store.rotate(key("rt2"), rotation("rt3"), NOW) == Gone()


async def test_who_is_enabled_again_goes_on_where_they_were(store: Store) -> None:
    await _begun(store)
    await store.approve("txn", GRANT, CODE, NOW)
    await store.disable_user(USER.user_id, NOW)
    await store.disable_user(USER.user_id, NOW + 5)
    assert await store.user(USER.user_id) == replace(USER, disabled_at=NOW)
    assert await store.enable_user(USER.user_id)
    assert await store.user(USER.user_id) == USER
    assert await store.redeem("code", FIRST, NOW) == Redeemed()
    assert await store.rotate(key("rt1"), rotation("rt2"), NOW) == Rotated()


async def test_whose_sessions_have_ended_gets_none_of_them_back(store: Store) -> None:
    await _begun(store)
    await store.disable_user(USER.user_id, NOW)
    await store.enable_user(USER.user_id)
    assert await store.session("s1", NOW) is None
    assert list(await store.sessions(NOW)) == []


async def test_who_comes_back_under_the_same_address_is_somebody_else(store: Store) -> None:
    await _begun(store)
    await store.approve("txn", GRANT, CODE, NOW)
    await store.delete_user(USER.user_id, NOW)
    assert await store.user(USER.user_id) is None
    assert await store.add_user(replace(USER, user_id="usr_b"))
    assert await store.grants(NOW) == []


async def test_a_new_password_ends_sessions_and_sign_ins_under_way(store: Store) -> None:
    await _begun(store)
    assert await store.set_password_hash(USER.user_id, "new")
    assert await store.session("s1", NOW) is None
    assert not await store.start_session(SESSION, verified_hash=USER.password_hash, replaces=None)
    assert await store.start_session(SESSION, verified_hash="new", replaces=None)


async def test_a_renewed_hash_does_not_undo_a_new_password(store: Store) -> None:
    await _begun(store)
    await store.renew_password_hash(USER.user_id, USER.password_hash, "renewed")
    assert await store.user(USER.user_id) == replace(USER, password_hash="renewed")
    assert await store.session("s1", NOW) == SESSION
    await store.renew_password_hash(USER.user_id, USER.password_hash, "stale")
    assert await store.user(USER.user_id) == replace(USER, password_hash="renewed")


async def test_unknown_people_cannot_be_changed(store: Store) -> None:
    assert not await store.disable_user("usr_x", NOW)
    assert not await store.enable_user("usr_x")
    assert not await store.delete_user("usr_x", NOW)
    assert not await store.set_password_hash("usr_x", "h")
    assert not await store.end_session("s9")


async def test_people_sessions_and_grants_can_be_listed(store: Store) -> None:
    await _begun(store)
    bob = replace(USER, user_id="usr_b", email="bob@example.com", created_at=NOW + 1)
    await store.add_user(bob)
    assert list(await store.users()) == [USER, bob]
    assert list(await store.sessions(NOW)) == [SESSION]
    assert list(await store.sessions(SESSION.expires_at)) == []
    assert await store.end_session("s1")
    assert list(await store.sessions(NOW)) == []
    await store.approve("txn", GRANT, CODE, NOW)
    assert list(await store.grants(NOW)) == list(await store.grants(NOW, GRANT.user_id)) == [GRANT]
    assert list(await store.grants(NOW, "usr_other")) == []
    assert list(await store.grants(GRANT.expires_at)) == []
    assert not await store.revoke_grant_by_handle("unknown", None, NOW)
    assert await store.revoke_grant_by_handle("h", None, NOW)
    assert not await store.revoke_grant_by_handle("h", None, NOW)
    assert list(await store.grants(NOW)) == []
