"""For which workspace a person lets a client work, and what is left of it when they are out of it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from auth_server.domain.workspace import Membership, Role
from auth_server.flows.administration.problems import CannotDo, Problem
from auth_server.flows.authorize import Continue, ErrorRedirect
from auth_server.flows.consent import CannotAllow, Unchosen
from auth_server.flows.consent_decision import Redirect
from shared_kernel.revocations import read
from tests.auth_server.flows.world import ADDRESS, EMAIL, ISSUER, PASSWORD, World, basic, error, ok, query

pytestmark = pytest.mark.anyio


@pytest.fixture
async def spaces(world: World) -> World:
    """A world in which the person belongs to `acme` as an admin and to the default workspace, and not to `globex`."""
    await world.administration.workspaces.create("acme", "Zenith & Acme")
    await world.administration.workspaces.create("globex")
    await world.administration.workspaces.add_member("acme", EMAIL, Role.ADMIN)
    return world


async def _waiting(world: World, client_id: str, workspace: str | None = None) -> str:
    """A transaction that waits for the person's decision."""
    transaction_id = await world.began(client_id, workspace=workspace)
    await world.signed_in(transaction_id)
    return transaction_id


async def _tokens(world: World, client_id: str, workspace: str) -> dict[str, str]:
    transaction_id = await _waiting(world, client_id)
    code = query(await world.decided(transaction_id, workspace=workspace))["code"][0]
    return ok(await world.redeem(client_id, code))


async def test_the_token_is_for_the_workspace_that_the_person_chose(spaces: World) -> None:
    client = await spaces.register()
    page = await spaces.consent_page(await _waiting(spaces, client.client_id))
    assert [(workspace.name, workspace.title) for workspace in page.workspaces] == [
        ("default", "Default"),
        ("acme", "Zenith & Acme"),
    ]
    for name, role in {"acme": "admin", "default": "member"}.items():
        tokens = await _tokens(spaces, client.client_id, name)
        for issued in (tokens, ok(await spaces.refresh(client.client_id, tokens["refresh_token"]))):
            claims = await spaces.claims(issued["access_token"])
            assert (claims.tenant, claims.roles) == (name, frozenset({role}))


@pytest.mark.parametrize("chosen", [None, "globex", "missing", ""])
async def test_of_several_workspaces_one_of_the_persons_own_must_be_chosen(spaces: World, chosen: str | None) -> None:
    client = await spaces.register()
    transaction_id = await _waiting(spaces, client.client_id)
    assert await spaces.decide(transaction_id, workspace=chosen) == Unchosen()
    assert "code" in query(await spaces.decided(transaction_id, workspace="acme"))


async def test_to_deny_needs_no_choice(spaces: World) -> None:
    client = await spaces.register()
    url = await spaces.decided(await _waiting(spaces, client.client_id), approve=False)
    assert query(url)["error"] == ["access_denied"]


async def test_the_url_presets_the_workspace(spaces: World) -> None:
    client = await spaces.register()
    transaction_id = await _waiting(spaces, client.client_id, "acme")
    page = await spaces.consent_page(transaction_id)
    assert [workspace.name for workspace in page.workspaces] == ["acme"]
    assert await spaces.decide(transaction_id, workspace="default") == Unchosen()
    code = query(await spaces.decided(transaction_id))["code"][0]
    claims = await spaces.claims(ok(await spaces.redeem(client.client_id, code))["access_token"])
    assert claims.tenant == "acme"


async def test_a41_who_is_not_in_a_workspace_does_not_learn_whether_it_is_there(spaces: World) -> None:
    client = await spaces.register()
    pages = []
    for name in ("globex", "missing"):
        transaction_id = await _waiting(spaces, client.client_id, name)
        page = await spaces.flows.consent.view(transaction_id, spaces.browser_id, spaces.session_id, ADDRESS)
        assert isinstance(page, CannotAllow)
        pages.append(replace(page, csrf_token="", sign_out_token=""))
        outcome = await spaces.flows.consent.decide(
            transaction_id,
            spaces.browser_id,
            spaces.session_id,
            csrf_token=page.csrf_token,
            approve=True,
            address=ADDRESS,
            workspace=name,
        )
        assert outcome == Unchosen()
    assert pages[0] == pages[1]
    assert spaces.sql("SELECT count(*) FROM grants") == [(0,)]
    outcomes = [await spaces.begin(client.client_id, workspace=name, prompt="none") for name in ("globex", "missing")]
    assert [type(outcome) for outcome in outcomes] == [ErrorRedirect, ErrorRedirect]
    assert len({str(outcome) for outcome in outcomes}) == 1


async def test_who_is_not_in_a_workspace_can_send_the_app_a_denial(spaces: World) -> None:
    client = await spaces.register()
    transaction_id = await _waiting(spaces, client.client_id, "globex")
    page = await spaces.flows.consent.view(transaction_id, spaces.browser_id, spaces.session_id, ADDRESS)
    assert isinstance(page, CannotAllow)
    outcome = await spaces.flows.consent.decide(
        transaction_id,
        spaces.browser_id,
        spaces.session_id,
        csrf_token=page.csrf_token,
        approve=False,
        address=ADDRESS,
    )
    assert isinstance(outcome, Redirect)
    assert query(outcome.url)["error"] == ["access_denied"]


async def test_an_operators_client_works_in_its_own_workspace_only(spaces: World) -> None:
    for name, titles in {"acme": ["Zenith & Acme"], "globex": None}.items():
        made = await spaces.administration.clients.create(
            name="Desk", confidential=True, redirect_uris=["http://localhost/callback"], workspace=name
        )
        assert made.client_secret
        transaction_id = await _waiting(spaces, made.client.client_id)
        page = await spaces.flows.consent.view(transaction_id, spaces.browser_id, spaces.session_id, ADDRESS)
        assert isinstance(page, CannotAllow) == (titles is None)
        authorization = basic(made.client.client_id, made.client_secret)
        own = ok(await spaces.exchange(authorization, grant_type="client_credentials", scope="query"))
        claims = await spaces.claims(own["access_token"])
        assert (claims.tenant, claims.roles) == (name, frozenset())


async def test_who_left_a_workspace_has_nothing_there_any_more(spaces: World) -> None:
    client = await spaces.register()
    there, here = [await _tokens(spaces, client.client_id, name) for name in ("acme", "default")]
    transaction_id = await _waiting(spaces, client.client_id, "acme")
    code = query(await spaces.decided(transaction_id))["code"][0]
    waiting = await _waiting(spaces, client.client_id, "acme")
    await spaces.administration.workspaces.remove_member("acme", EMAIL)
    assert error(await spaces.refresh(client.client_id, there["refresh_token"])) == (400, "invalid_grant")
    assert error(await spaces.redeem(client.client_id, code)) == (400, "invalid_grant")
    page = await spaces.flows.consent.view(waiting, spaces.browser_id, spaces.session_id, ADDRESS)
    assert isinstance(page, CannotAllow)
    assert ok(await spaces.refresh(client.client_id, here["refresh_token"]))
    feed = await spaces.flows.revocation_feed.feed(None)
    signer = await spaces.keys.signing_key()
    keys = await spaces.keys.published_keys()
    told = read(feed, keys[signer.key_id], issuer=ISSUER, now=spaces.clock.now())
    assert told.ends(await spaces.claims(there["access_token"]))
    assert not told.ends(await spaces.claims(here["access_token"]))


async def test_another_role_ends_what_names_the_old_one(spaces: World) -> None:
    client = await spaces.register()
    tokens = await _tokens(spaces, client.client_id, "acme")
    await spaces.administration.workspaces.add_member("acme", EMAIL, Role.ADMIN)
    tokens = ok(await spaces.refresh(client.client_id, tokens["refresh_token"]))
    await spaces.administration.workspaces.add_member("acme", EMAIL, Role.MEMBER)
    assert error(await spaces.refresh(client.client_id, tokens["refresh_token"])) == (400, "invalid_grant")
    claims = await spaces.claims((await _tokens(spaces, client.client_id, "acme"))["access_token"])
    assert claims.roles == {"member"}


async def test_who_belongs_to_no_workspace_can_allow_nothing(world: World) -> None:
    client = await world.register()
    await world.administration.workspaces.remove_member("default", EMAIL)
    transaction_id = await _waiting(world, client.client_id)
    page = await world.flows.consent.view(transaction_id, world.browser_id, world.session_id, ADDRESS)
    assert isinstance(page, CannotAllow)


async def test_a_name_is_short_and_fit_for_urls(world: World) -> None:
    for name in ("", "-a", "a-", "A", "a b", "a/b", "ä", "a\n", "a" * 41, "a_b", "a.b"):
        with pytest.raises(CannotDo) as refused:
            await world.administration.workspaces.create(name)
        assert refused.value.problem is Problem.UNUSABLE_WORKSPACE_NAME, name
    for name in ("a", "0", "a-b", "a" * 40):
        assert (await world.administration.workspaces.create(name)).title == name


async def test_what_cannot_be_done_is_said(spaces: World) -> None:
    administration = spaces.administration
    cases: dict[Problem, Callable[[], Awaitable[object]]] = {
        Problem.WORKSPACE_EXISTS: lambda: administration.workspaces.create("acme"),
        Problem.WORKSPACE_IS_PERMANENT: lambda: administration.workspaces.remove("default"),
        Problem.WORKSPACE_IN_USE: lambda: administration.workspaces.remove("acme"),
        Problem.NOT_A_MEMBER: lambda: administration.workspaces.remove_member("globex", EMAIL),
        Problem.UNUSABLE_NAME: lambda: administration.workspaces.create("new", "\u200b"),
    }
    for problem, act in cases.items():
        with pytest.raises(CannotDo) as refused:
            await act()
        assert refused.value.problem is problem
    unknown: list[Callable[[], Awaitable[object]]] = [
        lambda: administration.workspaces.remove("missing"),
        lambda: administration.workspaces.members("missing"),
        lambda: administration.workspaces.add_member("missing", EMAIL, Role.OWNER),
        lambda: administration.people.create("bob@example.com", PASSWORD, "missing"),
        lambda: administration.clients.create(name="Bot", confidential=True, workspace="missing"),
    ]
    for act in unknown:
        with pytest.raises(CannotDo) as refused:
            await act()
        assert refused.value.problem is Problem.NO_SUCH_WORKSPACE
    with pytest.raises(CannotDo) as refused:
        await administration.workspaces.create("default")
    assert refused.value.problem is Problem.WORKSPACE_EXISTS
    (member,) = await administration.workspaces.members("acme")
    assert member[1] is Role.ADMIN
    user = await administration.people.create("bob@example.com", PASSWORD, "globex", Role.OWNER)
    assert user.memberships == (Membership("globex", Role.OWNER),)


async def test_one_browser_asks_for_two_workspaces_at_a_time(spaces: World) -> None:
    """Two tabs: what one presets does not leak into the other."""
    client = await spaces.register()
    first = await _waiting(spaces, client.client_id, "acme")
    second = await spaces.begin(client.client_id, workspace="default")
    assert isinstance(second, Continue)
    for transaction_id, tenant in ((first, "acme"), (second.transaction_id, "default")):
        code = query(await spaces.decided(transaction_id))["code"][0]
        claims = await spaces.claims(ok(await spaces.redeem(client.client_id, code))["access_token"])
        assert claims.tenant == tenant
