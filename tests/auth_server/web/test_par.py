"""Pushed authorization requests over HTTP, and what a browser makes of their links."""

from pathlib import Path

import pytest

from tests.auth_server.web.site import LOOPBACK_URI, Seed, Site, opened, redirect_parameters
from tests.support.dpop import DpopKey
from tests.support.people import Pkce

pytestmark = pytest.mark.anyio


async def test_a_pushed_request_goes_all_the_way(site: Site) -> None:
    pkce, key = Pkce(), DpopKey(clock=site.clock)
    headers = {"DPoP": key.proof("POST", f"{site.issuer}/par")}
    pushed = await site.browser.post("/par", data=site.query(pkce), headers=headers)
    assert pushed.status_code == 201
    assert pushed.headers["cache-control"] == "no-store"
    assert pushed.headers["dpop-nonce"]
    assert pushed.json().keys() == {"request_uri", "expires_in"}
    link = {"client_id": site.seed.app_id, "request_uri": pushed.json()["request_uri"]}
    page = await site.follow(await site.browser.get("/authorize", params=link))
    done = await site.submit(await site.sign_in(page), decision="approve")
    redemption = {
        "grant_type": "authorization_code",
        "client_id": site.seed.app_id,
        "code": redirect_parameters(done)["code"],
        "redirect_uri": LOOPBACK_URI,
        "code_verifier": pkce.verifier,
    }
    headers = {"DPoP": key.proof("POST", f"{site.issuer}/token")}
    answer = await site.browser.post("/token", data=redemption, headers=headers)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")


async def test_a_pushed_request_as_json_and_its_refusals(site: Site) -> None:
    query = site.query(Pkce())
    assert (await site.browser.post("/par", json=query)).status_code == 201
    for refused in (
        await site.browser.post("/par", params=query),
        await site.browser.post("/par", data=query | {"redirect_uri": "https://evil.example/"}),
        await site.browser.post("/par", data=query | {"request_uri": "urn:ietf:params:oauth:request_uri:x"}),
    ):
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert (await site.browser.post("/par", content="x" * 20_000)).status_code in {400, 413}
    assert (await site.browser.get("/par")).status_code == 405


async def test_a40_i15_a_look_ahead_uses_up_no_pushed_request(site: Site) -> None:
    pushed = (await site.browser.post("/par", data=site.query(Pkce()))).json()
    link = {"client_id": site.seed.app_id, "request_uri": pushed["request_uri"]}
    for headers in ({"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}):
        assert (await site.browser.get("/authorize", params=link, headers=headers)).status_code == 403
    assert (await site.browser.head("/authorize", params=link)).status_code == 200
    assert (await site.browser.options("/authorize", params=link)).status_code in {204, 405}
    assert (await site.browser.get("/authorize", params=link)).status_code == 303


async def test_i15_a_used_link_leads_its_browser_on_and_tells_others(site: Site) -> None:
    pushed = (await site.browser.post("/par", data=site.query(Pkce()))).json()
    link = {"client_id": site.seed.app_id, "request_uri": pushed["request_uri"]}
    first = await site.browser.get("/authorize", params=link)
    again = await site.browser.get("/authorize", params=link)
    assert first.headers["location"].split("?")[1] == again.headers["location"].split("?")[1]
    assert (await site.follow(again)).status_code == 303, "consent sends on to sign in"
    async with site.another_browser() as other:
        sent_back = await other.browser.get("/authorize", params=link)
        told = await other.follow(sent_back)
    assert told.status_code == 400
    assert "This link has been used" in told.text
    expired = await site.browser.get("/authorize", params=link | {"request_uri": f"{pushed['request_uri'][:-1]}_"})
    assert "This link has expired" in expired.text


async def test_pushing_can_be_required_by_a_setting(seed: Seed, tmp_path: Path) -> None:
    async with opened(seed, tmp_path, par_required=True) as site:
        metadata = (await site.browser.get("/.well-known/oauth-authorization-server")).json()
        assert metadata["require_pushed_authorization_requests"] is True
        refused = redirect_parameters(await site.authorize())
        assert refused["error"] == "invalid_request"
        pushed = (await site.browser.post("/par", data=site.query(Pkce()))).json()
        link = {"client_id": site.seed.app_id, "request_uri": pushed["request_uri"]}
        assert (await site.browser.get("/authorize", params=link)).status_code == 303


async def test_i15_two_requests_at_once_of_a_browser_that_is_new_lead_to_one_page(any_site: Site) -> None:
    """Neither has the cookie: the one that comes second is sent back for it, and only once."""
    pushed = (await any_site.browser.post(f"{any_site.base}/par", data=any_site.query(Pkce()))).json()
    link = {"client_id": any_site.seed.app_id, "request_uri": pushed["request_uri"]}
    async with any_site.another_browser() as without_cookie:
        first = await any_site.browser.get(f"{any_site.base}/authorize", params=link)
        second = await without_cookie.browser.get(f"{any_site.base}/authorize", params=link)
    assert second.status_code == 303
    assert (await any_site.follow(second)).headers["location"].split("?")[1] == first.headers["location"].split("?")[1]
