"""Attacks on authorization codes: cases C01–C15."""

import anyio
import pytest

from auth_server.domain.authorization import CODE_LIFETIME
from tests.auth_server.flows.world import OTHER_RESOURCE, REDIRECT_URI, RESOURCE, VERIFIER, World, error, ok, query

pytestmark = pytest.mark.anyio

INVALID_GRANT = (400, "invalid_grant")
INVALID_REQUEST = (400, "invalid_request")
WRONG = "w" * 43


async def test_c01_replay_with_the_right_verifier_revokes_what_was_issued(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    issued = ok(await world.redeem(client.client_id, code))
    assert error(await world.redeem(client.client_id, code)) == INVALID_GRANT
    assert error(await world.refresh(client.client_id, issued["refresh_token"])) == INVALID_GRANT


async def test_c01_replay_long_after_still_revokes(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    issued = ok(await world.redeem(client.client_id, code))
    world.clock.time += 1800
    await world.store.sweep(world.clock.now())
    assert error(await world.redeem(client.client_id, code)) == INVALID_GRANT
    assert error(await world.refresh(client.client_id, issued["refresh_token"])) == INVALID_GRANT


async def test_c02_of_40_parallel_redemptions_one_succeeds(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    statuses: list[int] = []

    async def redeem() -> None:
        statuses.append((await world.redeem(client.client_id, code)).status)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(redeem)
    assert sorted(statuses) == [200] + [400] * 39


async def test_c03_two_wrong_verifiers_leave_the_code_alone(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    for _ in range(2):
        assert error(await world.redeem(client.client_id, code, code_verifier=WRONG)) == INVALID_GRANT
    ok(await world.redeem(client.client_id, code))


async def test_c03_three_wrong_verifiers_burn_the_code(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    refusals = [await world.redeem(client.client_id, code, code_verifier=WRONG) for _ in range(3)]
    burnt = await world.redeem(client.client_id, code)
    assert {error(refusal) for refusal in refusals} == {error(burnt)} == {INVALID_GRANT}
    assert all(refusal.body == burnt.body for refusal in refusals)


@pytest.mark.parametrize("verifier", [None, "v" * 42, "v" * 129, "v" * 42 + "!", "v" * 43 + "\n", "é" * 43])
async def test_c04_malformed_verifier(world: World, verifier: str | None) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    assert error(await world.redeem(client.client_id, code, code_verifier=verifier)) == INVALID_REQUEST
    ok(await world.redeem(client.client_id, code))


async def test_c06_code_of_another_client_is_refused_and_untouched(world: World) -> None:
    client = await world.register()
    other = await world.register(client_name="Other")
    code = await world.code(client.client_id)
    for _ in range(4):
        assert error(await world.redeem(other.client_id, code)) == INVALID_GRANT
    ok(await world.redeem(client.client_id, code))


async def test_c06_used_code_of_another_client_revokes_nothing(world: World) -> None:
    client = await world.register()
    other = await world.register(client_name="Other")
    code = await world.code(client.client_id)
    issued = ok(await world.redeem(client.client_id, code))
    assert error(await world.redeem(other.client_id, code)) == INVALID_GRANT
    ok(await world.refresh(client.client_id, issued["refresh_token"]))


@pytest.mark.parametrize(
    "redirect_uri",
    [
        pytest.param(None, id="c07-absent"),
        pytest.param("http://localhost:49152/callback/", id="c07-slash"),
        pytest.param("http://localhost/callback", id="c07-registered-form"),
        pytest.param("http://localhost:49153/callback", id="c08-other-port"),
        pytest.param("http://127.0.0.1:49152/callback", id="c07-other-name"),
        pytest.param('http://localhost:49152/callback"\\é', id="c07-hostile-text"),
    ],
)
async def test_c07_c08_redirect_uri_must_be_that_of_the_authorization(world: World, redirect_uri: str | None) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    assert error(await world.redeem(client.client_id, code, redirect_uri=redirect_uri)) == INVALID_GRANT
    ok(await world.redeem(client.client_id, code))


@pytest.mark.parametrize(("age", "status"), [(CODE_LIFETIME - 1, 200), (CODE_LIFETIME, 400), (CODE_LIFETIME + 1, 400)])
async def test_c09_codes_live_sixty_seconds(world: World, age: int, status: int) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    world.clock.time += age
    assert (await world.redeem(client.client_id, code)).status == status


@pytest.mark.parametrize("resource", [OTHER_RESOURCE, "https://evil.example/mcp", "not a uri", RESOURCE + "#f"])
async def test_c10_other_resource_is_refused_and_the_code_not_consumed(world: World, resource: str) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    assert error(await world.redeem(client.client_id, code, resource=resource)) == (400, "invalid_target")
    body = ok(await world.redeem(client.client_id, code, resource=RESOURCE + "/"))
    assert (await world.claims(body["access_token"])).audience == RESOURCE


async def test_c10_resource_of_the_authorization_holds_when_none_is_named(world: World) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id, resource=OTHER_RESOURCE)
    assert (await world.claims(body["access_token"], OTHER_RESOURCE)).audience == OTHER_RESOURCE
    renewed = ok(await world.refresh(client.client_id, body["refresh_token"]))
    assert (await world.claims(renewed["access_token"], OTHER_RESOURCE)).audience == OTHER_RESOURCE


async def test_c11_scope_at_the_exchange_changes_nothing(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id, scope="schemas:read")
    body = ok(await world.redeem(client.client_id, code, scope="schemas:read query"))
    assert body["scope"] == "schemas:read"


async def test_c13_codes_are_random_and_stored_hashed(world: World) -> None:
    client = await world.register()
    codes = {await world.code(client.client_id) for _ in range(3)}
    assert len(codes) == 3
    dump = world.dump()
    for code in codes:
        prefix, _, secret = code.partition(".")
        assert prefix.startswith("ac_")
        assert len(secret) >= 43
        assert secret not in dump


async def test_c14_replay_with_a_wrong_verifier_revokes_nothing(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    issued = ok(await world.redeem(client.client_id, code))
    for _ in range(4):
        assert error(await world.redeem(client.client_id, code, code_verifier=WRONG)) == INVALID_GRANT
    ok(await world.refresh(client.client_id, issued["refresh_token"]))


@pytest.mark.parametrize("code", [None, "", "ac_x", "ac_" + "é" * 10, "\ud800", "x" * 5000, "rt_a.b", '"\\'])
async def test_unknown_codes(world: World, code: str | None) -> None:
    client = await world.register()
    answer = await world.redeem(client.client_id, code or "")
    expected = INVALID_GRANT if code and code != "\ud800" else INVALID_REQUEST
    assert error(answer) == expected


async def test_codes_of_a_deleted_client_die_with_it(world: World) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    await world.administration.clients.delete(client.client_id)
    assert error(await world.redeem(client.client_id, code)) == (401, "invalid_client")


async def test_confidential_clients_prove_themselves_as_well_as_the_code(world: World) -> None:
    made = await world.machine(None, "https://app.example.com/callback")
    client_id, secret = made.client.client_id, made.client_secret
    assert secret is not None
    uri = "https://app.example.com/callback"
    transaction_id = await world.began(client_id, redirect_uri=uri)
    await world.signed_in(transaction_id)
    code = query(await world.decided(transaction_id))["code"][0]
    assert error(await world.redeem(client_id, code, redirect_uri=uri)) == (401, "invalid_client")
    without_proof = await world.redeem(client_id, code, redirect_uri=uri, client_secret=secret, code_verifier=None)
    assert error(without_proof) == INVALID_REQUEST
    body = ok(await world.redeem(client_id, code, redirect_uri=uri, client_secret=secret))
    assert error(await world.refresh(client_id, body["refresh_token"])) == (401, "invalid_client")
    ok(await world.refresh(client_id, body["refresh_token"], client_secret=secret))


@pytest.mark.parametrize(
    ("grant_types", "scope", "refreshable"),
    [
        (["authorization_code"], "query", False),
        (["authorization_code"], "query offline_access", True),
        (["authorization_code", "refresh_token"], "query", True),
    ],
)
async def test_refresh_token_iff_the_client_uses_them_or_offline_access_is_asked(
    world: World, grant_types: list[str], scope: str, refreshable: bool
) -> None:
    client = await world.register(grant_types=grant_types)
    body = await world.tokens(client.client_id, scope=scope)
    assert ("refresh_token" in body) is refreshable
    if refreshable:
        assert ok(await world.refresh(client.client_id, body["refresh_token"]))["scope"] == scope


async def test_other_redirect_uris_of_the_client_do_not_serve(world: World) -> None:
    client = await world.register(redirect_uris=["http://localhost/callback", "cursor://anysphere.cursor-mcp/callback"])
    code = await world.code(client.client_id, redirect_uri="cursor://anysphere.cursor-mcp/callback")
    assert error(await world.redeem(client.client_id, code, redirect_uri=REDIRECT_URI)) == INVALID_GRANT
    ok(await world.redeem(client.client_id, code, redirect_uri="cursor://anysphere.cursor-mcp/callback"))
    assert VERIFIER not in world.dump()
