"""Introspection (RFC 7662): cases F15, F23 and F24."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from auth_server.domain.grant import REFRESH_IDLE_LIFETIME
from shared_kernel import access_token
from tests.auth_server.flows.world import (
    EMAIL,
    ISSUER,
    OTHER_RESOURCE,
    REDIRECT_URI,
    RESOURCE,
    World,
    basic,
    error,
    ok,
    open_world,
)
from tests.support.services import claims

pytestmark = pytest.mark.anyio

INACTIVE = {"active": False}


async def _resource_server(world: World, resource: str = RESOURCE) -> str:
    """The Authorization header of a resource server."""
    made = await world.administration.clients.create_resource_server(name="MCP", resource=resource)
    return basic(made.client.client_id, str(made.client_secret))


async def _app(world: World) -> tuple[str, str]:
    """The id of a confidential client that people sign in with, and its Authorization header."""
    made = await world.machine(None, REDIRECT_URI)
    return made.client.client_id, basic(made.client.client_id, str(made.client_secret))


async def _tokens(world: World, app: tuple[str, str], **changes: str) -> dict[str, str]:
    client_id, header = app
    return ok(await world.redeem(None, await world.code(client_id, **changes), authorization=header))


async def test_a_resource_server_learns_everything_about_a_token_of_its_own(world: World) -> None:
    app = await _app(world)
    token = (await _tokens(world, app, scope="query"))["access_token"]
    found = ok(await world.introspect(await _resource_server(world), token=token))
    user = await world.store.user_by_email(EMAIL)
    assert user is not None
    assert found.pop("active") is True
    assert found.pop("token_type") == "Bearer"
    assert found == claims(token)
    assert (found["sub"], found["client_id"]) == (user.user_id, app[0])
    assert (found["aud"], found["iss"], found["scope"]) == (RESOURCE, ISSUER, "query")


async def test_a_client_s_own_token_is_shown_to_its_resource_server(world: World) -> None:
    made = await world.machine("query")
    machine = basic(made.client.client_id, str(made.client_secret))
    token = ok(await world.exchange(machine, grant_type="client_credentials"))["access_token"]
    found = ok(await world.introspect(await _resource_server(world), token=token))
    assert found == {"active": True, "token_type": "Bearer", **claims(token)}
    assert ok(await world.introspect(machine, token=token)) == found


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "bogus"])
async def test_hints_change_nothing(world: World, hint: str) -> None:
    app = await _app(world)
    tokens = await _tokens(world, app)
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert ok(await world.introspect(app[1], token=token, token_type_hint=hint))["active"] is True


async def test_f23_another_resource_s_token_is_none_of_a_resource_server_s_business(world: World) -> None:
    app = await _app(world)
    here, there = await _resource_server(world), await _resource_server(world, OTHER_RESOURCE)
    token = (await _tokens(world, app))["access_token"]
    other = (await _tokens(world, app, resource=OTHER_RESOURCE))["access_token"]
    assert ok(await world.introspect(there, token=token)) == INACTIVE
    assert ok(await world.introspect(here, token=other)) == INACTIVE
    assert ok(await world.introspect(there, token=other))["aud"] == OTHER_RESOURCE


async def test_f23_tokens_of_a_resource_that_is_served_no_longer_count_no_longer(world: World) -> None:
    there = await _resource_server(world, OTHER_RESOURCE)
    other = (await _tokens(world, await _app(world), resource=OTHER_RESOURCE))["access_token"]
    world.deploy(replace(world.deployment, resources=(RESOURCE,)))
    assert ok(await world.introspect(there, token=other)) == INACTIVE


async def test_f23_nobody_learns_anything_without_credentials(world: World) -> None:
    made = await world.administration.clients.create_resource_server(name="MCP", resource=RESOURCE)
    client_id = made.client.client_id
    token = (await _tokens(world, await _app(world)))["access_token"]
    assert error(await world.introspect(token=token)) == (401, "invalid_client")
    assert error(await world.introspect(client_id=client_id, token=token)) == (401, "invalid_client")
    for header in (basic(client_id, "cs_wrong"), basic("nobody", "x"), f"Bearer {token}"):
        assert error(await world.introspect(header, token=token)) == (401, "invalid_client")


async def test_f23_a_public_client_proves_nothing_and_learns_nothing(world: World) -> None:
    """Whoever has stolen a refresh token must not learn whether it still works: using it would be noticed."""
    client = await world.register()
    for token in (await world.tokens(client.client_id)).values():
        answer = await world.introspect(client_id=client.client_id, token=str(token))
        assert error(answer) == (401, "invalid_client")


async def test_f23_guessing_secrets_is_slowed_down(world: World) -> None:
    made = await world.administration.clients.create_resource_server(name="MCP", resource=RESOURCE)
    wrong = basic(made.client.client_id, "cs_wrong")
    for _ in range(10):
        assert error(await world.introspect(wrong, token="x"))[0] == 401
    answer = await world.introspect(wrong, token="x")
    assert (answer.status, answer.retry_after is not None) == (429, True)
    right = basic(made.client.client_id, str(made.client_secret))
    assert ok(await world.introspect(right, token="x")) == INACTIVE


async def test_f23_a_resource_server_gets_no_tokens(world: World) -> None:
    header = await _resource_server(world)
    for grant_type in ("client_credentials", "refresh_token", "authorization_code"):
        answer = await world.exchange(header, grant_type=grant_type, code="x", refresh_token="rt_x.y")
        assert answer.status == 400


async def test_f24_a_refresh_token_is_shown_to_its_own_client_only(world: World) -> None:
    app, other = await _app(world), await _app(world)
    tokens = await _tokens(world, app, scope="query")
    for stranger in (other[1], await _resource_server(world)):
        assert ok(await world.introspect(stranger, token=tokens["refresh_token"])) == INACTIVE
    assert ok(await world.introspect(other[1], token=tokens["access_token"])) == INACTIVE
    found = ok(await world.introspect(app[1], token=tokens["refresh_token"]))
    access = claims(tokens["access_token"])
    assert found == {
        "active": True,
        "exp": int(world.clock.time + REFRESH_IDLE_LIFETIME),
        **{name: access[name] for name in ("scope", "client_id", "sub", "aud", "iss", "gid", "tenant")},
    }


async def test_a_look_at_a_refresh_token_uses_nothing_up(world: World) -> None:
    app = await _app(world)
    first = (await _tokens(world, app))["refresh_token"]
    for _ in range(3):
        assert ok(await world.introspect(app[1], token=first))["active"] is True
    second = ok(await world.refresh(None, first, authorization=app[1]))["refresh_token"]
    assert ok(await world.introspect(app[1], token=first)) == INACTIVE
    assert ok(await world.introspect(app[1], token=second))["active"] is True
    assert ok(await world.refresh(None, second, authorization=app[1]))


Ending = Callable[[World, str, str], Awaitable[object]]


async def _disable(world: World, _client_id: str, _token: str) -> None:
    await world.administration.people.disable(EMAIL)


async def _disable_for_a_moment(world: World, _client_id: str, _token: str) -> None:
    await world.administration.people.disable(EMAIL)
    await world.administration.people.enable(EMAIL)


async def _delete_person(world: World, _client_id: str, _token: str) -> None:
    await world.administration.people.delete(EMAIL)


async def _delete_client(world: World, client_id: str, _token: str) -> None:
    await world.administration.clients.delete(client_id)


async def _revoke_grant(world: World, _client_id: str, token: str) -> None:
    assert await world.store.revoke_grant_by_handle(claims(token)["gid"], None, world.clock.now())


async def _withdraw_key(world: World, _client_id: str, _token: str) -> None:
    assert await world.keys.withdraw((await world.keys.signing_key()).key_id)


async def _expire(world: World, _client_id: str, _token: str) -> None:
    world.clock.time += access_token.LIFETIME


@pytest.mark.parametrize(
    "end",
    [_disable, _disable_for_a_moment, _delete_person, _delete_client, _revoke_grant, _withdraw_key, _expire],
)
async def test_f15_a_person_s_token_is_inactive_as_soon_as_something_ends_it(world: World, end: Ending) -> None:
    app, server = await _app(world), await _resource_server(world)
    token = (await _tokens(world, app))["access_token"]
    assert ok(await world.introspect(server, token=token))["active"] is True
    await end(world, app[0], token)
    assert ok(await world.introspect(server, token=token)) == INACTIVE


async def _revoke_token(world: World, client_id: str, token: str) -> None:
    secret = await world.administration.clients.rotate_secret(client_id)
    assert (await world.revoke(basic(client_id, secret), token=token)).status == 200


@pytest.mark.parametrize("end", [_delete_client, _revoke_token, _withdraw_key, _expire])
async def test_f15_a_client_s_own_token_is_inactive_as_soon_as_something_ends_it(world: World, end: Ending) -> None:
    made, server = await world.machine(), await _resource_server(world)
    machine = basic(made.client.client_id, str(made.client_secret))
    token = ok(await world.exchange(machine, grant_type="client_credentials"))["access_token"]
    assert ok(await world.introspect(server, token=token))["active"] is True
    await end(world, made.client.client_id, token)
    assert ok(await world.introspect(server, token=token)) == INACTIVE


@pytest.mark.parametrize("end", [_disable, _delete_person, _revoke_grant])
async def test_f15_a_refresh_token_is_inactive_as_soon_as_something_ends_it(world: World, end: Ending) -> None:
    app = await _app(world)
    tokens = await _tokens(world, app)
    await end(world, app[0], tokens["access_token"])
    assert ok(await world.introspect(app[1], token=tokens["refresh_token"])) == INACTIVE


async def test_f15_what_another_process_revokes_is_inactive_here(world: World) -> None:
    app, server = await _app(world), await _resource_server(world)
    tokens = await _tokens(world, app)
    assert ok(await world.introspect(server, token=tokens["access_token"]))["active"] is True
    async with open_world(world.path, world.clock) as another:
        await _revoke_grant(another, app[0], tokens["access_token"])
        for token, asking in ((tokens["access_token"], server), (tokens["refresh_token"], app[1])):
            assert ok(await world.introspect(asking, token=token)) == INACTIVE


@pytest.mark.parametrize(
    "token", ["x", "rt_a.b", "rt_a.b.c", "a.b.c", "é", "\x00", "e30.e30.e30", "x" * 10_000, "ac_a.b"]
)
async def test_whatever_is_no_token_is_inactive(world: World, token: str) -> None:
    assert ok(await world.introspect(await _resource_server(world), token=token)) == INACTIVE


async def test_a_token_must_be_named(world: World) -> None:
    assert error(await world.introspect(await _resource_server(world))) == (400, "invalid_request")
