"""The front page, signing out, and going on as somebody else."""

import pytest

from auth_server.app import operators
from tests.auth_server.web.site import EMAIL, LOOPBACK_URI, PASSWORD, Site, quick_passwords, redirect_parameters
from tests.support.people import Pkce, main_form, sign_out_form

pytestmark = pytest.mark.anyio


async def test_the_front_page_says_what_this_is(site: Site) -> None:
    """Nobody is signed in, and there is nothing to fill in."""
    page = await site.browser.get("/")
    assert page.status_code == 200
    assert "This is where you sign in to DynamoSQL" in page.text
    assert "<form" not in page.text


async def test_a_person_signs_out(site: Site) -> None:
    """The session is over in the store, not only in the browser."""
    await site.consent_page()
    cookies = dict(site.browser.cookies)
    home = await site.browser.get("/")
    assert f"<bdi>{EMAIL}</bdi>" in home.text
    form = sign_out_form(home)
    answer = await site.browser.post(form.action, data=form.fields, headers=dict(site.same_origin))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert "You are signed in" not in (await site.browser.get("/")).text
    site.browser.cookies.update(cookies)
    assert "You are signed in" not in (await site.browser.get("/")).text
    assert site.rows("sessions") == 0


async def test_a_person_goes_on_as_somebody_else(site: Site) -> None:
    """The same request of the client waits on the sign-in page."""
    consent = await site.consent_page()
    form = sign_out_form(consent)
    login = await site.follow(await site.browser.post(form.action, data=form.fields, headers=dict(site.same_origin)))
    assert main_form(login).action == "/login"
    assert main_form(login).fields["transaction"] == form.fields["transaction"]
    again = await site.sign_in(login)
    assert (await site.submit(again, decision="approve")).headers["location"].startswith("http://")


@pytest.mark.parametrize("csrf", [None, "", "wrong"])
async def test_b01_a_sign_out_needs_its_token(site: Site, csrf: str | None) -> None:
    """Nobody signs somebody else out."""
    await site.consent_page()
    fields = {"other": "x"} if csrf is None else {"csrf": csrf}
    answer = await site.browser.post("/sign-out", data=fields, headers=dict(site.same_origin))
    assert answer.status_code == 403
    assert "You are signed in" in (await site.browser.get("/")).text


async def test_b04_a_sign_out_comes_from_our_own_page(site: Site) -> None:
    """Not from another site's form."""
    await site.consent_page()
    form = sign_out_form(await site.browser.get("/"))
    answer = await site.browser.post(form.action, data=form.fields, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "You are signed in" in (await site.browser.get("/")).text


async def test_signing_out_twice_is_no_error(site: Site) -> None:
    """Whoever is not signed in is signed out."""
    answer = await site.browser.post("/sign-out", data={"csrf": ""}, headers=dict(site.same_origin))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


async def test_a37_whoever_the_client_does_not_expect_goes_on_as_somebody_else(any_site: Site) -> None:
    site, pkce = any_site, Pkce()
    back = redirect_parameters(await site.submit(await site.consent_page(pkce, scope="openid"), decision="approve"))
    redeem = {"grant_type": "authorization_code", "client_id": site.seed.app_id, "redirect_uri": LOOPBACK_URI}
    hint = (await site.token(**redeem, code=back["code"], code_verifier=pkce.verifier)).json()["id_token"]
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        await administration.people.create("bob@example.com", PASSWORD)
    async with site.another_browser() as other:
        login = await other.sign_in_page(scope="openid", id_token_hint=hint)
        page = await other.follow(await other.submit(login, email="bob@example.com", password=PASSWORD))
        assert page.status_code == 400
        assert "expects another account" in page.text
        assert "You are signed in as <bdi>bob@example.com</bdi>" in page.text
        assert EMAIL not in page.text  # it is not told whom
        form = sign_out_form(page)
        signed_out = await other.browser.post(form.action, data=form.fields, headers=dict(other.same_origin))
        again = await other.follow(await other.submit(await other.follow(signed_out), email=EMAIL, password=PASSWORD))
        assert "code" in redirect_parameters(await other.submit(again, decision="approve"))
