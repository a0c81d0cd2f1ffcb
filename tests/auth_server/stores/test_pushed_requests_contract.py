"""What every store promises about pushed authorization requests: each starts one transaction."""

from dataclasses import replace

import pytest

from auth_server.domain.authorization import PUSHED_LIFETIME, TRANSACTION_LIFETIME, PushedRequest
from auth_server.ports.pushed_requests import Started
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import NOW, TRANSACTION, at_once

pytestmark = pytest.mark.anyio

PUSHED = PushedRequest(
    "pushed",
    "client_a",
    (("client_id", "client_a"), ("state", "st\x00äte"), ("resource", "a"), ("resource", "b")),
    NOW + PUSHED_LIFETIME,
)


async def test_a_request_comes_back_as_it_went_in(store: Store) -> None:
    await store.push(PUSHED)
    assert await store.pushed_request("pushed", NOW) == PUSHED
    assert await store.pushed_request("unknown", NOW) is None


async def test_a_request_expires(store: Store) -> None:
    await store.push(PUSHED)
    late = NOW + PUSHED_LIFETIME
    assert await store.pushed_request("pushed", late) is None
    assert not await store.start_pushed("pushed", TRANSACTION, late)
    assert await store.transaction("txn", late) is None


async def test_a_request_starts_its_transaction(store: Store) -> None:
    await store.push(PUSHED)
    assert await store.start_pushed("pushed", TRANSACTION, NOW + 1)
    assert await store.transaction("txn", NOW + 1) == TRANSACTION
    assert await store.pushed_request("pushed", NOW + 1) == Started("txn")


async def test_i15_a_request_starts_no_second_transaction(store: Store) -> None:
    await store.push(PUSHED)
    assert await store.start_pushed("pushed", TRANSACTION, NOW)
    assert not await store.start_pushed("pushed", replace(TRANSACTION, digest="other"), NOW)
    assert await store.transaction("other", NOW) is None
    assert not await store.start_pushed("unknown", replace(TRANSACTION, digest="third"), NOW)
    assert await store.transaction("third", NOW) is None


async def test_starting_again_what_was_started_changes_nothing(store: Store) -> None:
    await store.push(PUSHED)
    assert await store.start_pushed("pushed", TRANSACTION, NOW)
    assert await store.deny("txn", NOW + 1)
    assert await store.start_pushed("pushed", TRANSACTION, NOW + PUSHED_LIFETIME + 1)
    assert not await store.deny("txn", NOW + 2)


async def test_what_was_started_is_known_for_as_long_as_its_transaction(store: Store) -> None:
    await store.push(PUSHED)
    assert await store.start_pushed("pushed", TRANSACTION, NOW)
    assert await store.sweep(NOW + TRANSACTION_LIFETIME - 1) == 0
    assert await store.pushed_request("pushed", NOW + TRANSACTION_LIFETIME - 1) == Started("txn")
    assert await store.pushed_request("pushed", NOW + PUSHED_LIFETIME + TRANSACTION_LIFETIME) is None


async def test_what_has_expired_is_swept(store: Store) -> None:
    await store.push(PUSHED)
    assert await store.sweep(NOW + PUSHED_LIFETIME + TRANSACTION_LIFETIME - 1) == 0
    assert await store.sweep(NOW + PUSHED_LIFETIME + TRANSACTION_LIFETIME) == 1


async def test_i15_of_forty_starts_at_once_one_succeeds(store: Store) -> None:
    await store.push(PUSHED)
    digests = iter(range(40))

    async def start() -> bool:
        return await store.start_pushed("pushed", replace(TRANSACTION, digest=f"t{next(digests)}"), NOW)

    assert (await at_once(start)).count(True) == 1
    started = await store.pushed_request("pushed", NOW)
    assert isinstance(started, Started)
    assert await store.transaction(started.transaction_digest, NOW) is not None


async def test_of_forty_starts_of_one_transaction_all_succeed(store: Store) -> None:
    """They come from one browser."""
    await store.push(PUSHED)
    assert await at_once(lambda: store.start_pushed("pushed", TRANSACTION, NOW)) == [True] * 40
