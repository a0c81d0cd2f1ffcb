"""Clients that manage their own registrations (RFC 7592): case H12."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from auth_server.domain.deployment import DocumentPolicy, RegistrationPolicy
from auth_server.domain.failures import Reason
from auth_server.domain.revocation import Revoked
from tests.auth_server.flows.world import ADDRESS, ISSUER, REDIRECT_URI, VERIFIER, Answer, World, answer_to, error, ok
from tests.support.client_keys import ClientKey, presented

pytestmark = pytest.mark.anyio

KEY, SECOND_KEY = ClientKey(), ClientKey(key_id="second")
INVALID_TOKEN = (401, "invalid_token")


def _metadata(key: ClientKey = KEY, **changes: Any) -> dict[str, Any]:
    good = {
        "client_name": "Assistant",
        "redirect_uris": ["http://localhost:5000/callback"],
        "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.jwk()]},
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


async def _registered(world: World, **changes: Any) -> dict[str, Any]:
    return ok(await world.registration(_metadata(**changes)))


async def _read(world: World, client_id: str, token: str | None) -> Answer:
    return await answer_to(lambda: world.flows.registration_management.read(client_id, token, ADDRESS))


async def _update(world: World, client_id: str, token: str | None, metadata: Mapping[str, Any]) -> Answer:
    return await answer_to(lambda: world.flows.registration_management.update(client_id, token, metadata, ADDRESS))


async def _delete(world: World, client_id: str, token: str | None) -> Answer:
    return await answer_to(lambda: world.flows.registration_management.delete(client_id, token, ADDRESS))


async def _redeem(world: World, client_id: str, key: ClientKey = KEY) -> Answer:
    parameters = {"code": await world.code(client_id), "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER}
    proof = presented(key.assertion(client_id, ISSUER, world.clock.now()))
    return await world.exchange(grant_type="authorization_code", **parameters, **proof)


async def test_a_client_with_keys_gets_an_id_of_its_own_and_proves_who_it_is(world: World) -> None:
    first, second = await _registered(world), await _registered(world)
    assert first["client_id"] != second["client_id"]
    assert first["token_endpoint_auth_method"] == "private_key_jwt"
    assert first["registration_client_uri"] == f"{ISSUER}/register/{first['client_id']}"
    assert first["grant_types"] == ["authorization_code", "refresh_token"]
    assert "client_secret" not in first
    ok(await _redeem(world, first["client_id"]))
    assert error(await _redeem(world, first["client_id"], SECOND_KEY)) == (401, "invalid_client")


async def test_h10_a_client_that_registered_itself_gets_no_token_of_its_own(world: World) -> None:
    client_id = (await _registered(world))["client_id"]
    proof = presented(KEY.assertion(client_id, ISSUER, world.clock.now()))
    assert error(await world.exchange(grant_type="client_credentials", **proof)) == (400, "unauthorized_client")


async def test_a_client_reads_and_changes_its_registration(world: World) -> None:
    made = await _registered(world)
    client_id, token = made["client_id"], made["registration_access_token"]
    read = ok(await _read(world, client_id, token))
    assert read == {**made, "redirect_uris": ["http://localhost/callback"]}
    world.clock.time += 10
    changed = ok(
        await _update(world, client_id, token, {**_metadata(SECOND_KEY, client_name="New"), "client_id": client_id})
    )
    assert (changed["client_name"], changed["client_id"]) == ("New", client_id)
    assert changed["client_id_issued_at"] == made["client_id_issued_at"]
    ok(await _redeem(world, client_id, SECOND_KEY))
    assert error(await _redeem(world, client_id)) == (401, "invalid_client")


async def test_h12_a_token_is_hashed_and_rotated(world: World) -> None:
    made = await _registered(world)
    client_id, token = made["client_id"], made["registration_access_token"]
    assert token not in world.dump()
    changed = ok(await _update(world, client_id, token, {**_metadata(), "client_id": client_id}))
    assert changed["registration_access_token"] != token
    assert error(await _read(world, client_id, token)) == INVALID_TOKEN
    ok(await _read(world, client_id, changed["registration_access_token"]))


async def test_h12_a_token_manages_only_its_own_client(world: World) -> None:
    """An unknown client, a public one, and one of the operator's are refused alike."""
    one, other = await _registered(world), await _registered(world)
    token = one["registration_access_token"]
    public, machine = await world.register(), await world.machine()
    for client_id in (other["client_id"], "dcr_unknown", public.client_id, machine.client.client_id):
        for wrong in (token, None, ""):
            answers = [
                await _read(world, client_id, wrong),
                await _update(world, client_id, wrong, {**_metadata(), "client_id": client_id}),
                await _delete(world, client_id, wrong),
            ]
            assert {error(answer) for answer in answers} == {INVALID_TOKEN}
            world.clock.time += 61
    ok(await _read(world, other["client_id"], other["registration_access_token"]))


async def test_guesses_at_a_token_are_slowed_down(world: World) -> None:
    made = await _registered(world)
    answers = [await _read(world, made["client_id"], f"rat_{number}") for number in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    ok(await _read(world, made["client_id"], made["registration_access_token"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "dcr_other"},
        {"registration_access_token": "x"},
        {"registration_client_uri": "x"},
        {"client_id_issued_at": 1},
        {"client_secret_expires_at": 0},
        {"token_endpoint_auth_method": "none"},
        {"jwks": None},
        {"jwks": {"keys": []}},
    ],
    ids=str,
)
async def test_what_is_no_update_changes_nothing(world: World, changes: dict[str, Any]) -> None:
    made = await _registered(world)
    client_id, token = made["client_id"], made["registration_access_token"]
    metadata = _metadata(**{"client_id": client_id, **changes})
    assert error(await _update(world, client_id, token, metadata)) == (400, "invalid_client_metadata")
    ok(await _read(world, client_id, token))


async def test_a_client_deletes_its_registration_and_what_people_allowed_it(world: World) -> None:
    made = await _registered(world)
    client_id, token = made["client_id"], made["registration_access_token"]
    refresh_token = ok(await _redeem(world, client_id))["refresh_token"]
    assert (await _delete(world, client_id, token)).status == 200
    assert error(await _read(world, client_id, token)) == INVALID_TOKEN
    proof = presented(KEY.assertion(client_id, ISSUER, world.clock.now()))
    refused = await world.exchange(grant_type="refresh_token", refresh_token=refresh_token, **proof)
    assert error(refused) == (401, "invalid_client")
    revoked = await world.store.revocations(0.0)
    assert [each.name for each in revoked if each.revoked is Revoked.CLIENT] == [client_id]
    assert world.sql("SELECT count(*) FROM deleted_clients") == [(0,)]


async def test_g28_keys_elsewhere_only_where_documents_may_be(world: World) -> None:
    elsewhere: dict[str, Any] = {"jwks": None, "jwks_uri": "https://app.example/jwks.json"}
    assert (await _registered(world, **elsewhere))["jwks_uri"] == "https://app.example/jwks.json"
    for uri in ("http://app.example/jwks.json", "https://10.0.0.1/jwks.json", f"{ISSUER}/jwks.json"):
        answer = await world.registration(_metadata(jwks=None, jwks_uri=uri))
        assert error(answer) == (400, "invalid_client_metadata")
    world.deploy(replace(world.deployment, client_documents=DocumentPolicy.OFF))
    assert error(await world.registration(_metadata(**elsewhere))) == (400, "invalid_client_metadata")


async def test_registration_can_be_left_to_the_operator(world: World) -> None:
    """Who is registered stays so."""
    made = await _registered(world)
    world.deploy(replace(world.deployment, registration=RegistrationPolicy.OFF))
    for metadata in (_metadata(), {"redirect_uris": ["http://localhost/callback"]}, None):
        answer = await world.registration(metadata)
        assert (answer.status, answer.reason) == (403, Reason.REGISTRATION_OFF)
    ok(await _read(world, made["client_id"], made["registration_access_token"]))
