"""What every store promises about device authorizations, and grants that no browser has led to."""

from dataclasses import replace

import pytest

from auth_server.domain.client import GrantType
from auth_server.domain.device import (
    DEVICE_CODE_LIFETIME,
    DEVICE_MEMORY,
    LONGEST_INTERVAL,
    POLL_INTERVAL,
    SLOW_DOWN_SECONDS,
    DeviceAuthorization,
)
from auth_server.domain.grant import REPLAY_WINDOW, RefreshToken, RefreshTokenKey
from auth_server.ports.devices import (
    Approved,
    DecidedDevice,
    Denied,
    Expired,
    Pending,
    TooFast,
    Unknown,
)
from auth_server.ports.grants import Gone, Replay, Reused, Rotated, Rotation
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import CLIENT, GRANT, NOW, USER, at_once

pytestmark = pytest.mark.anyio

DEVICE = DeviceAuthorization(
    device_id="device",
    digest="device code",
    family="family",
    client_id=CLIENT.client_id,
    scopes=frozenset({"query", "schemas:read"}),
    resource="https://r/mcp",
    address="2001:db8::7",
    created_at=NOW,
    expires_at=NOW + DEVICE_CODE_LIFETIME,
)
CODE_KEY = RefreshTokenKey(GRANT.grant_id, "family", "device code")


def rotation(successor: str) -> Rotation:
    """What the redemption of the device code, or a later rotation, writes."""
    key = RefreshTokenKey(GRANT.grant_id, "family", successor)
    return Rotation(RefreshToken(key, NOW + 1000), f"sealed for {successor}".encode(), "query https://r/mcp")


async def started(store: Store) -> None:
    """A device that waits for a decision."""
    await store.add_client(replace(CLIENT, grant_types=frozenset({GrantType.DEVICE_CODE})))
    await store.add_user(USER)
    assert await store.start_device(DEVICE)


async def poll(store: Store, at: float = NOW) -> object:
    return await store.poll_device("device", "device code", CLIENT.client_id, at)


async def test_authorizations_come_back_as_they_went_in(store: Store) -> None:
    await started(store)
    assert await store.device("device", NOW) == DEVICE
    assert await store.device("unknown", NOW) is None
    assert await store.device("device", NOW + DEVICE_CODE_LIFETIME) is None


async def test_an_id_is_given_once(store: Store) -> None:
    await started(store)
    assert not await store.start_device(replace(DEVICE, digest="another's"))
    assert await store.device("device", NOW) == DEVICE


async def test_of_40_authorizations_with_one_id_one_is_added(store: Store) -> None:
    numbers = iter(range(40))
    outcomes = await at_once(lambda: store.start_device(replace(DEVICE, digest=f"code {next(numbers)}")))
    assert outcomes.count(True) == 1


async def test_a_device_waits_until_the_person_allows(store: Store) -> None:
    await started(store)
    assert await poll(store) == Pending()
    assert await store.approve_device(DEVICE, GRANT, NOW + 6)
    assert await store.device("device", NOW + 7) == DecidedDevice(DEVICE, NOW + 6, GRANT.grant_id)
    assert await poll(store, NOW + 6) == Approved(GRANT.grant_id)
    assert list(await store.grants(NOW + 6)) == [GRANT]
    assert await store.grant_by_handle(GRANT.handle, NOW + 6) == GRANT


async def test_a_device_hears_that_the_person_denies(store: Store) -> None:
    await started(store)
    assert await store.deny_device("device", NOW + 1)
    assert await store.device("device", NOW + 1) == DecidedDevice(DEVICE, NOW + 1, None)
    assert await poll(store, NOW + 2) == Denied()
    assert await poll(store, NOW + DEVICE_CODE_LIFETIME) == Denied()
    assert list(await store.grants(NOW + 2)) == []


async def test_i14_an_impatient_device_must_wait_longer_each_time(store: Store) -> None:
    await started(store)
    assert await poll(store, NOW) == Pending()
    assert await poll(store, NOW + 3) == TooFast()
    longer = POLL_INTERVAL + SLOW_DOWN_SECONDS
    assert await poll(store, NOW + 3 + longer - 2) == TooFast()
    assert await poll(store, NOW + 3 + longer - 2 + longer + SLOW_DOWN_SECONDS) == Pending()


async def test_a_poll_that_the_network_delivers_early_is_not_impatient(store: Store) -> None:
    await started(store)
    assert await poll(store, NOW) == Pending()
    assert await poll(store, NOW + POLL_INTERVAL - 0.9) == Pending()


async def test_no_interval_exceeds_the_longest(store: Store) -> None:
    await started(store)
    for _ in range(40):
        await poll(store, NOW + 1)
    assert await poll(store, NOW + 1 + LONGEST_INTERVAL) == Pending()


async def test_of_40_polls_at_once_one_is_patient_and_each_other_costs(store: Store) -> None:
    """The interval of 40 steps is capped; that of a few is exactly what they add up to."""
    await started(store)
    assert await poll(store, NOW - POLL_INTERVAL) == Pending()
    outcomes = await at_once(lambda: poll(store, NOW), 6)
    assert outcomes.count(Pending()) == 1
    assert outcomes.count(TooFast()) == 5
    interval = POLL_INTERVAL + 5 * SLOW_DOWN_SECONDS
    assert await poll(store, NOW + interval - 2) == TooFast()
    assert await poll(store, NOW + interval - 2 + interval + SLOW_DOWN_SECONDS - 1) == Pending()


async def test_what_nobody_decides_expires(store: Store) -> None:
    await started(store)
    end = NOW + DEVICE_CODE_LIFETIME
    assert await poll(store, end) == Expired()
    assert not await store.approve_device(DEVICE, GRANT, end)
    assert not await store.deny_device("device", end)
    assert list(await store.grants(end)) == []


@pytest.mark.parametrize(
    ("device_id", "digest", "client_id"),
    [
        ("other", "device code", "client_a"),
        ("device", "user code", "client_a"),
        ("device", "device code", "client_b"),
    ],
)
async def test_i14_whoever_has_not_the_code_learns_nothing(
    store: Store, device_id: str, digest: str, client_id: str
) -> None:
    await started(store)
    for _ in range(3):
        assert await store.poll_device(device_id, digest, client_id, NOW) == Unknown()
    assert await poll(store, NOW) == Pending()


async def test_a_decision_is_made_once(store: Store) -> None:
    await started(store)
    assert await store.deny_device("device", NOW)
    assert not await store.deny_device("device", NOW)
    assert not await store.approve_device(DEVICE, GRANT, NOW)
    assert await poll(store) == Denied()
    assert list(await store.grants(NOW)) == []


async def test_of_40_decisions_at_once_one_counts(store: Store) -> None:
    await started(store)
    numbers = iter(range(40))

    async def decide() -> bool:
        n = next(numbers)
        if n % 2:
            return await store.deny_device("device", NOW)
        return await store.approve_device(DEVICE, replace(GRANT, grant_id=f"g{n}", handle=f"h{n}"), NOW)

    assert sorted(await at_once(decide)) == [False] * 39 + [True]
    grants = await store.grants(NOW)
    outcome = await poll(store)
    assert outcome == (Approved(grants[0].grant_id) if grants else Denied())
    assert len(grants) <= 1


@pytest.mark.parametrize("gone", ["client", "user", "disabled"])
async def test_whoever_is_gone_gets_no_grant(store: Store, gone: str) -> None:
    await started(store)
    if gone == "client":
        await store.delete_client(CLIENT.client_id, NOW)
    elif gone == "user":
        await store.delete_user(USER.user_id, NOW)
    else:
        await store.disable_user(USER.user_id, NOW)
    assert not await store.approve_device(DEVICE, GRANT, NOW)
    assert not await store.add_grant(GRANT, NOW)
    assert list(await store.grants(NOW)) == []


async def test_the_device_code_is_the_first_token_of_its_family(store: Store) -> None:
    """Its redemption is a rotation: repeated soon it gives the same answer, later it ends the grant."""
    await started(store)
    assert await store.refreshed_grant(CODE_KEY) is None
    await store.approve_device(DEVICE, GRANT, NOW)
    assert await store.refreshed_grant(CODE_KEY) == GRANT
    assert await store.rotate(CODE_KEY, rotation("rt1"), NOW + 1) == Rotated()
    assert await store.rotate(CODE_KEY, rotation("rt2"), NOW + 2) == Replay(b"sealed for rt1")
    assert await poll(store, NOW + 3) == Approved(GRANT.grant_id)
    assert await store.rotate(CODE_KEY, rotation("rt2"), NOW + 1 + REPLAY_WINDOW) == Reused()
    assert await store.rotate(rotation("rt1").successor.key, rotation("rt2"), NOW + 200) == Gone()
    assert await store.grant_by_handle(GRANT.handle, NOW + 200) is None


async def test_of_40_redemptions_of_a_device_code_all_get_the_tokens_of_one(store: Store) -> None:
    await started(store)
    await store.approve_device(DEVICE, GRANT, NOW)
    numbers = iter(range(40))
    outcomes = await at_once(lambda: store.rotate(CODE_KEY, rotation(f"rt{next(numbers)}"), NOW + 1))
    assert outcomes.count(Rotated()) == 1
    replayed = {outcome.sealed for outcome in outcomes if isinstance(outcome, Replay)}
    assert len(replayed) == 1
    assert len([outcome for outcome in outcomes if isinstance(outcome, Replay)]) == 39


async def test_an_approval_that_is_not_fetched_in_time_gives_nothing(store: Store) -> None:
    await started(store)
    await store.approve_device(DEVICE, GRANT, NOW)
    assert await store.rotate(CODE_KEY, rotation("rt1"), NOW + DEVICE_CODE_LIFETIME) == Gone()


async def test_a_grant_without_a_browser_counts_as_any_other(store: Store) -> None:
    await store.add_client(CLIENT)
    await store.add_user(USER)
    assert await store.add_grant(GRANT, NOW)
    assert list(await store.grants(NOW, USER.user_id)) == [GRANT]
    assert await store.has_grant(USER.user_id, CLIENT.client_id, NOW)
    assert await store.grant_by_handle(GRANT.handle, NOW) == GRANT
    assert await store.revoke_grant_by_handle(GRANT.handle, CLIENT.client_id, NOW)
    assert await store.grant_by_handle(GRANT.handle, NOW) is None
    assert list(await store.grants(NOW)) == []


async def test_sweeping_forgets_authorizations_an_hour_after_they_expired(store: Store) -> None:
    await started(store)
    await store.sweep(NOW + DEVICE_CODE_LIFETIME + DEVICE_MEMORY - 1)
    assert await poll(store, NOW + DEVICE_CODE_LIFETIME) == Expired()
    await store.sweep(NOW + DEVICE_CODE_LIFETIME + DEVICE_MEMORY)
    assert await poll(store, NOW + DEVICE_CODE_LIFETIME) == Unknown()


async def test_sweeping_keeps_a_grant_while_its_tokens_live(store: Store) -> None:
    await started(store)
    await store.approve_device(DEVICE, GRANT, NOW)
    await store.rotate(
        CODE_KEY, replace(rotation("rt1"), successor=RefreshToken(rotation("rt1").successor.key, NOW + 8000)), NOW
    )
    await store.sweep(NOW + 7000)
    assert list(await store.grants(NOW + 7000)) == [GRANT]
    await store.sweep(NOW + 8001)
    assert list(await store.grants(NOW + 8001)) == []
