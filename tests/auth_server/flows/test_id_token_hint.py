"""`id_token_hint` (OpenID Connect Core §3.1.2.1): nobody but the person in it can allow the request."""

import pytest

from auth_server.flows.authorize import Answered, Continue
from auth_server.flows.consent import CannotAllow, Hindrance, Unchosen
from auth_server.flows.consent_decision import Redirect
from tests.auth_server.flows.test_par import begin, pushed
from tests.auth_server.flows.world import ADDRESS, EMAIL, PASSWORD, World, ok, query

pytestmark = pytest.mark.anyio

BOB = "bob@example.com"
SITE = "https://app.example/callback"


async def _hint(world: World, client_id: str) -> str:
    """An ID token of the first person, who is signed out then; there is a second one, too."""
    tokens = await world.tokens(client_id, scope="openid")
    await world.administration.people.create(BOB, PASSWORD)
    world.session_id = None
    return str(tokens["id_token"])


async def _page(world: World, transaction_id: str) -> object:
    return await world.flows.consent.view(transaction_id, world.browser_id, world.session_id, ADDRESS)


async def _decide(world: World, transaction_id: str, page: CannotAllow, *, approve: bool) -> object:
    return await world.flows.consent.decide(
        transaction_id,
        world.browser_id,
        world.session_id,
        csrf_token=page.csrf_token,
        approve=approve,
        address=ADDRESS,
    )


async def test_a37_only_the_person_in_the_hint_can_allow_the_request(world: World) -> None:
    """Whoever else signs in is told so, and can go back, or be somebody else."""
    client = await world.register()
    hint = await _hint(world, client.client_id)
    transaction_id = await world.began(client.client_id, scope="openid", id_token_hint=hint)
    await world.signed_in(transaction_id, email=BOB)
    page = await _page(world, transaction_id)
    assert isinstance(page, CannotAllow)
    assert (page.hindrance, page.user_email) == (Hindrance.ANOTHER_PERSON, BOB)
    assert isinstance(await _decide(world, transaction_id, page, approve=True), Unchosen)
    await world.signed_in(transaction_id, email=EMAIL)
    assert "code" in query(await world.decided(transaction_id))


async def test_a37_who_is_signed_in_already_is_told_as_well(world: World) -> None:
    client = await world.register()
    hint = await _hint(world, client.client_id)
    await world.signed_in(await world.began(client.client_id), email=BOB)
    transaction_id = await world.began(client.client_id, scope="openid", id_token_hint=hint)
    page = await _page(world, transaction_id)
    assert isinstance(page, CannotAllow)
    outcome = await _decide(world, transaction_id, page, approve=False)
    assert isinstance(outcome, Redirect)
    assert query(outcome.url)["error"] == ["access_denied"]


async def test_a37_a_hint_that_was_pushed_counts_too(world: World) -> None:
    client = await world.register()
    hint = await _hint(world, client.client_id)
    outcome = await begin(
        world, client.client_id, await pushed(world, client.client_id, scope="openid", id_token_hint=hint)
    )
    assert isinstance(outcome, Continue)
    await world.signed_in(outcome.transaction_id, email=BOB)
    assert isinstance(await _page(world, outcome.transaction_id), CannotAllow)


async def test_a37_what_somebody_else_allowed_before_answers_nothing(world: World) -> None:
    """Remembered consent of a person who signs in for a request that is about another."""
    made = await world.administration.clients.create(name="App", confidential=False, redirect_uris=[SITE])
    client_id = made.client.client_id
    code = await world.code(client_id, redirect_uri=SITE, scope="openid")
    hint = ok(await world.redeem(client_id, code, redirect_uri=SITE))["id_token"]
    await world.administration.people.create(BOB, PASSWORD)
    world.session_id = None
    first = await world.began(client_id, redirect_uri=SITE, scope="openid")
    await world.signed_in(first, email=BOB)
    await world.decided(first)
    assert isinstance(await world.begin(client_id, redirect_uri=SITE, scope="openid"), Answered)
    outcome = await world.begin(client_id, redirect_uri=SITE, scope="openid", id_token_hint=hint)
    assert isinstance(outcome, Continue)
    automatic = world.flows.consent.automatic
    assert await automatic(outcome.transaction_id, world.browser_id, world.session_id, ADDRESS) is None
    assert isinstance(await _page(world, outcome.transaction_id), CannotAllow)
