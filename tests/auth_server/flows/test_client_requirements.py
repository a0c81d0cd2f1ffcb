"""What clients demand of their own requests: `dpop_bound_access_tokens` and `require_pushed_authorization_requests`."""

from typing import Any

import pytest

from auth_server.domain.failures import Reason
from auth_server.flows.authorize import Continue, ErrorRedirect
from tests.auth_server.flows.test_par import begin, pushed
from tests.auth_server.flows.test_possession import proof
from tests.auth_server.flows.world import ADDRESS, VERIFIER, World, answer_to, basic, error, ok
from tests.support.client_keys import ClientKey
from tests.support.dpop import DpopKey

pytestmark = pytest.mark.anyio

BOUND = {"dpop_bound_access_tokens": True}
PUSHING = {"require_pushed_authorization_requests": True}
METADATA: dict[str, Any] = {
    "client_name": "Assistant",
    "redirect_uris": ["http://localhost/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
}


@pytest.fixture
def key(world: World) -> DpopKey:
    """A client's key."""
    return DpopKey(clock=world.clock)


async def test_i16_a_registration_with_bound_tokens_gets_none_without_a_proof(world: World, key: DpopKey) -> None:
    """RFC 9449 §5.2; at the code, and at each refresh."""
    client_id = ok(await world.registration({**METADATA, **BOUND}))["client_id"]
    code = await world.code(client_id)
    refused = await world.redeem(client_id, code)
    assert (error(refused), refused.reason) == ((400, "invalid_dpop_proof"), Reason.DPOP_PROOF_REQUIRED)
    given = {"client_id": client_id, "code": code, "redirect_uri": "http://localhost:49152/callback"}
    exchange = {"grant_type": "authorization_code", "code_verifier": VERIFIER, **given}
    tokens = ok(await world.exchange(proof=proof(key), **exchange))
    assert tokens["token_type"] == "DPoP"
    refresh = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": tokens["refresh_token"]}
    assert (await world.exchange(**refresh)).reason is Reason.DPOP_PROOF_REQUIRED
    ok(await world.exchange(proof=proof(key), **refresh))


async def test_i15_a_registration_that_pushes_is_answered_for_nothing_else(world: World) -> None:
    """RFC 9126 §6."""
    client_id = ok(await world.registration({**METADATA, **PUSHING}))["client_id"]
    outcome = await world.begin(client_id)
    assert isinstance(outcome, ErrorRedirect)
    assert outcome.reason is Reason.PUSHED_REQUEST_REQUIRED
    assert isinstance(await begin(world, client_id, await pushed(world, client_id)), Continue)


async def test_h15_a_registration_that_demands_something_is_another_client(world: World) -> None:
    answers = [ok(await world.registration({**METADATA, **more})) for more in ({}, BOUND, PUSHING, BOUND | PUSHING)]
    assert len({answer["client_id"] for answer in answers}) == 4
    assert [BOUND.keys() <= answer.keys() for answer in answers] == [False, True, False, True]
    assert [PUSHING.keys() <= answer.keys() for answer in answers] == [False, False, True, True]
    plain = ok(await world.registration({**METADATA, "dpop_bound_access_tokens": False, **dict.fromkeys(PUSHING)}))
    assert plain == answers[0]


@pytest.mark.parametrize("value", ["true", 1, [], {}])
@pytest.mark.parametrize("name", [*BOUND, *PUSHING])
async def test_what_is_neither_true_nor_false_is_refused(world: World, name: str, value: object) -> None:
    assert error(await world.registration({**METADATA, name: value})) == (400, "invalid_client_metadata")


async def test_a_managed_registration_tells_and_changes_what_it_demands(world: World) -> None:
    keys = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [ClientKey().jwk()]}}
    made = ok(await world.registration({**METADATA, **keys, **BOUND, **PUSHING}))
    assert made["dpop_bound_access_tokens"] is True
    client_id, manage = made["client_id"], world.flows.registration_management
    token = made["registration_access_token"]
    read = ok(await answer_to(lambda: manage.read(client_id, token, ADDRESS)))
    assert read["require_pushed_authorization_requests"] is True
    changed = {**METADATA, **keys, "client_id": client_id}
    assert (
        not {*BOUND, *PUSHING} & ok(await answer_to(lambda: manage.update(client_id, token, changed, ADDRESS))).keys()
    )
    assert isinstance(await world.begin(client_id), Continue)


async def test_i16_a_client_of_the_operators_with_bound_tokens_gets_none_without_a_proof(
    world: World, key: DpopKey
) -> None:
    """From the next request on, also where it repeats what it was granted before."""
    made = await world.machine()
    assert made.client_secret
    client_id, authorization = made.client.client_id, basic(made.client.client_id, made.client_secret)
    for _ in range(2):
        ok(await world.exchange(authorization, grant_type="client_credentials"))
    await world.administration.clients.update(client_id, dpop_bound=True)
    refused = await world.exchange(authorization, grant_type="client_credentials")
    assert refused.reason is Reason.DPOP_PROOF_REQUIRED
    bound = ok(await world.exchange(authorization, proof=proof(key), grant_type="client_credentials"))
    assert bound["token_type"] == "DPoP"
    await world.administration.clients.update(client_id, dpop_bound=False)
    ok(await world.exchange(authorization, grant_type="client_credentials"))


async def test_i15_a_client_of_the_operators_can_be_made_to_push(world: World) -> None:
    made = await world.administration.clients.create(
        name="App", confidential=False, redirect_uris=["http://localhost/callback"], par_required=True
    )
    client_id = made.client.client_id
    outcome = await world.begin(client_id)
    assert isinstance(outcome, ErrorRedirect)
    assert outcome.reason is Reason.PUSHED_REQUEST_REQUIRED
    assert isinstance(await begin(world, client_id, await pushed(world, client_id)), Continue)
