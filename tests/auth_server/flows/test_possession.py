"""Tokens that are bound to a key: DPoP at `/token` (RFC 9449)."""

from dataclasses import replace
from typing import Any

import pytest

from auth_server.domain.failures import Reason
from auth_server.domain.grant import REPLAY_WINDOW
from auth_server.flows.authorize import ErrorRedirect
from shared_kernel import dpop
from tests.auth_server.flows.world import ISSUER, RESOURCE, World, basic, error, ok
from tests.auth_server.stores.test_contract import at_once
from tests.support.dpop import DpopKey

pytestmark = pytest.mark.anyio

TOKEN = f"{ISSUER}/token"


@pytest.fixture
def key(world: World) -> DpopKey:
    """A client's key."""
    return DpopKey(clock=world.clock)


@pytest.fixture
def another(world: World) -> DpopKey:
    """A key of somebody else's."""
    return DpopKey(clock=world.clock)


def proof(key: DpopKey, **changed: Any) -> str:
    """A proof for the token endpoint."""
    return key.proof("POST", TOKEN, **changed)


async def test_a_program_gets_a_token_that_is_bound(world: World, key: DpopKey) -> None:
    machine = await world.machine()
    assert machine.client_secret
    authorization = basic(machine.client.client_id, machine.client_secret)
    tokens = ok(await world.exchange(authorization, proof=proof(key), grant_type="client_credentials"))
    assert tokens["token_type"] == "DPoP"
    assert (await world.claims(tokens["access_token"])).key_thumbprint == key.thumbprint


async def test_i16_what_was_granted_to_a_bearer_is_not_granted_beside_a_proof_unread(
    world: World, key: DpopKey
) -> None:
    """The memory of granted requests knows none with a proof, and answers none."""
    machine = await world.machine()
    assert machine.client_secret
    authorization = basic(machine.client.client_id, machine.client_secret)

    async def token_type(text: str | None) -> Any:
        return ok(await world.exchange(authorization, proof=text, grant_type="client_credentials"))["token_type"]

    for _ in range(2):
        assert await token_type(proof(key)) == "DPoP"
    for _ in range(2):
        assert await token_type(None) == "Bearer"
    assert await token_type(proof(key)) == "DPoP"
    bad = await world.exchange(authorization, proof="e30.e30.e30", grant_type="client_credentials")
    assert error(bad) == (400, "invalid_dpop_proof")


async def test_a_person_s_tokens_are_bound_and_stay_so(world: World, key: DpopKey) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    tokens = ok(await world.redeem(client.client_id, code, proof=proof(key)))
    for _ in range(3):
        assert tokens["token_type"] == "DPoP"
        assert (await world.claims(tokens["access_token"])).key_thumbprint == key.thumbprint
        tokens = ok(await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))


async def test_i16_a_refresh_by_another_key_or_by_none_uses_nothing_up(
    world: World, key: DpopKey, another: DpopKey
) -> None:
    client = await world.register()
    tokens = ok(await world.redeem(client.client_id, await world.code(client.client_id), proof=proof(key)))
    refresh_token = tokens["refresh_token"]
    for _ in range(2):
        assert error(await world.refresh(client.client_id, refresh_token)) == (400, "invalid_dpop_proof")
        swapped = await world.refresh(client.client_id, refresh_token, proof=proof(another))
        assert error(swapped) == (400, "invalid_grant")
        assert swapped.reason is Reason.REFRESH_TOKEN_OF_ANOTHER_KEY
    ok(await world.refresh(client.client_id, refresh_token, proof=proof(key)))


async def test_i16_a_replay_needs_the_same_key(world: World, key: DpopKey, another: DpopKey) -> None:
    client = await world.register()
    first = ok(await world.redeem(client.client_id, await world.code(client.client_id), proof=proof(key)))
    old = first["refresh_token"]
    winner = ok(await world.refresh(client.client_id, old, proof=proof(key)))
    world.clock.time += REPLAY_WINDOW - 1
    assert error(await world.refresh(client.client_id, old, proof=proof(another))) == (400, "invalid_grant")
    assert error(await world.refresh(client.client_id, old)) == (400, "invalid_dpop_proof")
    replayed = ok(await world.refresh(client.client_id, old, proof=proof(key)))
    assert replayed == {**winner, "expires_in": replayed["expires_in"]}
    assert replayed["token_type"] == "DPoP"
    world.clock.time += 1
    late = await world.refresh(client.client_id, old, proof=proof(key))
    assert late.reason is Reason.REFRESH_TOKEN_REUSED
    ended = await world.refresh(client.client_id, winner["refresh_token"], proof=proof(key))
    assert error(ended) == (400, "invalid_grant")


async def test_i16_the_thief_of_a_rotated_token_cannot_end_a_bound_grant(world: World, another: DpopKey) -> None:
    """Without the key it is worth nothing, not even as a nuisance."""
    key, client = DpopKey(clock=world.clock), await world.register()
    tokens = ok(await world.redeem(client.client_id, await world.code(client.client_id), proof=proof(key)))
    old = tokens["refresh_token"]
    for _ in range(2):
        tokens = ok(await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))
    assert error(await world.refresh(client.client_id, old, proof=proof(another))) == (400, "invalid_grant")
    assert error(await world.refresh(client.client_id, old)) == (400, "invalid_dpop_proof")
    ok(await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))


async def test_forty_refreshes_at_once_by_one_key_all_succeed(world: World, key: DpopKey) -> None:
    client = await world.register()
    tokens = ok(await world.redeem(client.client_id, await world.code(client.client_id), proof=proof(key)))
    answers = await at_once(lambda: world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))
    assert len({ok(answer)["refresh_token"] for answer in answers}) == 1


async def test_a_client_that_takes_up_proofs_is_bound_from_then_on(world: World, key: DpopKey) -> None:
    """RFC 9449 §5: what a public client is issued beside a proof is bound to its key."""
    client = await world.register()
    tokens = await world.tokens(client.client_id)
    tokens = ok(await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))
    assert error(await world.refresh(client.client_id, tokens["refresh_token"])) == (400, "invalid_dpop_proof")
    ok(await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))


async def test_a_confidential_client_may_change_its_key(world: World, key: DpopKey, another: DpopKey) -> None:
    """RFC 9449 §5: its refresh tokens are bound to its secret already. Each answer is for the key that asked."""
    machine = await world.machine("query offline_access", "https://app.example/cb")
    assert machine.client_secret
    client_id, authorization = machine.client.client_id, basic(machine.client.client_id, machine.client_secret)
    code = await world.code(client_id, redirect_uri="https://app.example/cb", scope="query offline_access")
    redeemed = await world.exchange(
        authorization,
        proof=proof(key),
        grant_type="authorization_code",
        code=code,
        redirect_uri="https://app.example/cb",
        code_verifier="v" * 43,
    )
    old = ok(redeemed)["refresh_token"]

    async def refresh(token: str, text: str | None) -> Any:
        return await world.exchange(authorization, proof=text, grant_type="refresh_token", refresh_token=token)

    tokens = ok(await refresh(old, proof(another)))
    assert (await world.claims(tokens["access_token"])).key_thumbprint == another.thumbprint
    assert (await refresh(old, proof(key))).reason is Reason.REPLAY_DIFFERS
    assert ok(await refresh(old, proof(another)))["access_token"] == tokens["access_token"]
    assert ok(await refresh(tokens["refresh_token"], None))["token_type"] == "Bearer"


async def test_i16_a_proof_is_good_for_one_answer(world: World, key: DpopKey) -> None:
    client = await world.register()
    once = proof(key)
    tokens = ok(await world.redeem(client.client_id, await world.code(client.client_id), proof=once))
    again = await world.refresh(client.client_id, tokens["refresh_token"], proof=once)
    assert (error(again), again.reason) == ((400, "invalid_dpop_proof"), Reason.DPOP_PROOF_REUSED)
    world.clock.time += dpop.WINDOW
    assert (await world.refresh(client.client_id, tokens["refresh_token"], proof=once)).reason is again.reason
    ok(await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))


async def test_i16_of_forty_uses_of_one_proof_at_once_one_succeeds(world: World, key: DpopKey) -> None:
    machine = await world.machine()
    assert machine.client_secret
    authorization, once = basic(machine.client.client_id, machine.client_secret), proof(key)
    answers = await at_once(lambda: world.exchange(authorization, proof=once, grant_type="client_credentials"))
    assert sorted(answer.status for answer in answers) == [200] + [400] * 39


async def test_a_refused_request_uses_up_no_proof(world: World, key: DpopKey) -> None:
    """A stranger cannot have the store remember proofs without end."""
    client = await world.register()
    once = proof(key)
    assert error(await world.redeem(client.client_id, "ac_no.code", proof=once)) == (400, "invalid_grant")
    assert world.sql("SELECT count(*) FROM used_once") == [(0,)]
    ok(await world.redeem(client.client_id, await world.code(client.client_id), proof=once))


async def test_i16_a_bad_proof_spends_no_code(world: World, key: DpopKey) -> None:
    client = await world.register()
    code = await world.code(client.client_id)
    for bad in (proof(key, htu=f"{ISSUER}/par"), proof(key, htm="GET"), proof(key, iat=1), "nonsense"):
        assert error(await world.redeem(client.client_id, code, proof=bad)) == (400, "invalid_dpop_proof")
    ok(await world.redeem(client.client_id, code, proof=proof(key)))


async def test_a_refusal_says_what_is_wrong_with_the_proof(world: World, key: DpopKey) -> None:
    client = await world.register()
    answer = await world.redeem(client.client_id, "ac_no.code", proof=proof(key, htm="GET"))
    assert answer.body is not None
    assert answer.body["error_description"] == "The htm of the DPoP proof is not the method of this request."


async def test_i16_a_code_can_be_bound_where_it_is_asked_for(world: World, key: DpopKey, another: DpopKey) -> None:
    """RFC 9449 §10."""
    client = await world.register()
    code = await world.code(client.client_id, dpop_jkt=key.thumbprint)
    assert error(await world.redeem(client.client_id, code)) == (400, "invalid_dpop_proof")
    swapped = await world.redeem(client.client_id, code, proof=proof(another))
    assert (error(swapped), swapped.reason) == ((400, "invalid_grant"), Reason.CODE_OF_ANOTHER_KEY)
    assert ok(await world.redeem(client.client_id, code, proof=proof(key)))["token_type"] == "DPoP"


@pytest.mark.parametrize("thumbprint", ["short", "x" * 44, "!" * 43])
async def test_a_thumbprint_that_no_key_has_is_refused(world: World, thumbprint: str) -> None:
    client = await world.register()
    outcome = await world.begin(client.client_id, dpop_jkt=thumbprint)
    assert isinstance(outcome, ErrorRedirect)
    assert outcome.reason is Reason.MALFORMED_REQUEST


async def test_i16_a_nonce_is_demanded_where_the_operator_wants_it(world: World, key: DpopKey) -> None:
    world.deploy(replace(world.deployment, dpop_nonce_required=True))
    client = await world.register()
    code = await world.code(client.client_id)
    assert error(await world.redeem(client.client_id, code, proof=proof(key))) == (400, "use_dpop_nonce")
    key.nonce = world.flows.token.nonce()
    tokens = ok(await world.redeem(client.client_id, code, proof=proof(key)))
    world.clock.time += 200
    stale = await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key))
    assert error(stale) == (400, "use_dpop_nonce")
    key.nonce = world.flows.token.nonce()
    ok(await world.refresh(client.client_id, tokens["refresh_token"], proof=proof(key)))


async def test_processes_of_a_deployment_agree_on_nonces(world: World, key: DpopKey) -> None:
    key.nonce = world.flows.token.nonce()
    world.deploy(replace(world.deployment, dpop_nonce_required=True))
    client = await world.register()
    ok(await world.redeem(client.client_id, await world.code(client.client_id), proof=proof(key)))


async def test_introspection_shows_the_binding(world: World, key: DpopKey) -> None:
    """RFC 9449 §6.2."""
    machine = await world.machine()
    assert machine.client_secret
    authorization = basic(machine.client.client_id, machine.client_secret)
    tokens = ok(await world.exchange(authorization, proof=proof(key), grant_type="client_credentials"))
    found = ok(await world.introspect(authorization, token=tokens["access_token"]))
    assert (found["active"], found["token_type"], found["cnf"]) == (True, "DPoP", {"jkt": key.thumbprint})


async def test_a_bearer_leaves_no_mark(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client.client_id)
    assert tokens["token_type"] == "Bearer"
    assert (await world.claims(tokens["access_token"], RESOURCE)).key_thumbprint is None
    assert world.sql("SELECT count(*) FROM used_once") == [(0,)]
