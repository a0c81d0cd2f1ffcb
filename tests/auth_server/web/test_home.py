"""The front page: what this is, which clients a person has connected, and how they disconnect one."""

import pytest
from structlog.testing import capture_logs

from tests.auth_server.web.site import LOOPBACK_URI, WEB_URI, Site, redirect_parameters
from tests.support.people import Form, Pkce, main_form

pytestmark = pytest.mark.anyio


async def _connected(site: Site) -> str:
    """Allows the seeded client something; gives its refresh token."""
    pkce = Pkce()
    page = await site.sign_in_page(pkce, scope="query offline_access")
    consent = await site.sign_in(page) if main_form(page).action == "/login" else page
    answer = await site.token(
        grant_type="authorization_code",
        client_id=site.seed.app_id,
        redirect_uri=LOOPBACK_URI,
        code_verifier=pkce.verifier,
        code=redirect_parameters(await site.submit(consent, decision="approve"))["code"],
    )
    return str(answer.json()["refresh_token"])


async def _refreshed(site: Site, refresh_token: str) -> int:
    given = {"client_id": site.seed.app_id, "refresh_token": refresh_token}
    return (await site.token(grant_type="refresh_token", **given)).status_code


async def test_whoever_connected_nothing_sees_no_apps(site: Site) -> None:
    await site.consent_page()
    assert "Connected apps" not in (await site.browser.get("/")).text


async def test_a_person_disconnects_an_app(site: Site) -> None:
    """All that it was allowed at any time is over."""
    tokens = [await _connected(site) for _ in range(2)]
    home = await site.browser.get("/")
    assert "<bdi>Claude Code</bdi>" in home.text
    assert home.text.count("Disconnect Claude Code") == 1
    form = main_form(home)
    with capture_logs() as lines:
        answer = await site.browser.post(form.action, data=form.fields, headers=dict(site.same_origin))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "Connected apps" not in (await site.browser.get("/")).text
    assert [await _refreshed(site, token) for token in tokens] == [400, 400]
    ended = [line for line in lines if line["event"] == "disconnected"]
    assert len({line["grant"] for line in ended}) == 2
    assert {(line["client_id"], line["address"]) for line in ended} == {(site.seed.app_id, "203.0.113.7")}
    assert all(line["user_id"] for line in ended)


async def test_the_unverified_are_called_so(site: Site) -> None:
    metadata = {"client_name": "Probe", "redirect_uris": [WEB_URI]}
    client_id = (await site.browser.post("/register", json=metadata)).json()["client_id"]
    consent = await site.consent_page(client_id=client_id, redirect_uri=WEB_URI)
    await site.submit(consent, decision="approve")
    assert "Unverified app, allowed on " in (await site.browser.get("/")).text


async def _posted(site: Site, form: Form, **headers: str) -> int:
    return (await site.browser.post(form.action, data=form.fields, headers=headers)).status_code


async def test_b01_b04_nobody_disconnects_somebody_elses_app(site: Site) -> None:
    token = await _connected(site)
    form = main_form(await site.browser.get("/"))
    assert await _posted(site, form, Origin="https://evil.example") == 403
    for csrf in ("", "wrong"):
        forged = Form(form.action, form.fields | {"csrf": csrf})
        assert await _posted(site, forged, **site.same_origin) == 403
    async with site.another_browser() as other:
        assert await _posted(other, form, **site.same_origin) == 303  # nobody is signed in there: nothing happens
        await other.consent_page()
        assert await _posted(other, form, **site.same_origin) == 403  # the token is of another session
    assert await _refreshed(site, token) == 200
