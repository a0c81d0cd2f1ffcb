"""What every page and redirect carries, whatever it says. Case numbers are those of the attack list."""

import base64
import hashlib
import re
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from tests.auth_server.web.site import EMAIL, LOOPBACK_URI, PASSWORD, STATE, Site, redirect_parameters
from tests.support.people import Pkce, main_form

pytestmark = pytest.mark.anyio


async def every_page(site: Site) -> dict[str, httpx2.Response]:
    html = {"Accept": "text/html"}
    login = await site.sign_in_page()
    consent = await site.sign_in(login)
    pages = {
        "sign-in": login,
        "consent": consent,
        "wrong password": await site.submit(login, email=EMAIL, password="wrong password"),
        "forged": await site.submit(consent, {}, decision="approve"),
        "unknown client": await site.authorize(client_id="nobody"),
        "unknown redirect": await site.authorize(redirect_uri="https://evil.example.com/"),
        "expired": await site.browser.get(f"{site.base}/consent", params={"transaction": "txn_unknown"}),
        "wrong method": await site.browser.put(f"{site.base}/login"),
        "no such page": await site.browser.get("/nothing", headers=html),
        "wrong form": await site.browser.post(f"{site.base}/login", json={}, headers=dict(site.same_origin)),
        "too long": await site.browser.post(
            f"{site.base}/login", data={"email": "x" * 20_000}, headers=dict(site.same_origin)
        ),
    }
    await site.submit(consent, decision="approve")
    pages["settled"] = await site.browser.get(consent.url)
    with site.broken_store():
        pages["store down"] = await site.authorize()
    return pages


async def test_b09_b15_every_page_carries_the_rules(any_site: Site) -> None:
    pages = await every_page(any_site)
    statuses = {name: page.status_code for name, page in pages.items()}
    assert statuses == {
        "sign-in": 200,
        "consent": 200,
        "wrong password": 400,
        "forged": 403,
        "unknown client": 400,
        "unknown redirect": 400,
        "expired": 400,
        "wrong method": 405,
        "no such page": 404,
        "wrong form": 400,
        "too long": 413,
        "settled": 409,
        "store down": 503,
    }
    for name, page in pages.items():
        assert page.headers["content-type"] == "text/html; charset=utf-8", name
        assert page.headers["cache-control"] == "no-store", name
        assert page.headers["referrer-policy"] == "same-origin", name
        assert page.headers["x-frame-options"] == "DENY", name
        assert page.headers["x-content-type-options"] == "nosniff", name
        assert "access-control-allow-origin" not in page.headers, name
        assert "location" not in page.headers, name
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == {
            "default-src": "'none'",
            "style-src": f"'sha256-{digest}'",
            "img-src": "data:",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }, name


async def test_b15_pages_need_no_script_and_nobody_else(site: Site) -> None:
    for name, page in (await every_page(site)).items():
        assert page.text.startswith('<!doctype html>\n<html lang="en">'), name
        assert not re.search(r"<script|<iframe|<link(?! rel=\"icon\")|\son\w+=|javascript:|style=", page.text), name
        references = re.findall(r'(?:src|href|action)="([^"]*)"', page.text)
        assert all(item.startswith(("data:image/svg+xml,", "/")) and not item.startswith("//") for item in references)
        assert page.text.count("<h1") == 1, name


async def test_405_and_503_pages_say_what_would_do(site: Site) -> None:
    pages = await every_page(site)
    assert pages["wrong method"].headers["allow"] == "GET, HEAD, POST"
    assert int(pages["store down"].headers["retry-after"]) > 0


async def test_a_flood_of_authorization_requests_is_slowed_down(site: Site) -> None:
    """Our choice: a request that is let through leaves a row in the store, so one address may not send any number."""
    answers = [await site.authorize(client_id="nobody") for _ in range(121)]
    assert [answer.status_code for answer in answers] == [400] * 120 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "Wait a minute" in answers[-1].text


async def test_a01_a_person_learns_how_to_reset_an_unknown_client(site: Site) -> None:
    page = await site.authorize(client_id="nobody")
    assert "not registered here" in page.text
    for app_name in ("Claude Code", "Codex", "Cursor", "VS Code"):
        assert app_name in page.text
    assert re.search(r"Reference <code>[0-9a-f]{8}-[A-Za-z0-9_-]{12}</code>", page.text)
    assert page.headers["x-request-id"] in page.text


async def test_b16_cookies(any_site: Site) -> None:
    login = await any_site.authorize()
    page = await any_site.follow(login)
    signed_in = await any_site.submit(page, email=EMAIL, password=PASSWORD)
    secure = any_site.issuer.startswith("https")
    for response, name, lifetime in ((login, "auth_browser", ""), (signed_in, "auth_session", "43200")):
        (header,) = response.headers.get_list("set-cookie")
        ((sent_name, cookie),) = SimpleCookie(header).items()
        assert sent_name == (f"__Host-{name}" if secure else name)
        assert bool(cookie["secure"]) is secure
        assert cookie["httponly"]
        assert cookie["samesite"] == "lax"
        assert cookie["path"] == "/"
        assert cookie["domain"] == ""
        assert cookie["max-age"] == lifetime


async def test_the_browser_cookie_is_set_once(site: Site) -> None:
    assert "set-cookie" in (await site.authorize()).headers
    assert "set-cookie" not in (await site.authorize()).headers


async def test_a32_a33_what_is_reflected_is_encoded(site: Site) -> None:
    hostile = '"><script>alert(1)</script>\r\nSet-Cookie: a=b\r\n\r\n'
    given = await site.authorize(state=hostile, scope="nothing-allowed")
    assert set(given.headers) == {
        "cache-control", "referrer-policy", "x-content-type-options", "content-length", "location", "x-request-id"
    }  # fmt: skip
    assert redirect_parameters(given)["state"] == hostile
    for changed in ({"client_id": hostile}, {"redirect_uri": hostile}, {"redirect_uri": f"https://x/?{hostile}"}):
        page = await site.authorize(None, **changed)
        assert page.status_code == 400
        assert "alert(1)" not in page.text
        assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "nothing-allowed"}, "invalid_scope"),
        ({"resource": "https://other.example.com"}, "invalid_target"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_a35_every_error_redirect_names_the_issuer_once(
    any_site: Site, changed: dict[str, str], error: str
) -> None:
    response = await any_site.authorize(None, **changed)
    given = redirect_parameters(response)
    assert (given["error"], given["state"], given["iss"]) == (error, STATE, any_site.issuer)
    assert response.headers["referrer-policy"] == "same-origin"
    assert any_site.rows("transactions") == 0


async def test_a34_a_form_of_the_client_works_and_a_mixture_does_not(site: Site) -> None:
    query = site.query(Pkce())
    response = await site.browser.post("/authorize", data=query)
    assert urlsplit(response.headers["location"]).path == "/login"
    mixed = await site.browser.post("/authorize", params={"state": "x"}, data=query)
    assert mixed.status_code == 400
    assert "location" not in mixed.headers
    json = await site.browser.post("/authorize", json=query)
    assert json.status_code == 400


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("HEAD", {}, 200),
        ("OPTIONS", {}, 405),
        ("GET", {"Sec-Purpose": "prefetch"}, 403),
        ("GET", {"Sec-Purpose": "prefetch;prerender"}, 403),
        ("GET", {"Purpose": "prefetch"}, 403),
    ],
)
async def test_a40_a_look_ahead_starts_nothing(site: Site, method: str, headers: dict[str, str], status: int) -> None:
    query = site.query(Pkce())
    response = await site.browser.request(method, "/authorize", params=query, headers=headers)
    assert response.status_code == status
    assert "set-cookie" not in response.headers
    assert "location" not in response.headers
    assert site.rows("transactions") == 0


async def test_reading_a_page_changes_nothing(site: Site) -> None:
    page = await site.consent_page()
    before = site.database.with_name("before.db")
    before.write_bytes(site.database.read_bytes())
    counts = {table: site.rows(table) for table in ("transactions", "sessions", "grants", "codes")}
    for method in ("GET", "HEAD"):
        assert (await site.browser.request(method, page.url)).status_code == 200
    assert counts == {table: site.rows(table) for table in counts}


async def test_a31_state_comes_back_byte_for_byte(site: Site) -> None:
    state = "é ü%20+&=#?/\\\"'" * 100
    page = await site.consent_page(state=state)
    location = (await site.submit(page, decision="approve")).headers["location"]
    assert location.startswith(LOOPBACK_URI)
    assert location.isascii()
    assert dict(parse_qsl(urlsplit(location).query))["state"] == state


async def test_the_sign_in_page_is_made_for_password_managers_and_readers(site: Site) -> None:
    page = (await site.sign_in_page()).text
    assert re.search(r'<label for="email">.*?<input id="email"[^>]* autocomplete="username"', page, re.DOTALL)
    assert re.search(
        r'<label for="password">.*?<input id="password"[^>]* autocomplete="current-password"', page, re.DOTALL
    )
    assert "Sign in · DynamoSQL</title>" in page


async def test_the_brand_and_the_host_are_shown(site: Site) -> None:
    page = await site.sign_in_page()
    assert "DynamoSQL" in page.text
    assert "<strong>localhost:9000</strong>" in page.text
    assert main_form(page).action == "/login"


async def test_a_login_hint_fills_in_the_address_and_is_encoded(site: Site) -> None:
    page = await site.sign_in_page(login_hint='"><b>@example.com')
    assert 'value="&#34;&gt;&lt;b&gt;@example.com"' in page.text
    assert "<b>" not in page.text
    page = await site.sign_in_page(login_hint="Bob@Example.com")
    assert 'value="bob@example.com"' in page.text
    again = await site.submit(page, email="other@example.com", password="wrong password")
    assert 'value="other@example.com"' in again.text
    assert "bob@example.com" not in again.text


async def test_a_hint_that_is_no_address_is_not_shown(site: Site) -> None:
    assert 'name="email" type="email" value=""' in (await site.sign_in_page(login_hint="+49 30 1234")).text


@pytest.mark.parametrize(
    ("scope", "titles"),
    [
        ("openid", ["Know who you are"]),
        (
            "openid profile email schemas:read query offline_access",
            ["See your schemas and tables", "Run read-only SQL queries", "Stay connected", "Know who you are"],
        ),
        ("query email", ["Run read-only SQL queries", "Know who you are"]),
    ],
)
async def test_consent_says_in_one_line_that_a_client_learns_who_somebody_is(
    site: Site, scope: str, titles: list[str]
) -> None:
    """Also for clients that ask for everything there is."""
    page = await site.consent_page(scope=scope)
    listed = page.text.partition('<ul class="grants"')[2].partition("</ul>")[0]
    assert re.findall(r"<strong>(.*?)</strong>", listed) == titles
    assert ("Your email address" in page.text) is ("email" in scope.split())
    assert ("Not your email address" in page.text) is ("email" not in scope.split())
