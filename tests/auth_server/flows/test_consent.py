"""The consent page and its decision: cases B01–B21 that need no browser."""

import anyio
import pytest

from auth_server.domain import credentials
from auth_server.domain.authorization import REPEAT_SECONDS, TRANSACTION_LIFETIME
from auth_server.domain.failures import Reason
from auth_server.domain.workspace import DEFAULT_WORKSPACE
from auth_server.flows.consent_check import NeedsSignIn
from auth_server.flows.consent_decision import Redirect
from tests.auth_server.flows.world import ADDRESS, EMAIL, ISSUER, RESOURCE, World, error, ok, outcome, query

pytestmark = pytest.mark.anyio


async def _waiting(world: World, **changes: str) -> str:
    """A transaction whose person has signed in."""
    transaction_id = await world.began((await world.register()).client_id, **changes)
    await world.signed_in(transaction_id)
    return transaction_id


async def _decide(world: World, transaction_id: str, csrf_token: str, approve: bool = True) -> object:
    return await outcome(
        world.flows.consent.decide(
            transaction_id, world.browser_id, world.session_id, csrf_token=csrf_token, approve=approve, address=ADDRESS
        )
    )


async def test_b12_page_shows_what_is_at_stake(world: World) -> None:
    page = await world.consent_page(await _waiting(world, scope="query schemas:read"))
    assert (page.client_name, page.client_verified) == ("Probe", False)
    assert (page.redirect_host, page.redirect_is_loopback, page.redirect_is_private_scheme) == (
        "localhost:49152",
        True,
        False,
    )
    assert page.scopes == ("schemas:read", "query")
    assert (page.resource, page.workspaces, page.user_email) == (RESOURCE, (DEFAULT_WORKSPACE,), EMAIL)


@pytest.mark.parametrize(
    ("uri", "host", "private"),
    [
        ("https://app.example.com/cb", "app.example.com", False),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor://anysphere.cursor-mcp", True),
        ("com.example.app:/cb", "com.example.app:", True),
    ],
)
async def test_b12_redirect_host(world: World, uri: str, host: str, private: bool) -> None:
    made = await world.administration.clients.create(name="Desk", confidential=False, redirect_uris=[uri])
    transaction_id = await world.began(made.client.client_id, redirect_uri=uri)
    await world.signed_in(transaction_id)
    page = await world.consent_page(transaction_id)
    assert (page.redirect_host, page.redirect_is_loopback, page.redirect_is_private_scheme) == (host, False, private)
    assert page.client_verified
    assert (await world.decided(transaction_id)).startswith(uri + "?code=ac_")


async def test_b01_wrong_csrf_token(world: World) -> None:
    transaction_id = await _waiting(world)
    for token in ("", "x", "é", "\ud800"):
        for approve in (True, False):
            assert await _decide(world, transaction_id, token, approve) == Reason.FORGED_FORM
    await world.decided(transaction_id)


async def test_b02_token_of_another_transaction_or_session(world: World) -> None:
    first, second = await _waiting(world), await _waiting(world)
    page = await world.consent_page(first)
    assert await _decide(world, second, page.csrf_token) == Reason.FORGED_FORM
    await world.signed_in(second)  # the session changes
    assert await _decide(world, first, page.csrf_token) == Reason.FORGED_FORM


async def test_b03_another_browser(world: World) -> None:
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    for browser_id in (None, "brw_other"):
        assert (
            await outcome(world.flows.consent.view(transaction_id, browser_id, world.session_id, ADDRESS))
            == Reason.UNKNOWN_TRANSACTION
        )
        decided = await outcome(
            world.flows.consent.decide(
                transaction_id, browser_id, world.session_id, csrf_token=page.csrf_token, approve=True, address=ADDRESS
            )
        )
        assert decided == Reason.UNKNOWN_TRANSACTION


async def test_b05_loading_twice_and_sending_the_first_works(world: World) -> None:
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    assert await world.consent_page(transaction_id) == page
    assert isinstance(await _decide(world, transaction_id, page.csrf_token), Redirect)


async def test_b06_sending_twice_at_once_gives_one_code(world: World) -> None:
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    outcomes: list[object] = []

    async def send() -> None:
        outcomes.append(await _decide(world, transaction_id, page.csrf_token))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(send)
    assert len({outcome.url for outcome in outcomes if isinstance(outcome, Redirect)}) == 1
    assert len(outcomes) == sum(isinstance(outcome, Redirect) for outcome in outcomes) == 20
    counts = world.sql("SELECT (SELECT count(*) FROM codes), (SELECT count(*) FROM grants)")
    assert counts == [(1, 1)]


@pytest.mark.parametrize("approve", [True, False])
async def test_b06_a_second_click_leads_where_the_first_one_did(world: World, approve: bool) -> None:
    """A browser follows the last answer only, and would lose the redirect."""
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    first = await _decide(world, transaction_id, page.csrf_token, approve)
    world.clock.time += REPEAT_SECONDS - 1
    assert await _decide(world, transaction_id, page.csrf_token, approve) == first
    assert isinstance(first, Redirect)
    if approve:
        ok(await world.redeem((await world.register()).client_id, query(first.url)["code"][0]))
    assert await _decide(world, transaction_id, page.csrf_token, not approve) == Reason.DECIDED_TRANSACTION
    assert await _decide(world, transaction_id, "wrong", approve) == Reason.DECIDED_TRANSACTION


async def test_b06_another_session_learns_nothing_from_a_second_click(world: World) -> None:
    """Not even one of the same browser."""
    transaction_id, other = await _waiting(world), await _waiting(world)
    await _decide(world, transaction_id, (await world.consent_page(transaction_id)).csrf_token)
    await world.signed_in(other)
    token = credentials.csrf_token(cookie=world.session_id or "", transaction_id=transaction_id, page="consent")
    again = await _decide(world, transaction_id, token)
    assert isinstance(again, Redirect)
    refused = await world.redeem((await world.register()).client_id, query(again.url)["code"][0])
    assert error(refused) == (400, "invalid_grant")


@pytest.mark.parametrize("approve", [True, False])
async def test_b06_b17_a_decision_is_final(world: World, approve: bool) -> None:
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    await _decide(world, transaction_id, page.csrf_token, approve)
    world.clock.time += REPEAT_SECONDS
    for second in (True, False):
        assert await _decide(world, transaction_id, page.csrf_token, second) == Reason.DECIDED_TRANSACTION
    assert (
        await outcome(world.flows.consent.view(transaction_id, world.browser_id, world.session_id, ADDRESS))
        == Reason.DECIDED_TRANSACTION
    )


async def test_b14_denial(world: World) -> None:
    url = await world.decided(await _waiting(world), approve=False)
    assert query(url).keys() == {"error", "error_description", "state", "iss"}
    assert query(url)["iss"] == [ISSUER]


async def test_b21_redirect_uri_withdrawn_meanwhile(world: World) -> None:
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    world.sql("UPDATE clients SET redirect_uris = '[]'")
    assert (
        await outcome(world.flows.consent.view(transaction_id, world.browser_id, world.session_id, ADDRESS))
        == Reason.UNKNOWN_TRANSACTION
    )
    assert await _decide(world, transaction_id, page.csrf_token) == Reason.UNKNOWN_TRANSACTION


async def test_b21_scope_withdrawn_meanwhile(world: World) -> None:
    transaction_id = await _waiting(world, scope="query")
    page = await world.consent_page(transaction_id)
    world.sql("UPDATE clients SET scopes = 'schemas:read'")
    assert await _decide(world, transaction_id, page.csrf_token) == Reason.UNKNOWN_TRANSACTION


async def test_b21_client_deleted_meanwhile(world: World) -> None:
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    (client,) = await world.administration.clients.all()
    await world.administration.clients.delete(client.client_id)
    assert await _decide(world, transaction_id, page.csrf_token) == Reason.UNKNOWN_TRANSACTION


async def test_not_signed_in(world: World) -> None:
    transaction_id = await world.began((await world.register()).client_id)
    for session_id in (None, "", "ses_unknown", "é"):
        assert (
            await outcome(world.flows.consent.view(transaction_id, world.browser_id, session_id, ADDRESS))
            == NeedsSignIn()
        )


async def test_expired_transaction(world: World) -> None:
    transaction_id = await _waiting(world)
    page = await world.consent_page(transaction_id)
    world.clock.time += TRANSACTION_LIFETIME
    assert await _decide(world, transaction_id, page.csrf_token) == Reason.UNKNOWN_TRANSACTION


async def test_f12_a_session_is_no_token_and_a_token_no_session(world: World) -> None:
    client = await world.register()
    body = await world.tokens(client.client_id)
    for cookie in (body["access_token"], body["refresh_token"]):
        transaction_id = await world.began(client.client_id)
        assert (
            await outcome(world.flows.consent.view(transaction_id, world.browser_id, cookie, ADDRESS)) == NeedsSignIn()
        )
    assert error(await world.refresh(client.client_id, str(world.session_id))) == (400, "invalid_grant")
    ok(await world.refresh(client.client_id, body["refresh_token"]))
