"""What every store promises about initial access tokens: each is good for so many registrations, and no more."""

from dataclasses import replace

import pytest

from auth_server.domain.client import DYNAMIC_LIFETIME, MAX_NEVER_USED, NEVER_USED_LIFETIME, Client
from auth_server.domain.initial_token import InitialToken
from auth_server.ports.clients import Addition
from auth_server.ports.records import StoredClient
from auth_server.ports.store import Store
from tests.auth_server.stores.test_contract import NOW, PUBLIC, at_once

pytestmark = pytest.mark.anyio

TOKEN = InitialToken("token", "digest", "for Ädä", 3, 0, NOW, NOW + 1000)


def _invited(number: int = 0, at: float = NOW) -> Client:
    return replace(PUBLIC, client_id=f"dcr_{number}", registration_token=f"registration-{number}", created_at=at)


async def test_a_token_comes_back_as_it_went_in(store: Store) -> None:
    second = replace(TOKEN, token_id="second", created_at=NOW + 1)
    await store.add_initial_token(second)
    await store.add_initial_token(TOKEN)
    assert await store.initial_token("token") == TOKEN
    assert await store.initial_token("unknown") is None
    assert list(await store.initial_tokens()) == [TOKEN, second]


async def test_h16_a_token_is_good_for_as_many_clients_as_it_says(store: Store) -> None:
    await store.add_initial_token(TOKEN)
    outcomes = [await store.add_client(_invited(number), "token") for number in range(4)]
    assert outcomes == [Addition.ADDED] * 3 + [Addition.NO_TOKEN]
    assert await store.initial_token("token") == replace(TOKEN, uses=3)
    assert await store.client("dcr_2") == _invited(2)
    assert await store.client("dcr_3") is None


async def test_h16_a_token_that_is_unknown_expired_or_revoked_adds_nobody(store: Store) -> None:
    await store.add_initial_token(TOKEN)
    assert await store.add_client(_invited(), "unknown") is Addition.NO_TOKEN
    assert await store.add_client(_invited(at=NOW + 1000), "token") is Addition.NO_TOKEN
    assert await store.revoke_initial_token("token")
    assert not await store.revoke_initial_token("token")
    assert await store.add_client(_invited(), "token") is Addition.NO_TOKEN
    assert list(await store.clients()) == []
    assert list(await store.initial_tokens()) == []


async def test_revoking_a_token_leaves_its_clients(store: Store) -> None:
    await store.add_initial_token(TOKEN)
    await store.add_client(_invited(), "token")
    assert await store.revoke_initial_token("token")
    assert await store.client("dcr_0") == _invited()


async def test_h16_of_forty_uses_of_the_last_at_once_one_succeeds(store: Store) -> None:
    await store.add_initial_token(replace(TOKEN, uses=2))
    numbers = iter(range(40))
    outcomes = await at_once(lambda: store.add_client(_invited(next(numbers)), "token"))
    assert outcomes.count(Addition.ADDED) == 1
    assert outcomes.count(Addition.NO_TOKEN) == 39
    assert len(await store.clients()) == 1
    assert await store.initial_token("token") == replace(TOKEN, uses=3)


async def test_a_token_is_swept_when_it_has_expired(store: Store) -> None:
    await store.add_initial_token(TOKEN)
    assert await store.sweep(NOW + 999) == 0
    assert await store.initial_token("token") == TOKEN
    assert await store.sweep(NOW + 1000) == 1
    assert await store.initial_token("token") is None
    assert list(await store.initial_tokens()) == []


async def test_a_flood_of_others_pushes_out_nobody_with_a_token(store: Store) -> None:
    await store.add_initial_token(TOKEN)
    await store.add_client(_invited(), "token")
    flood = [replace(PUBLIC, client_id=f"dcr_flood_{n}", created_at=NOW + 1 + n) for n in range(MAX_NEVER_USED)]
    await store.restore([StoredClient(client, client.created_at, None) for client in flood])
    await store.add_client(replace(PUBLIC, client_id="dcr_last", created_at=NOW + 1 + MAX_NEVER_USED))
    assert await store.client("dcr_0") == _invited()


async def test_a_client_with_a_token_has_30_days_for_its_first_use(store: Store) -> None:
    await store.add_initial_token(TOKEN)
    await store.add_client(_invited(), "token")
    await store.sweep(NOW + NEVER_USED_LIFETIME)
    assert await store.client("dcr_0") is not None
    await store.sweep(NOW + DYNAMIC_LIFETIME)
    assert await store.client("dcr_0") is None
