"""`/userinfo` over the wire: claims by scope, challenges, and the end of a token."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from auth_server.app import operators
from tests.auth_server.web.site import EMAIL, LOOPBACK_URI, Site, quick_passwords, redirect_parameters
from tests.support.dpop import DpopKey
from tests.support.people import Pkce
from tests.support.services import claims

pytestmark = pytest.mark.anyio


async def _tokens(site: Site, scope: str, key: DpopKey | None = None) -> dict[str, Any]:
    pkce = Pkce()
    consent = await site.consent_page(pkce, scope=scope)
    code = redirect_parameters(await site.submit(consent, decision="approve"))["code"]
    given = {"client_id": site.seed.app_id, "redirect_uri": LOOPBACK_URI, "code_verifier": pkce.verifier, "code": code}
    headers = {"DPoP": key.proof("POST", f"{site.issuer}/token")} if key else {}
    answer = await site.browser.post(
        f"{site.base}/token", data={"grant_type": "authorization_code", **given}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def _ask(site: Site, token: str, method: str = "GET", scheme: str = "Bearer", **headers: str) -> httpx2.Response:
    sent = {"Authorization": f"{scheme} {token}", **headers}
    return await site.browser.request(method, f"{site.base}/userinfo", headers=sent)


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("openid", set()),
        ("openid email query", {"email", "email_verified"}),
        ("openid profile", {"updated_at"}),
        ("openid profile email", {"email", "email_verified", "preferred_username", "updated_at"}),
    ],
)
async def test_a_client_learns_what_the_scopes_allow(site: Site, scope: str, told: set[str]) -> None:
    tokens = await _tokens(site, scope)
    for method in ("GET", "POST"):
        answer = await _ask(site, tokens["access_token"], method)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json().keys() == {"sub"} | told
        # Core §5.3.2: "The sub Claim in the UserInfo Response MUST be verified to exactly match" that of the ID token.
        assert answer.json()["sub"] == claims(tokens["id_token"])["sub"]
        assert answer.json().get("email", EMAIL) == answer.json().get("preferred_username", EMAIL) == EMAIL
        assert answer.json().get("email_verified", False) is False


async def test_the_scheme_may_be_written_in_any_case(site: Site) -> None:
    token = (await _tokens(site, "openid"))["access_token"]
    assert (await _ask(site, token, scheme="bEARER")).status_code == 200


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
async def test_without_a_token_there_is_a_challenge_without_an_error(site: Site, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await site.browser.get("/userinfo", headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_f13_a_token_elsewhere_than_in_the_header_is_none(site: Site) -> None:
    token = (await _tokens(site, "openid"))["access_token"]
    assert (await site.browser.get("/userinfo", params={"access_token": token})).status_code == 401
    assert (await site.browser.post("/userinfo", data={"access_token": token})).status_code == 401


async def test_a_token_that_is_none_of_ours_is_invalid(site: Site) -> None:
    tokens = await _tokens(site, "openid offline_access")
    others = [tokens["id_token"], tokens["refresh_token"], "nonsense", "a.b.c", "x" * 9000]
    program = (await site.bot_token()).json()["access_token"]
    for token in (*others, program):
        answer = await _ask(site, token)
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_token"
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="')
        assert token not in answer.text + str(answer.headers)


async def test_f12_a_session_is_no_token_and_a_cookie_no_credential(site: Site) -> None:
    await _tokens(site, "openid")
    (session,) = [value for name, value in site.browser.cookies.items() if "session" in name]
    assert (await _ask(site, session)).status_code == 401
    assert (await site.browser.get("/userinfo")).status_code == 401


async def test_f17_a_token_without_the_scope_openid_is_told_so(site: Site) -> None:
    answer = await _ask(site, (await _tokens(site, "query"))["access_token"])
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert answer.headers["www-authenticate"].endswith('scope="openid"')


async def test_two_authorization_headers_are_refused(site: Site) -> None:
    good = ("Authorization", f"Bearer {(await _tokens(site, 'openid'))['access_token']}")
    assert (await site.browser.get("/userinfo", headers=[good, good])).status_code == 400


async def _revoke(site: Site, token: str) -> None:
    assert (await site.browser.post("/revoke", data={"client_id": site.seed.app_id, "token": token})).status_code == 200


async def _disable(site: Site, _token: str) -> None:
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        await administration.people.disable(EMAIL)


async def _disconnect(site: Site, _token: str) -> None:
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        await administration.clients.delete(site.seed.app_id)


async def _expire(site: Site, _token: str) -> None:
    site.clock.time += 600


@pytest.mark.parametrize("end", [_revoke, _disable, _disconnect, _expire])
async def test_f15_nothing_is_told_once_the_token_has_ended(
    site: Site, end: Callable[[Site, str], Awaitable[None]]
) -> None:
    token = (await _tokens(site, "openid email"))["access_token"]
    assert (await _ask(site, token)).status_code == 200
    await end(site, token)
    answer = await _ask(site, token)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


async def test_i16_a_bound_token_needs_its_own_scheme_and_a_proof(any_site: Site) -> None:
    site, key = any_site, DpopKey(clock=any_site.clock)
    token, url = (await _tokens(site, "openid", key))["access_token"], f"{any_site.issuer}/userinfo"
    once = key.proof("GET", url, token)
    assert (await _ask(site, token, scheme="DPoP", DPoP=once)).status_code == 200
    assert (await _ask(site, token, "POST", "dpop", DPoP=key.proof("POST", url, token))).status_code == 200
    async with site.another_browser() as elsewhere:
        bearer = (await _tokens(elsewhere, "openid"))["access_token"]
    refused = [
        await _ask(site, token),
        await _ask(site, token, DPoP=key.proof("GET", url, token)),
        await _ask(site, token, scheme="DPoP"),
        await _ask(site, token, scheme="DPoP", DPoP=once),
        await _ask(site, token, scheme="DPoP", DPoP=DpopKey(clock=site.clock).proof("GET", url, token)),
        await _ask(site, token, scheme="DPoP", DPoP=key.proof("POST", url, token)),
        await _ask(site, token, scheme="DPoP", DPoP=key.proof("GET", url, "another")),
        await _ask(site, bearer, scheme="DPoP", DPoP=key.proof("GET", url, bearer)),
    ]
    for answer in refused:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('DPoP error="')
        assert 'algs="ES256 ' in answer.headers["www-authenticate"]


async def test_scripts_of_any_site_may_ask(site: Site) -> None:
    """Core §5.3: "The UserInfo Endpoint SHOULD support [...] CORS"."""
    preflight = await site.browser.options(
        "/userinfo", headers={"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    )
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "Authorization" in preflight.headers["access-control-allow-headers"]


async def test_a_store_that_is_away_tells_nothing(site: Site) -> None:
    token = (await _tokens(site, "openid"))["access_token"]
    with site.broken_store():
        answer = await _ask(site, token)
    assert answer.status_code == 503
