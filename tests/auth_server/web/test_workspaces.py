"""Workspaces and remembered consent over the wire."""

import httpx2
import pytest

from auth_server.app import operators
from auth_server.domain.workspace import Role
from tests.auth_server.web.site import EMAIL, PASSWORD, WEB_URI, Site, quick_passwords, redirect_parameters
from tests.support.people import Pkce

pytestmark = pytest.mark.anyio


async def _join(site: Site, *names: str) -> None:
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        for name in names:
            await administration.workspaces.create(name, f"{name.title()} <b>")
            await administration.workspaces.add_member(name, EMAIL, Role.MEMBER)


async def _preset(site: Site, name: str, **changed: str) -> httpx2.Response:
    query = site.query(Pkce(), **changed)
    return await site.browser.get(f"{site.base}/authorize/{name}", params=query)


async def _self_registered(site: Site) -> str:
    """A client that belongs to no workspace."""
    metadata = {"client_name": "App", "redirect_uris": ["http://127.0.0.1/callback"]}
    answer = await site.browser.post(f"{site.base}/register", json=metadata)
    return str(answer.json()["client_id"])


async def test_the_person_chooses_among_their_workspaces(any_site: Site) -> None:
    site = any_site
    await _join(site, "acme", "globex")
    page = await site.consent_page(client_id=await _self_registered(site))
    assert page.text.count('type="radio"') == 3
    assert "Acme &lt;b&gt;" in page.text
    unchosen = await site.submit(page, decision="approve", workspace="")
    assert unchosen.status_code == 400
    assert "Choose the workspace first" in unchosen.text
    assert "code" in redirect_parameters(await site.submit(page, decision="approve", workspace="globex"))


async def test_a41_one_page_for_what_is_not_there_and_what_is_not_theirs(any_site: Site) -> None:
    site, client_id = any_site, await _self_registered(any_site)
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        await administration.workspaces.create("globex")
    signed_in = await site.submit(
        await site.follow(await _preset(site, "globex", client_id=client_id)), email=EMAIL, password=PASSWORD
    )
    pages = [await site.browser.get(signed_in.headers["location"])]
    pages.append(await site.follow(await _preset(site, "missing", client_id=client_id)))
    assert [page.status_code for page in pages] == [400, 400]
    assert all("do not belong to this workspace" in page.text for page in pages)
    assert all("globex" not in page.text and "missing" not in page.text for page in pages)


@pytest.mark.parametrize("name", ["A", "a b", "-", "a" * 41, "ä", "", "a/b", "a%0a"])
async def test_no_other_path_presets_a_workspace(site: Site, name: str) -> None:
    assert (await _preset(site, name)).status_code == 404


async def test_a_verified_client_on_the_web_gets_its_code_at_once(any_site: Site) -> None:
    """Whoever has signed in again, and whoever still is; a page says beforehand that it will be so."""
    site = any_site
    page = await site.consent_page(redirect_uri=WEB_URI)
    assert "not asked again for the same access for 90 days" in page.text
    redirect_parameters(await site.submit(page, decision="approve"), WEB_URI)
    assert "code" in redirect_parameters(await site.authorize(redirect_uri=WEB_URI), WEB_URI)
    silent = redirect_parameters(await site.authorize(redirect_uri=WEB_URI, prompt="none"), WEB_URI)
    assert "code" in silent
    asked = await site.authorize(redirect_uri=WEB_URI, prompt="consent")
    assert "/consent?" in asked.headers["location"]
    async with site.another_browser() as other:
        login = await other.sign_in_page(redirect_uri=WEB_URI)
        answered = await other.submit(login, email=EMAIL, password=PASSWORD)
        assert "code" in redirect_parameters(answered, WEB_URI)
        assert "auth_session" in answered.headers["set-cookie"]


async def test_a_program_on_this_computer_is_asked_about_each_time(site: Site) -> None:
    page = await site.consent_page()
    assert "not asked again" not in page.text
    redirect_parameters(await site.submit(page, decision="approve"))
    assert "/consent?" in (await site.authorize()).headers["location"]
