"""Registration with an initial access token (RFC 7591 §3): case H16, and what such a client may be."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from auth_server.domain.deployment import RegistrationPolicy
from auth_server.domain.failures import Reason
from auth_server.flows.administration.initial_tokens import NewToken
from tests.auth_server.flows.world import ADDRESS, ISSUER, Answer, World, answer_to, basic, error, ok

pytestmark = pytest.mark.anyio

METADATA: dict[str, Any] = {
    "client_name": "Assistant",
    "redirect_uris": ["http://localhost/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
}
INVALID_TOKEN = (401, "invalid_token")


@pytest.fixture
def closed(world: World) -> World:
    """A world in which registration needs a token."""
    world.deploy(replace(world.deployment, registration=RegistrationPolicy.TOKEN))
    return world


async def _token(world: World, uses: int = 1) -> NewToken:
    return await world.administration.initial_tokens.create(uses=uses, days=7, label="for Ada")


async def _register(world: World, token: str | None, address: str = ADDRESS, **changes: Any) -> Answer:
    return await world.registration({**METADATA, **changes}, address, token)


async def _invited(world: World, **changes: Any) -> dict[str, Any]:
    return ok(await _register(world, (await _token(world)).secret, **changes))


async def _read(world: World, made: Mapping[str, Any]) -> Answer:
    manage, token = world.flows.registration_management, made["registration_access_token"]
    return await answer_to(lambda: manage.read(made["client_id"], token, ADDRESS))


async def _update(world: World, made: Mapping[str, Any], **changes: Any) -> Answer:
    manage, token = world.flows.registration_management, made["registration_access_token"]
    metadata = {**METADATA, "client_id": made["client_id"], **changes}
    return await answer_to(lambda: manage.update(made["client_id"], token, metadata, ADDRESS))


async def test_h16_registration_needs_a_token(closed: World) -> None:
    for token in (None, ""):
        answer = await _register(closed, token)
        assert (error(answer), answer.reason) == (INVALID_TOKEN, Reason.INITIAL_TOKEN_REQUIRED)
    ok(await _register(closed, (await _token(closed)).secret))


async def test_h16_a_token_that_is_not_good_registers_nobody(closed: World) -> None:
    """Unknown, of another id, cut short, used up, revoked, expired: all are refused alike."""
    used, revoked, good = [await _token(closed) for _ in range(3)]
    ok(await _register(closed, used.secret))
    await closed.administration.initial_tokens.revoke(revoked.token.token_id)
    foreign = f"iat_{good.token.token_id}.{used.secret.partition('.')[2]}"
    for token in ("iat_unknown.secret", "secret", foreign, good.secret[:-1], used.secret, revoked.secret):
        answer = await _register(closed, token)
        assert (error(answer), answer.reason) == (INVALID_TOKEN, Reason.INITIAL_TOKEN_NOT_VALID)
    closed.clock.time += 7 * 86400
    assert error(await _register(closed, good.secret)) == INVALID_TOKEN
    assert await closed.administration.initial_tokens.all() == []
    assert len(await closed.store.clients()) == 1


async def test_h16_a_token_is_good_for_as_many_registrations_as_it_says(closed: World) -> None:
    token = await _token(closed, uses=3)
    statuses = [(await _register(closed, token.secret)).status for _ in range(4)]
    assert statuses == [200, 200, 200, 401]
    ((listed, is_good),) = await closed.administration.initial_tokens.all()
    assert (listed.uses, is_good) == (3, False)


async def test_a_registration_that_is_refused_uses_nothing(closed: World) -> None:
    token = await _token(closed)
    assert error(await _register(closed, token.secret, redirect_uris=["ftp://x"])) == (400, "invalid_redirect_uri")
    ok(await _register(closed, token.secret))


async def test_h16_guesses_are_slowed_down_and_no_good_token_is(closed: World) -> None:
    token = await _token(closed, uses=100)
    statuses = [(await _register(closed, f"iat_x.{number}")).status for number in range(11)]
    assert statuses == [401] * 10 + [429]
    assert {(await _register(closed, token.secret)).status for _ in range(70)} == {200}


async def test_h16_tokens_and_secrets_are_stored_as_hashes(closed: World) -> None:
    token = await _token(closed)
    made = ok(await _register(closed, token.secret))
    assert token.token.token_id in closed.dump()
    for secret in (token.secret, made["client_secret"], made["registration_access_token"]):
        assert secret.rpartition(".")[2] not in closed.dump()


@pytest.mark.parametrize("method", [None, "client_secret_basic", "client_secret_post"])
async def test_a_client_with_a_token_may_have_a_secret(world: World, method: str | None) -> None:
    """It is shown once; RFC 7591 §2 makes client_secret_basic the default."""
    made = await _invited(world, token_endpoint_auth_method=method)
    assert made["token_endpoint_auth_method"] == (method or "client_secret_basic")
    assert made["client_secret_expires_at"] == 0
    assert made["registration_client_uri"] == f"{ISSUER}/register/{made['client_id']}"
    client_id, secret = made["client_id"], made["client_secret"]
    code = await world.code(client_id)
    assert error(await world.redeem(client_id, code)) == (401, "invalid_client")
    tokens = ok(await world.redeem(None, code, authorization=basic(client_id, secret)))
    refreshed = await world.refresh(client_id, tokens["refresh_token"], client_secret=secret)
    assert refreshed.status == 200
    read = ok(await _read(world, made))
    assert read == {name: value for name, value in made.items() if not name.startswith("client_secret")}


async def test_a_public_client_with_a_token_gets_an_id_of_its_own(world: World) -> None:
    first = await _invited(world, token_endpoint_auth_method="none")
    second = await _invited(world, token_endpoint_auth_method="none")
    assert first["client_id"] != second["client_id"]
    assert "client_secret" not in first
    ok(await world.redeem(first["client_id"], await world.code(first["client_id"])))
    ok(await _read(world, first))


@pytest.mark.parametrize("method", ["client_secret_jwt", "private_key_jwt", "nonsense"])
async def test_a_method_that_cannot_be_is_refused(world: World, method: str) -> None:
    """With private_key_jwt come keys."""
    answer = await _register(world, (await _token(world)).secret, token_endpoint_auth_method=method)
    assert error(answer) == (400, "invalid_client_metadata")


async def test_where_everybody_may_register_only_our_own_tokens_count(world: World) -> None:
    """Some programs send whatever token they have: one of another kind changes nothing."""
    public = ok(await _register(world, "eyJhbGciOiJub25lIn0.e30."))
    assert public["token_endpoint_auth_method"] == "none"
    assert "registration_access_token" not in public
    assert error(await _register(world, "iat_unknown.secret")) == INVALID_TOKEN
    assert "client_secret" in await _invited(world)


async def test_h10_a_token_gives_no_client_credentials(world: World) -> None:
    made = await _invited(world, grant_types=["authorization_code", "client_credentials"])
    assert made["grant_types"] == ["authorization_code"]
    authorization = basic(made["client_id"], made["client_secret"])
    refused = await world.exchange(authorization, grant_type="client_credentials")
    assert error(refused) == (400, "unauthorized_client")
    assert refused.body is not None
    assert "ask the operator" in refused.body["error_description"]
    alone = await _register(world, (await _token(world)).secret, grant_types=["client_credentials"])
    assert alone.reason is Reason.CLIENT_CREDENTIALS_NOT_REGISTERED


async def test_a_secret_outlives_an_update(world: World) -> None:
    made = await _invited(world)
    changed = ok(await _update(world, made, client_name="New", client_secret=made["client_secret"]))
    assert (changed["client_name"], "client_secret" in changed) == ("New", False)
    assert changed["token_endpoint_auth_method"] == "client_secret_basic"
    changed = ok(await _update(world, changed, token_endpoint_auth_method="client_secret_post"))
    assert changed["token_endpoint_auth_method"] == "client_secret_post"
    authorization = basic(made["client_id"], made["client_secret"])
    ok(await world.redeem(None, await world.code(made["client_id"]), authorization=authorization))


@pytest.mark.parametrize("changes", [{"client_secret": "cs_other"}, {"client_secret": 7}, {"client_id": "dcr_other"}])
async def test_an_update_must_be_about_the_client_as_it_is(world: World, changes: dict[str, Any]) -> None:
    made = await _invited(world)
    assert error(await _update(world, made, **changes)) == (400, "invalid_client_metadata")
    ok(await _read(world, made))


@pytest.mark.parametrize(("had", "wanted"), [("none", "client_secret_basic"), ("client_secret_post", "none")])
async def test_an_update_changes_no_way_to_prove_who_it_is(world: World, had: str, wanted: str) -> None:
    made = await _invited(world, token_endpoint_auth_method=had)
    refused = await _update(world, made, token_endpoint_auth_method=wanted)
    assert refused.reason is Reason.AUTHENTICATION_METHOD_FIXED
    assert error(refused) == (400, "invalid_client_metadata")


async def test_a_client_deletes_itself_with_everything_it_was_allowed(world: World) -> None:
    made = await _invited(world)
    authorization = basic(made["client_id"], made["client_secret"])
    tokens = ok(await world.redeem(None, await world.code(made["client_id"]), authorization=authorization))
    manage, token = world.flows.registration_management, made["registration_access_token"]
    await manage.delete(made["client_id"], token, ADDRESS)
    refused = await world.refresh(None, tokens["refresh_token"], authorization=authorization)
    assert error(refused) == (401, "invalid_client")
    assert error(await _read(world, made)) == INVALID_TOKEN


async def test_where_nobody_registers_a_token_does_not_help(world: World) -> None:
    token = await _token(world)
    world.deploy(replace(world.deployment, registration=RegistrationPolicy.OFF))
    assert (await _register(world, token.secret)).reason is Reason.REGISTRATION_OFF
