"""Revocation: case I10."""

import pytest

from shared_kernel import access_token
from tests.auth_server.flows.world import Answer, World, basic, error, ok

pytestmark = pytest.mark.anyio


async def _revoke(world: World, client_id: str, token: str, **more: str) -> Answer:
    return await world.revoke(client_id=client_id, token=token, **more)


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "bogus"])
async def test_i10_either_token_ends_the_family_whatever_the_hint(world: World, kind: str, hint: str | None) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id)
    more = {} if hint is None else {"token_type_hint": hint}
    assert (await _revoke(world, client.client_id, body[kind], **more)).status == 200
    assert error(await world.refresh(client.client_id, body["refresh_token"])) == (400, "invalid_grant")


async def test_i10_rotated_refresh_token_ends_the_family(world: World) -> None:
    client = await world.register()
    old = (await world.tokens(client.client_id))["refresh_token"]
    new = ok(await world.refresh(client.client_id, old))["refresh_token"]
    assert (await _revoke(world, client.client_id, old)).status == 200
    assert error(await world.refresh(client.client_id, new)) == (400, "invalid_grant")


async def test_i10_tokens_of_another_client(world: World) -> None:
    client, other = await world.register(), await world.register(client_name="Other")
    body = await world.tokens(client.client_id)
    for token in (body["access_token"], body["refresh_token"]):
        assert (await _revoke(world, other.client_id, token)).status == 200
    ok(await world.refresh(client.client_id, body["refresh_token"]))


@pytest.mark.parametrize("token", ["x", "rt_a.b", "a.b.c", "é", "\x00", "e30.e30.e30", "x" * 10_000])
async def test_i10_unknown_tokens(world: World, token: str) -> None:
    client = await world.register()
    answer = await _revoke(world, client.client_id, token)
    assert (answer.status, answer.body) == (200, None)


async def test_i10_other_families_of_the_client_live_on(world: World) -> None:
    client = await world.register()
    first, second = await world.tokens(client.client_id), await world.tokens(client.client_id)
    await _revoke(world, client.client_id, first["access_token"])
    ok(await world.refresh(client.client_id, second["refresh_token"]))
    assert error(await world.refresh(client.client_id, first["refresh_token"])) == (400, "invalid_grant")


async def test_access_token_that_has_expired_ends_nothing(world: World) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id)
    world.clock.time += access_token.LIFETIME + access_token.CLOCK_SKEW
    assert (await _revoke(world, client.client_id, body["access_token"])).status == 200
    ok(await world.refresh(client.client_id, body["refresh_token"]))


async def test_tokens_of_client_credentials(world: World) -> None:
    made = await world.machine()
    header = basic(made.client.client_id, str(made.client_secret))
    body = ok(await world.exchange(header, grant_type="client_credentials"))
    answer = await world.revoke(header, token=body["access_token"])
    assert answer.status == 200


async def test_client_must_prove_itself(world: World) -> None:
    made = await world.machine()
    for header in (None, basic(made.client.client_id, "cs_wrong"), basic("nobody", "x")):
        named = {} if header else {"client_id": made.client.client_id}
        assert error(await world.revoke(header, token="x", **named)) == (401, "invalid_client")
    public = await world.register()
    with_secret = await _revoke(world, public.client_id, "x", client_secret="y")
    assert error(with_secret) == (401, "invalid_client")


async def test_malformed_requests(world: World) -> None:
    client = await world.register()
    assert error(await world.revoke(client_id=client.client_id)) == (400, "invalid_request")
