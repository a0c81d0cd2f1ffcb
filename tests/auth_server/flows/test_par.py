"""Pushed authorization requests (RFC 9126): what is pushed counts, once, for its client, in one browser."""

from dataclasses import replace
from typing import Any

import pytest

from auth_server.domain.authorization import PUSHED_LIFETIME
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.authorize import Answered, Continue, ErrorRedirect
from tests.auth_server.flows.world import (
    ISSUER,
    OTHER_RESOURCE,
    RESOURCE,
    Answer,
    World,
    authorization_request,
    basic,
    error,
    ok,
    query,
)
from tests.auth_server.stores.test_contract import at_once
from tests.support.dpop import DpopKey

pytestmark = pytest.mark.anyio

URN = "urn:ietf:params:oauth:request_uri:"


async def pushed(world: World, client_id: str, **changes: Any) -> str:
    """The `request_uri` of a good request, changed."""
    answer = ok(await world.push(authorization_request(client_id, **changes)))
    assert answer["expires_in"] == PUSHED_LIFETIME
    return str(answer["request_uri"])


async def begin(world: World, client_id: str, uri: str, **beside: str) -> Refused | ErrorRedirect | Continue | Answered:
    """GET /authorize with a `request_uri`, and what stands beside it; keeps the browser's cookie."""
    given = {"client_id": client_id, "request_uri": uri, **beside}
    outcome = await world.begin_with([*given.items()])
    if isinstance(outcome, Continue):
        world.browser_id = outcome.browser_id
    return outcome


def reason(outcome: object) -> Reason | None:
    """Why a request was refused with a page."""
    return outcome.reason if isinstance(outcome, Refused) else None


async def test_what_was_pushed_becomes_a_code_and_tokens(world: World) -> None:
    client = await world.register()
    uri = await pushed(world, client.client_id, state="of the client", resource=OTHER_RESOURCE, scope="query")
    assert uri.startswith(URN)
    assert len(uri.removeprefix(URN)) == 43
    outcome = await begin(world, client.client_id, uri)
    assert isinstance(outcome, Continue)
    await world.signed_in(outcome.transaction_id)
    back = query(await world.decided(outcome.transaction_id))
    assert back["state"] == ["of the client"]
    assert back["iss"] == [ISSUER]
    tokens = ok(await world.redeem(client.client_id, back["code"][0]))
    assert (await world.claims(tokens["access_token"], OTHER_RESOURCE)).scopes == {"query"}


async def test_i15_parameters_beside_the_request_uri_count_for_nothing(world: World) -> None:
    client = await world.register()
    uri = await pushed(world, client.client_id, scope="query")
    beside = {
        "redirect_uri": "https://evil.example/cb",
        "scope": "query schemas:read",
        "state": "of the attacker",
        "code_challenge": "x" * 43,
        "resource": OTHER_RESOURCE,
        "prompt": "none",
        "response_type": "token",
        "dpop_jkt": "y" * 43,
    }
    outcome = await begin(world, client.client_id, uri, **beside)
    assert isinstance(outcome, Continue)
    await world.signed_in(outcome.transaction_id)
    back = query(await world.decided(outcome.transaction_id))
    assert back["state"] == ["xyz"]
    tokens = ok(await world.redeem(client.client_id, back["code"][0]))
    assert (await world.claims(tokens["access_token"], RESOURCE)).scopes == {"query"}


async def test_i15_a_request_uri_is_its_client_s(world: World) -> None:
    client = await world.register()
    other = await world.register(client_name="Other")
    uri = await pushed(world, client.client_id)
    assert reason(await begin(world, other.client_id, uri)) is Reason.UNKNOWN_REQUEST_URI
    assert reason(await world.begin_with([("request_uri", uri)])) is Reason.UNKNOWN_CLIENT
    assert isinstance(await begin(world, client.client_id, uri), Continue)


async def test_i15_a_request_uri_lives_for_a_minute(world: World) -> None:
    client = await world.register()
    uri = await pushed(world, client.client_id)
    world.clock.time += PUSHED_LIFETIME - 1
    assert isinstance(await begin(world, client.client_id, uri), Continue)
    late = await pushed(world, client.client_id)
    world.clock.time += PUSHED_LIFETIME
    assert reason(await begin(world, client.client_id, late)) is Reason.UNKNOWN_REQUEST_URI


async def test_i15_another_browser_cannot_use_it_again(world: World) -> None:
    client = await world.register()
    uri = await pushed(world, client.client_id)
    assert isinstance(await begin(world, client.client_id, uri), Continue)
    for cookie in (None, "brw_another"):
        world.browser_id = cookie
        assert reason(await begin(world, client.client_id, uri)) is Reason.USED_REQUEST_URI
    assert world.sql("SELECT count(*) FROM transactions") == [(1,)]


async def test_i15_the_same_browser_is_led_where_it_was(world: World) -> None:
    """A reload, a second GET of the browser's own making, the back button: none of them strands a person."""
    client = await world.register()
    uri = await pushed(world, client.client_id)
    first = await begin(world, client.client_id, uri)
    assert isinstance(first, Continue)
    world.clock.time += PUSHED_LIFETIME + 1
    again = await begin(world, client.client_id, uri)
    assert isinstance(again, Continue)
    assert (again.transaction_id, again.browser_id) == (first.transaction_id, first.browser_id)
    await world.signed_in(first.transaction_id)
    await world.decided(first.transaction_id)
    assert reason(await begin(world, client.client_id, uri)) is Reason.DECIDED_TRANSACTION
    assert world.sql("SELECT count(*) FROM transactions") == [(1,)]


async def test_a_client_that_need_not_be_asked_about_is_answered_twice_over_with_one_code(world: World) -> None:
    """Consent is remembered: the page that is loaded again has no other page to lead to."""
    operators = await world.administration.clients.create(
        name="Web app", confidential=False, redirect_uris=["https://app.example/cb"]
    )
    client_id, elsewhere = operators.client.client_id, {"redirect_uri": "https://app.example/cb"}
    first = await begin(world, client_id, await pushed(world, client_id, **elsewhere))
    assert isinstance(first, Continue)
    await world.signed_in(first.transaction_id)
    await world.decided(first.transaction_id)
    uri = await pushed(world, client_id, **elsewhere)
    answers = [await begin(world, client_id, uri) for _ in range(2)]
    codes = [query(answer.url)["code"] for answer in answers if isinstance(answer, Answered)]
    assert len(codes) == 2
    assert codes[0] == codes[1]


async def test_i15_of_forty_browsers_at_once_one_starts(world: World) -> None:
    client = await world.register()
    uri = await pushed(world, client.client_id)
    request = [("client_id", client.client_id), ("request_uri", uri)]
    outcomes = await at_once(lambda: world.begin_with(request))
    assert sum(isinstance(outcome, Continue) for outcome in outcomes) == 1
    assert {reason(outcome) for outcome in outcomes} == {None, Reason.USED_REQUEST_URI}


async def test_i15_forty_requests_of_one_browser_lead_to_one_transaction(world: World) -> None:
    client = await world.register()
    uri = await pushed(world, client.client_id)
    world.browser_id = "brw_mine"
    request = [("client_id", client.client_id), ("request_uri", uri)]
    outcomes = await at_once(lambda: world.begin_with(request))
    (transaction_id,) = {outcome.transaction_id for outcome in outcomes if isinstance(outcome, Continue)}
    assert len(outcomes) == 40
    await world.signed_in(transaction_id)
    await world.decided(transaction_id)


async def test_what_was_pushed_is_judged_again(world: World) -> None:
    """What the client, or the deployment, allows can have changed since."""
    client = await world.register()
    uri = await pushed(world, client.client_id)
    world.deploy(replace(world.deployment, resources=(OTHER_RESOURCE,)))
    outcome = await begin(world, client.client_id, uri)
    assert isinstance(outcome, ErrorRedirect)
    assert outcome.reason is Reason.UNKNOWN_RESOURCE
    await world.store.delete_client(client.client_id, world.clock.now())
    assert reason(await begin(world, client.client_id, uri)) is Reason.UNKNOWN_CLIENT


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
        ({"state": ["a", "b"]}, "invalid_request"),
        ({"state": "x" * 9000}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        pytest.param({"request_uri": f"{URN}x"}, "invalid_request", id="a24-a-pushed-request-in-a-pushed-request"),
        pytest.param({"request_uri": "https://evil.example/r"}, "invalid_request", id="a24-a-request-uri-is-pushed"),
    ],
)
async def test_a_bad_request_is_refused_when_it_is_pushed(world: World, changes: dict[str, Any], expected: str) -> None:
    """RFC 9126 §2.1: it is validated "as it would an authorization request sent to the authorization endpoint"."""
    client = await world.register()
    assert error(await world.push(authorization_request(client.client_id, **changes))) == (400, expected)
    assert world.sql("SELECT count(*) FROM pushed_requests") == [(0,)]


async def test_a24_no_other_request_uri_is_looked_at(world: World) -> None:
    client = await world.register()
    for uri in ("https://evil.example/request", "urn:example:request", URN.upper()):
        outcome = await world.begin(client.client_id, request_uri=uri)
        assert isinstance(outcome, ErrorRedirect), uri
        assert outcome.reason is Reason.REQUEST_URI_NOT_SUPPORTED
    unknown = await world.begin(client.client_id, request_uri=f"{URN}unknown")
    assert reason(unknown) is Reason.UNKNOWN_REQUEST_URI
    twice = await world.begin(client.client_id, request_uri=[f"{URN}a", "https://evil.example/request"])
    assert reason(twice) is Reason.DUPLICATE_PARAMETER


async def test_a_confidential_client_authenticates(world: World) -> None:
    machine = await world.machine("query", "https://app.example/cb")
    assert machine.client_secret
    client_id = machine.client.client_id
    request = authorization_request(client_id, redirect_uri="https://app.example/cb")
    assert error(await world.push(request)) == (401, "invalid_client")
    assert error(await world.push(request, basic(client_id, "cs_wrong"))) == (401, "invalid_client")
    assert error(await world.push([*request, ("client_secret", "cs_wrong")])) == (401, "invalid_client")
    ok(await world.push([*request, ("client_secret", machine.client_secret)]))
    without_id = [pair for pair in request if pair[0] != "client_id"]
    uri = ok(await world.push(without_id, basic(client_id, machine.client_secret)))["request_uri"]
    assert isinstance(await begin(world, client_id, uri), Continue)
    assert machine.client_secret not in world.dump()
    assert str(uri).removeprefix(URN) not in world.dump()


async def test_nobody_can_push_without_end(world: World) -> None:
    client = await world.register()
    answers: list[Answer] = [await world.push(authorization_request(client.client_id)) for _ in range(121)]
    assert [answer.status for answer in answers] == [200] * 120 + [429]
    assert answers[-1].retry_after


async def test_requests_can_be_required_to_be_pushed(world: World) -> None:
    """RFC 9126 §5: `require_pushed_authorization_requests`."""
    world.deploy(replace(world.deployment, par_required=True))
    client = await world.register()
    outcome = await world.begin(client.client_id)
    assert isinstance(outcome, ErrorRedirect)
    assert outcome.reason is Reason.PUSHED_REQUEST_REQUIRED
    assert isinstance(await begin(world, client.client_id, await pushed(world, client.client_id)), Continue)


async def test_i16_a_proof_beside_a_pushed_request_binds_the_code(world: World) -> None:
    """RFC 9449 §10.1."""
    key, client = DpopKey(clock=world.clock), await world.register()
    request = authorization_request(client.client_id)
    once = key.proof("POST", f"{ISSUER}/par")
    uri = ok(await world.push(request, proof=once))["request_uri"]
    assert (await world.push(request, proof=once)).reason is Reason.DPOP_PROOF_REUSED
    assert error(await world.push(request, proof=key.proof("POST", f"{ISSUER}/token"))) == (400, "invalid_dpop_proof")
    differing = [*request, ("dpop_jkt", DpopKey().thumbprint)]
    assert error(await world.push(differing, proof=key.proof("POST", f"{ISSUER}/par"))) == (400, "invalid_request")
    ok(await world.push([*request, ("dpop_jkt", key.thumbprint)], proof=key.proof("POST", f"{ISSUER}/par")))
    outcome = await begin(world, client.client_id, uri)
    assert isinstance(outcome, Continue)
    await world.signed_in(outcome.transaction_id)
    code = query(await world.decided(outcome.transaction_id))["code"][0]
    assert error(await world.redeem(client.client_id, code)) == (400, "invalid_dpop_proof")
    ok(await world.redeem(client.client_id, code, proof=key.proof("POST", f"{ISSUER}/token")))
