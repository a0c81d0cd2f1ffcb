"""Dynamic registration over the store: cases H01, H07, H15, and clients' own quirks."""

from typing import Any

import pytest

from auth_server.domain.client import DYNAMIC_LIFETIME, NEVER_USED_LIFETIME
from auth_server.domain.grant import GRANT_LIFETIME, REFRESH_IDLE_LIFETIME
from tests.auth_server.flows.world import ADDRESS, Answer, World, error, ok

pytestmark = pytest.mark.anyio

METADATA = {
    "client_name": "Cursor",
    "redirect_uris": ["cursor://anysphere.cursor-mcp/oauth/callback", "http://localhost:8787/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none",
}


async def _register(world: World, metadata: Any = None, address: str = ADDRESS) -> Answer:
    return await world.registration(METADATA if metadata is None else metadata, address)


async def test_registered_client_works(world: World) -> None:
    answer = await _register(world)
    assert answer.body is not None
    assert "registration_access_token" not in answer.body
    assert "client_secret" not in answer.body
    assert answer.body["redirect_uris"] == METADATA["redirect_uris"]
    uri = "http://localhost:50001/callback"
    code = await world.code(answer.body["client_id"], redirect_uri=uri)
    ok(await world.redeem(answer.body["client_id"], code, redirect_uri=uri))


async def test_h07_secret_method_is_answered_with_none(world: World) -> None:
    answer = await _register(world, {**METADATA, "token_endpoint_auth_method": "client_secret_basic"})
    assert answer.body is not None
    assert answer.body["token_endpoint_auth_method"] == "none"


async def test_h15_same_metadata_same_client_one_row(world: World) -> None:
    first, second = await _register(world), await _register(world)
    ports = await _register(
        world, {**METADATA, "redirect_uris": [METADATA["redirect_uris"][0], "http://localhost:1/callback"]}
    )
    assert first.body is not None
    assert second.body is not None
    assert ports.body is not None
    assert first.body["client_id"] == second.body["client_id"] == ports.body["client_id"]
    assert len(await world.administration.clients.all()) == 1
    other = await _register(world, {**METADATA, "client_name": "Cursor 2"})
    assert other.body is not None
    assert other.body["client_id"] != first.body["client_id"]


async def test_registering_again_changes_nothing_for_live_grants(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client.client_id)
    await world.register()
    ok(await world.refresh(client.client_id, tokens["refresh_token"]))


def _named(number: int) -> dict[str, Any]:
    return {**METADATA, "client_name": f"App {number}"}


async def test_h01_flood_from_one_address(world: World) -> None:
    statuses = [(await _register(world, _named(number))).status for number in range(61)]
    assert statuses == [200] * 60 + [429]
    refused = await _register(world, _named(61))
    assert error(refused) == (429, "temporarily_unavailable")
    assert refused.retry_after is not None
    assert 1 <= refused.retry_after <= 600
    assert (await _register(world, _named(61), address="198.51.100.1")).status == 200


async def test_h01_registering_again_is_never_refused(world: World) -> None:
    """Our choice: clients register at every start, so a registration known already costs nothing."""
    known = [(await _register(world)).status for _ in range(100)]
    new = [(await _register(world, _named(number))).status for number in range(59)]
    assert known + new == [200] * 159
    assert (await _register(world)).status == 200


@pytest.mark.slow
async def test_h01_many_addresses_shut_registration_for_nobody(world: World) -> None:
    for address in range(25):
        for number in range(50):
            await _register(world, _named(address * 100 + number), address=f"198.51.100.{address}")
    assert (await _register(world, _named(9999))).status == 200


async def test_h01_unused_clients_are_forgotten_and_those_with_grants_are_not(world: World) -> None:
    unused = await world.register(client_name="Unused")
    used = await world.register(client_name="Used")
    machine = await world.machine()
    refresh_token = (await world.tokens(used.client_id))["refresh_token"]
    world.clock.time += REFRESH_IDLE_LIFETIME - 1
    refresh_token = ok(await world.refresh(used.client_id, refresh_token))["refresh_token"]
    world.clock.time += DYNAMIC_LIFETIME - REFRESH_IDLE_LIFETIME + 2
    await world.store.sweep(world.clock.now())
    assert await world.store.client(unused.client_id) is None
    assert await world.store.client(used.client_id) == used
    ok(await world.refresh(used.client_id, refresh_token))
    world.clock.time += GRANT_LIFETIME + DYNAMIC_LIFETIME
    await world.store.sweep(world.clock.now())
    assert await world.administration.clients.all() == [machine.client]


async def test_registering_again_keeps_a_client(world: World) -> None:
    client = await world.register()
    world.clock.time += NEVER_USED_LIFETIME - 1
    await world.register()
    world.clock.time += 2
    await world.store.sweep(world.clock.now())
    assert await world.store.client(client.client_id) == client


async def test_refusals_are_answers(world: World) -> None:
    assert error(await _register(world, [])) == (400, "invalid_client_metadata")
    assert error(await _register(world, {})) == (400, "invalid_redirect_uri")
