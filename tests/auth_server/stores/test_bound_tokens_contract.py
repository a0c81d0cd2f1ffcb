"""What every store promises about refresh tokens that are bound to a key."""

from dataclasses import replace

import pytest

from auth_server.domain.grant import REPLAY_WINDOW
from auth_server.ports.authorizations import LoadedCode, Redeemed
from auth_server.ports.grants import Gone, OtherKey, Replay, ReplayDiffers, Reused, Rotated, Rotation
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import CODE, FIRST, GRANT, NOW, approvable, at_once, family, key, rotation

pytestmark = pytest.mark.anyio

BOUND = replace(GRANT, key_thumbprint="k1")


def by(thumbprint: str | None, successor: str = "rt2") -> Rotation:
    """A rotation by the holder of that key."""
    return replace(rotation(successor), key_thumbprint=thumbprint)


async def bound_family(store: Store) -> None:
    """A grant with a fresh refresh token, rt1, bound to k1."""
    await approvable(store)
    assert await store.approve("txn", GRANT, CODE, NOW)
    assert await store.redeem("code", FIRST, NOW, "k1") == Redeemed()


async def test_a_code_keeps_its_key(store: Store) -> None:
    await approvable(store)
    code = replace(CODE, key_thumbprint="k1")
    assert await store.approve("txn", GRANT, code, NOW)
    assert await store.code("code") == LoadedCode(code, GRANT)


async def test_redemption_binds_the_grant(store: Store) -> None:
    await bound_family(store)
    assert await store.refreshed_grant(FIRST.key) == BOUND
    assert list(await store.grants(NOW)) == [BOUND]


async def test_redemption_without_a_key_binds_nothing(store: Store) -> None:
    await family(store)
    assert await store.refreshed_grant(FIRST.key) == GRANT


@pytest.mark.parametrize("thumbprint", [None, "k2"])
async def test_i16_another_key_rotates_nothing(store: Store, thumbprint: str | None) -> None:
    await bound_family(store)
    assert await store.rotate(key("rt1"), by(thumbprint), NOW) == OtherKey()
    assert await store.rotate(key("rt1"), by("k1"), NOW) == Rotated()


@pytest.mark.parametrize("thumbprint", [None, "k2"])
async def test_i16_another_key_gets_no_replay_and_revokes_nothing(store: Store, thumbprint: str | None) -> None:
    """Whoever has stolen a token without its key can neither use it nor end the grant."""
    await bound_family(store)
    assert await store.rotate(key("rt1"), by("k1"), NOW) == Rotated()
    assert await store.rotate(key("rt1"), by(thumbprint, "rt3"), NOW + 1) == OtherKey()
    assert await store.rotate(key("rt1"), by(thumbprint, "rt3"), NOW + REPLAY_WINDOW) == OtherKey()
    assert await store.rotate(key("rt2"), by("k1", "rt3"), NOW + REPLAY_WINDOW) == Rotated()


async def test_the_same_key_gets_its_replay_and_its_reuse_is_noticed(store: Store) -> None:
    await bound_family(store)
    assert await store.rotate(key("rt1"), by("k1"), NOW) == Rotated()
    assert await store.rotate(key("rt1"), by("k1", "rt3"), NOW + 1) == Replay(b"sealed for rt2")
    differing = replace(by("k1", "rt3"), request="another")
    assert await store.rotate(key("rt1"), differing, NOW + 1) == ReplayDiffers()
    assert await store.rotate(key("rt1"), by("k1", "rt3"), NOW + REPLAY_WINDOW) == Reused()
    assert await store.rotate(key("rt2"), by("k1", "rt3"), NOW + REPLAY_WINDOW) == Gone()


async def test_a_rotation_binds_a_family_that_was_not_bound(store: Store) -> None:
    """RFC 9449 §5: a refresh token that is issued to a public client beside a proof is bound to its key."""
    await family(store)
    assert await store.rotate(key("rt1"), by("k1"), NOW) == Rotated()
    assert await store.rotate(key("rt2"), by(None, "rt3"), NOW) == OtherKey()
    assert await store.rotate(key("rt2"), by("k1", "rt3"), NOW) == Rotated()


async def test_of_forty_keys_at_once_one_binds_the_family(store: Store) -> None:
    await family(store)
    keys = iter(range(40))
    outcomes = await at_once(lambda: store.rotate(key("rt1"), by(f"k{next(keys)}"), NOW))
    assert outcomes.count(Rotated()) == 1
    assert outcomes.count(OtherKey()) == 39


async def test_of_forty_rotations_by_one_key_all_give_the_same(store: Store) -> None:
    await bound_family(store)
    outcomes = await at_once(lambda: store.rotate(key("rt1"), by("k1"), NOW))
    assert outcomes.count(Rotated()) + outcomes.count(Replay(b"sealed for rt2")) == 40
