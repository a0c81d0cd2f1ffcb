"""Attacks on refresh tokens: cases E01–E17."""

from dataclasses import replace

import anyio
import pytest

from auth_server.domain.deployment import Deployment
from auth_server.domain.grant import GRANT_LIFETIME, REFRESH_IDLE_LIFETIME, REPLAY_WINDOW
from auth_server.protocol import sealed_response
from tests.auth_server.flows.world import ISSUER, OTHER_RESOURCE, REDIRECT_URI, RESOURCE, World, error, ok

pytestmark = pytest.mark.anyio

INVALID_GRANT = (400, "invalid_grant")
IDLE, ABSOLUTE = REFRESH_IDLE_LIFETIME, GRANT_LIFETIME


async def _family(world: World) -> tuple[str, str]:
    """A client and its first refresh token."""
    client = await world.register()
    return client.client_id, (await world.tokens(client.client_id))["refresh_token"]


async def test_e01_old_token_gets_the_same_tokens_inside_the_window(world: World) -> None:
    client_id, old = await _family(world)
    first = ok(await world.refresh(client_id, old))
    assert first["refresh_token"] != old
    world.clock.time += REPLAY_WINDOW - 1
    again = ok(await world.refresh(client_id, old))
    assert again == {**first, "expires_in": 600 - (REPLAY_WINDOW - 1)}


async def test_e02_40_parallel_refreshes_get_40_answers_and_one_successor(world: World) -> None:
    client_id, old = await _family(world)
    answers: list[tuple[str, str]] = []

    async def refresh() -> None:
        body = ok(await world.refresh(client_id, old))
        answers.append((body["refresh_token"], body["access_token"]))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(refresh)
    assert len(answers) == 40
    assert len(set(answers)) == 1


async def test_e03_old_token_after_its_successor_was_used_revokes_the_family(world: World) -> None:
    client_id, old = await _family(world)
    successor = ok(await world.refresh(client_id, old))["refresh_token"]
    newest = ok(await world.refresh(client_id, successor))["refresh_token"]
    assert error(await world.refresh(client_id, old)) == INVALID_GRANT
    assert error(await world.refresh(client_id, newest)) == INVALID_GRANT


async def test_e04_old_token_after_the_window_revokes_the_family(world: World) -> None:
    client_id, old = await _family(world)
    successor = ok(await world.refresh(client_id, old))["refresh_token"]
    world.clock.time += REPLAY_WINDOW
    assert error(await world.refresh(client_id, old)) == INVALID_GRANT
    assert error(await world.refresh(client_id, successor)) == INVALID_GRANT


async def test_e03_late_reuse_is_noticed_for_as_long_as_the_family_lives(world: World) -> None:
    client_id, first = await _family(world)
    newest = first
    for _ in range(3):
        world.clock.time += IDLE - 1
        newest = ok(await world.refresh(client_id, newest))["refresh_token"]
        await world.store.sweep(world.clock.now())
    world.clock.time = world.clock.time - 3 * (IDLE - 1) + ABSOLUTE - 3
    assert error(await world.refresh(client_id, first)) == INVALID_GRANT
    assert error(await world.refresh(client_id, newest)) == INVALID_GRANT


async def test_e05_token_of_another_client_is_refused_and_revokes_the_family(world: World) -> None:
    client_id, old = await _family(world)
    thief = await world.register(client_name="Thief")
    assert error(await world.refresh(thief.client_id, old)) == INVALID_GRANT
    assert error(await world.refresh(client_id, old)) == INVALID_GRANT


async def test_e06_wider_scope_is_refused_and_nothing_consumed(world: World) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id, scope="schemas:read")
    for scope in ("schemas:read query", "admin", '"', "é"):
        answer = await world.refresh(client.client_id, body["refresh_token"], scope=scope)
        assert error(answer) == (400, "invalid_scope")
    assert ok(await world.refresh(client.client_id, body["refresh_token"]))["scope"] == "schemas:read"


async def test_e07_e08_narrower_scope_does_not_shrink_the_grant(world: World) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id, scope="schemas:read query")
    narrowed = ok(await world.refresh(client.client_id, body["refresh_token"], scope="query"))
    assert narrowed["scope"] == "query"
    assert (await world.claims(narrowed["access_token"])).scopes == {"query"}
    whole = ok(await world.refresh(client.client_id, narrowed["refresh_token"]))
    assert whole["scope"] == "schemas:read query"


async def test_e09_other_resource_is_refused_and_nothing_consumed(world: World) -> None:
    client_id, old = await _family(world)
    for resource in (OTHER_RESOURCE, "https://evil.example", "/mcp"):
        assert error(await world.refresh(client_id, old, resource=resource)) == (400, "invalid_target")
    ok(await world.refresh(client_id, old, resource=RESOURCE.upper().replace("/MCP", "/mcp") + "/"))


async def test_e09_a_grant_whose_resource_is_no_longer_served_is_over(world: World) -> None:
    client = await world.register()
    old = (await world.tokens(client.client_id, resource=OTHER_RESOURCE))["refresh_token"]
    code = await world.code(client.client_id, resource=OTHER_RESOURCE)
    world.deployment = Deployment(ISSUER, (RESOURCE,), frozenset())
    world.__post_init__()
    for resource in (None, OTHER_RESOURCE, RESOURCE):
        assert error(await world.refresh(client.client_id, old, resource=resource)) == INVALID_GRANT
        assert error(await world.redeem(client.client_id, code, resource=resource)) == INVALID_GRANT


async def test_e10_replay_with_another_scope_is_not_the_cached_answer(world: World) -> None:
    client = await world.register()
    old = (await world.tokens(client.client_id, scope="schemas:read query"))["refresh_token"]
    first = ok(await world.refresh(client.client_id, old))
    assert error(await world.refresh(client.client_id, old, scope="query")) == INVALID_GRANT
    # The same scopes, named this time, are the same request; and nothing was revoked.
    assert ok(await world.refresh(client.client_id, old, scope="query schemas:read")) == first
    ok(await world.refresh(client.client_id, first["refresh_token"]))


async def test_e11_deleted_client_takes_its_families_along(world: World) -> None:
    client = (await world.machine("query", REDIRECT_URI)).client
    public = replace(client, confidential=False, secrets=())
    await world.store.delete_client(client.client_id, world.clock.now())
    await world.store.add_client(public)
    old = (await world.tokens(client.client_id))["refresh_token"]
    await world.administration.clients.delete(client.client_id)
    assert error(await world.refresh(client.client_id, old)) == (401, "invalid_client")
    await world.store.add_client(public)
    assert error(await world.refresh(client.client_id, old)) == INVALID_GRANT


@pytest.mark.parametrize(("idle", "status"), [(IDLE - 1, 200), (IDLE, 400)])
async def test_e12_idle_lifetime(world: World, idle: int, status: int) -> None:
    client_id, old = await _family(world)
    world.clock.time += idle
    assert (await world.refresh(client_id, old)).status == status


async def test_e12_absolute_lifetime(world: World) -> None:
    client_id, newest = await _family(world)
    start = world.clock.time
    for age in (IDLE - 1, 2 * IDLE - 2, 3 * IDLE - 3):
        world.clock.time = start + age
        newest = ok(await world.refresh(client_id, newest))["refresh_token"]
    world.clock.time = start + ABSOLUTE
    assert error(await world.refresh(client_id, newest)) == INVALID_GRANT


async def test_e13_other_tokens_are_not_refresh_tokens(world: World) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id)
    code = await world.code(client.client_id)
    for wrong in (body["access_token"], code, world.session_id, "rt_x.y", "\x00", "x" * 10_000):
        assert error(await world.refresh(client.client_id, str(wrong))) == INVALID_GRANT
    ok(await world.refresh(client.client_id, body["refresh_token"]))
    answer = await world.redeem(client.client_id, body["refresh_token"])
    assert error(answer) == INVALID_GRANT


@pytest.mark.parametrize("secret", [f"{'A' * 43}", f"{'A' * 22}.{'A' * 43}", f"..{'A' * 43}", ""])
async def test_a_guess_with_a_known_grant_id_is_no_sign_of_reuse(world: World, secret: str) -> None:
    """Codes show the grant id in URLs; who has read it there must not be able to end the grant."""
    client_id, old = await _family(world)
    assert error(await world.refresh(client_id, f"{old.partition('.')[0]}.{secret}")) == INVALID_GRANT
    ok(await world.refresh(client_id, old))


async def test_a_token_of_the_family_that_is_not_stored_is_a_rotated_one(world: World) -> None:
    client_id, old = await _family(world)
    family, _, _ = old.rpartition(".")
    assert error(await world.refresh(client_id, f"{family}.{'A' * 43}")) == INVALID_GRANT
    assert error(await world.refresh(client_id, old)) == INVALID_GRANT


async def test_a_family_takes_the_same_room_however_often_it_is_refreshed(world: World) -> None:
    client_id, token = await _family(world)
    for _ in range(20):
        token = ok(await world.refresh(client_id, token))["refresh_token"]
    tables = [name for (name,) in world.sql("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    assert {name: world.sql(f"SELECT count(*) FROM {name}")[0][0] for name in tables if "grant" in name} == {
        "grants": 1
    }
    assert not any("refresh" in name for name in tables)


async def test_e15_stored_response_opens_with_the_old_token_only(world: World) -> None:
    client_id, old = await _family(world)
    body = ok(await world.refresh(client_id, old))
    dump = world.dump()
    for secret in (old, body["refresh_token"], body["access_token"]):
        assert secret not in dump
        assert secret.encode().hex() not in dump.lower()
    ((sealed,),) = world.sql("SELECT sealed FROM grants WHERE sealed IS NOT NULL")
    assert sealed_response.unseal(old, sealed).refresh_token == body["refresh_token"]
    for wrong in (body["refresh_token"], old[:-1], ""):
        with pytest.raises(sealed_response.Unreadable):
            sealed_response.unseal(wrong, sealed)


async def test_e15_stored_response_is_erased_once_its_successor_is_used(world: World) -> None:
    client_id, old = await _family(world)
    successor = ok(await world.refresh(client_id, old))["refresh_token"]
    ok(await world.refresh(client_id, successor))
    sealed = world.sql("SELECT count(*) FROM grants WHERE sealed IS NOT NULL")
    assert sealed == [(1,)]  # the last rotation's


async def test_e15_stored_response_is_swept_after_the_window(world: World) -> None:
    client_id, old = await _family(world)
    ok(await world.refresh(client_id, old))
    world.clock.time += REPLAY_WINDOW
    await world.store.sweep(world.clock.now())
    sealed = world.sql("SELECT count(*) FROM grants WHERE sealed IS NOT NULL")
    assert sealed == [(0,)]


async def test_stored_response_that_was_tampered_with(world: World) -> None:
    client_id, old = await _family(world)
    ok(await world.refresh(client_id, old))
    world.sql("UPDATE grants SET sealed = x'00' WHERE sealed IS NOT NULL")
    assert error(await world.refresh(client_id, old)) == INVALID_GRANT


async def test_e17_replays_do_not_prolong_the_window(world: World) -> None:
    client_id, old = await _family(world)
    ok(await world.refresh(client_id, old))
    for _ in range(3):
        world.clock.time += REPLAY_WINDOW // 3
        answer = await world.refresh(client_id, old)
    assert error(answer) == INVALID_GRANT


async def test_refresh_by_a_client_that_may_not(world: World) -> None:
    client = await world.register(grant_types=["authorization_code"])
    assert error(await world.refresh(client.client_id, "rt_a.b")) == (400, "unauthorized_client")
