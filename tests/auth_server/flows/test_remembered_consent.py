"""Whom a person is not asked about again, and by what they are."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from auth_server.domain.client import Client, GrantType, Registration
from auth_server.domain.consent import CONSENT_LIFETIME
from auth_server.domain.workspace import Role
from auth_server.flows.authorize import Answered, Continue, ErrorRedirect
from auth_server.flows.consent_decision import Redirect
from auth_server.protocol.registration import ALLOWED_SCOPES
from tests.auth_server.flows.world import ADDRESS, EMAIL, ISSUER, OTHER_RESOURCE, VERIFIER, World, ok, query

pytestmark = pytest.mark.anyio

SITE = "https://app.example/callback"
OTHER_SITE = "https://other.example/callback"
DOCUMENT_ID = "https://app.example/client.json"


async def _operators(world: World, *uris: str) -> Client:
    made = await world.administration.clients.create(
        name="App", confidential=False, redirect_uris=uris or (SITE, OTHER_SITE)
    )
    return made.client


async def _published(world: World, *uris: str, **changes: Any) -> Client:
    """A client that is known by its document, as if it had just been fetched."""
    client = Client(
        client_id=DOCUMENT_ID,
        name="App",
        registration=Registration.DOCUMENT,
        redirect_uris=uris or (SITE,),
        grant_types=frozenset({GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}),
        scopes=ALLOWED_SCOPES,
        tenant=None,
        created_at=world.clock.now(),
        document_expires_at=world.clock.now() + 86400,
    )
    await world.store.add_client(replace(client, **changes))
    return client


Making = Callable[[World], Awaitable[Client]]
VERIFIED = pytest.mark.parametrize("made", [_operators, _published])


async def _allowed(world: World, client: Client, **changes: Any) -> None:
    """The person signs in and allows a request; whatever is remembered of it, is."""
    transaction_id = await world.began(client.client_id, **{"redirect_uri": SITE, "scope": "query", **changes})
    if world.session_id is None:
        await world.signed_in(transaction_id)
    await world.decided(transaction_id)


async def _again(world: World, client: Client, **changes: Any) -> object:
    return await world.begin(client.client_id, **{"redirect_uri": SITE, "scope": "query", **changes})


@VERIFIED
async def test_a_verified_client_is_not_asked_about_twice(world: World, made: Making) -> None:
    client = await made(world)
    await _allowed(world, client, scope="query schemas:read")
    with capture_logs() as logs:
        answered = await _again(world, client, state="s 2")
    assert isinstance(answered, Answered)
    assert answered.url.startswith(f"{SITE}?code=")
    given = query(answered.url)
    assert (given["state"], given["iss"]) == (["s 2"], [ISSUER])
    assert [line["event"] for line in logs if line["event"].startswith("consent")] == ["consent_remembered"]
    tokens = ok(await world.redeem(client.client_id, given["code"][0], redirect_uri=SITE, code_verifier=VERIFIER))
    assert tokens["scope"] == "query"


@VERIFIED
async def test_the_page_says_that_the_answer_is_remembered(world: World, made: Making) -> None:
    client = await made(world)
    transaction_id = await world.began(client.client_id, redirect_uri=SITE)
    await world.signed_in(transaction_id)
    assert (await world.consent_page(transaction_id)).remembered_days == 90


LOOPBACK, APP = "http://localhost:49152/callback", "com.example.app:/callback"


async def _registered(world: World) -> Client:
    return await world.register(redirect_uris=[SITE])


@pytest.mark.parametrize(
    ("made", "uri"),
    [
        pytest.param(_registered, SITE, id="b08-unverified"),
        pytest.param(lambda world: _operators(world, LOOPBACK), LOOPBACK, id="operators-loopback"),
        pytest.param(lambda world: _operators(world, APP), APP, id="operators-app"),
        pytest.param(lambda world: _published(world, "http://localhost/callback"), LOOPBACK, id="documents-loopback"),
        pytest.param(lambda world: _published(world, APP), APP, id="documents-app"),
        pytest.param(lambda world: _published(world, OTHER_SITE), OTHER_SITE, id="documents-other-site"),
    ],
)
async def test_whoever_could_be_anybody_is_asked_about_every_time(world: World, made: Making, uri: str) -> None:
    client = await made(world)
    await _allowed(world, client, redirect_uri=uri)
    outcome = await _again(world, client, redirect_uri=uri)
    assert isinstance(outcome, Continue)
    assert (await world.consent_page(outcome.transaction_id)).remembered_days == 0
    assert world.sql("SELECT count(*) FROM consents") == [(0,)]
    silent = await _again(world, client, redirect_uri=uri, prompt="none")
    assert isinstance(silent, ErrorRedirect)
    assert query(silent.url)["error"] == ["consent_required"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scope": "query schemas:read"}, id="b07-wider-scope"),
        pytest.param({"scope": "schemas:read"}, id="b07-other-scope"),
        pytest.param({"resource": OTHER_RESOURCE}, id="b07-other-resource"),
        pytest.param({"redirect_uri": OTHER_SITE}, id="b07-other-redirect-origin"),
        pytest.param({"prompt": "consent"}, id="prompt-consent"),
    ],
)
async def test_what_was_not_allowed_is_asked(world: World, changes: dict[str, str]) -> None:
    client = await _operators(world)
    await _allowed(world, client)
    assert isinstance(await _again(world, client, **changes), Continue)
    if "prompt" not in changes:
        silent = await _again(world, client, prompt="none", **changes)
        assert isinstance(silent, ErrorRedirect)
        assert query(silent.url)["error"] == ["consent_required"]
    assert isinstance(await _again(world, client), Answered)


async def test_b07_what_one_client_was_allowed_another_is_not(world: World) -> None:
    await _allowed(world, await _operators(world))
    assert isinstance(await _again(world, await _operators(world)), Continue)


@pytest.mark.parametrize(
    "changes",
    [{"name": "Other"}, {"redirect_uris": (SITE, "https://app.example/more")}, {"jwks_uri": "https://app.example/k"}],
    ids=["b07-name", "b07-redirect-uris", "b07-keys"],
)
async def test_g21_a_client_that_has_changed_is_asked_about(world: World, changes: dict[str, Any]) -> None:
    client = await _published(world)
    await _allowed(world, client)
    await _published(world, **changes)
    assert isinstance(await _again(world, client), Continue)
    await _allowed(world, client)
    assert isinstance(await _again(world, client), Answered)
    await _published(world)
    assert isinstance(await _again(world, client), Continue)


async def test_a37_prompt_none_is_answered_where_as_much_was_allowed(world: World) -> None:
    client = await _published(world)
    anonymous = await _again(world, client, prompt="none")
    assert not isinstance(anonymous, Answered)
    await _allowed(world, client)
    assert isinstance(await _again(world, client, prompt="none"), Answered)
    world.session_id = None
    assert not isinstance(await _again(world, client, prompt="none"), Answered)


async def test_whoever_signs_in_anew_is_not_asked_either(world: World) -> None:
    """The session has ended, or the client wants a fresh sign-in: the sign-in page leads straight back."""
    client = await _published(world)
    await _allowed(world, client)
    world.clock.time += 1
    transaction_id = await world.began(client.client_id, redirect_uri=SITE, scope="query", prompt="login")
    assert await world.flows.consent.automatic(transaction_id, world.browser_id, world.session_id, ADDRESS) is None
    await world.signed_in(transaction_id)
    outcome = await world.flows.consent.automatic(transaction_id, world.browser_id, world.session_id, ADDRESS)
    assert isinstance(outcome, Redirect)
    assert "code" in query(outcome.url)


async def test_prompt_consent_outlasts_the_sign_in(world: World) -> None:
    client = await _published(world)
    await _allowed(world, client)
    transaction_id = await world.began(client.client_id, redirect_uri=SITE, scope="query", prompt="login consent")
    await world.signed_in(transaction_id)
    assert await world.flows.consent.automatic(transaction_id, world.browser_id, world.session_id, ADDRESS) is None


async def test_b07_of_several_workspaces_the_person_chooses_each_time(world: World) -> None:
    """Unless the URL says which; what was allowed in one is not allowed in another."""
    client = await _published(world)
    await _allowed(world, client)
    await world.administration.workspaces.create("acme")
    await world.administration.workspaces.add_member("acme", EMAIL, Role.MEMBER)
    assert isinstance(await _again(world, client), Continue)
    assert isinstance(await _again(world, client, workspace="acme"), Continue)
    assert isinstance(await _again(world, client, workspace="default"), Answered)
    assert isinstance(await _again(world, client, workspace="missing"), Continue)
    await world.administration.workspaces.remove_member("default", EMAIL)
    assert isinstance(await _again(world, client), Continue)


async def _disconnect(world: World, client: Client) -> None:
    (connection,) = await world.flows.connections.of(world.session_id)
    token = connection.csrf_token
    await world.flows.connections.end(world.session_id, client.client_id, csrf_token=token, address=ADDRESS)
    assert await world.flows.connections.of(world.session_id) == []


async def _revoke_grant(world: World, _client: Client) -> None:
    (grant,) = await world.store.grants(world.clock.now())
    await world.administration.people.revoke_grant(grant.handle)


async def _revoke_grants_of_the_person(world: World, client: Client) -> None:
    assert len(await world.administration.people.revoke_grants(EMAIL, client.client_id)) == 1


async def _revoke_all_of_the_person(world: World, _client: Client) -> None:
    assert len(await world.administration.people.revoke_grants(EMAIL)) == 1


async def _revoke_grants_of_the_client(world: World, client: Client) -> None:
    assert len(await world.administration.people.revoke_grants(None, client.client_id)) == 1


async def _let_it_expire(world: World, client: Client) -> None:
    world.clock.time += CONSENT_LIFETIME
    await _published(world)
    world.session_id = None
    await world.signed_in(await world.began(client.client_id, redirect_uri=SITE, prompt="login"))


@pytest.mark.parametrize(
    "end",
    [
        _disconnect,
        _revoke_grant,
        _revoke_grants_of_the_person,
        _revoke_all_of_the_person,
        _revoke_grants_of_the_client,
        _let_it_expire,
    ],
)
async def test_a_person_is_asked_again_once_it_has_ended(
    world: World, end: Callable[[World, Client], Awaitable[None]]
) -> None:
    client = await _published(world)
    await _allowed(world, client)
    await end(world, client)
    assert isinstance(await _again(world, client), Continue)
    assert await world.store.grants(world.clock.now()) == []


async def test_the_end_of_a_disabled_persons_grant_ends_the_consent_too(world: World) -> None:
    client = await _published(world)
    await _allowed(world, client)
    await world.administration.people.disable(EMAIL)
    await _revoke_grant(world, client)
    assert world.sql("SELECT count(*) FROM consents") == [(0,)]


async def test_what_is_remembered_without_a_grant_can_be_ended_too(world: World) -> None:
    """The app signed itself out, and shows on the front page all the same."""
    client = await _published(world)
    await _allowed(world, client)
    (grant,) = await world.store.grants(world.clock.now())
    await world.store.revoke_grant(grant.grant_id, world.clock.now())
    await _disconnect(world, client)
    assert isinstance(await _again(world, client), Continue)


async def test_a_client_that_is_deleted_and_comes_back_is_refused_not_answered(world: World) -> None:
    client = await _operators(world)
    await _allowed(world, client)
    await world.administration.clients.delete(client.client_id)
    assert not isinstance(await _again(world, client), Answered | Continue)


async def test_a_denial_is_not_remembered_and_forgets_nothing(world: World) -> None:
    client = await _published(world)
    await _allowed(world, client)
    transaction_id = await world.began(client.client_id, redirect_uri=SITE, scope="query", prompt="consent")
    await world.decided(transaction_id, approve=False)
    assert isinstance(await _again(world, client), Answered)


@VERIFIED
async def test_a37_nobody_is_answered_for_in_another_s_place(world: World, made: Making) -> None:
    """The client says by an ID token whom it expects; somebody else is signed in, and has allowed as much."""
    client = await made(world)
    transaction_id = await world.began(client.client_id, redirect_uri=SITE, scope="openid")
    await world.signed_in(transaction_id)
    code = query(await world.decided(transaction_id))["code"][0]
    hint = ok(await world.redeem(client.client_id, code, redirect_uri=SITE))["id_token"]
    assert isinstance(await _again(world, client, scope="openid", prompt="none", id_token_hint=hint), Answered)
    await world.administration.people.create("bob@example.com", "correct horse battery", workspace="default")
    world.clock.time += 1
    other = await world.began(client.client_id, redirect_uri=SITE, scope="openid", prompt="login")
    await world.signed_in(other, email="bob@example.com")
    await world.decided(other)
    assert isinstance(await _again(world, client, scope="openid"), Answered)
    refused = await _again(world, client, scope="openid", prompt="none", id_token_hint=hint)
    assert isinstance(refused, ErrorRedirect)
    assert query(refused.url)["error"] == ["login_required"]
    assert isinstance(await _again(world, client, scope="openid", id_token_hint=hint), Continue)
