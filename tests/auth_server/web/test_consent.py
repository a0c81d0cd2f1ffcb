"""Sign-in and consent over the wire. Case numbers are those of the attack list."""

import re
from urllib.parse import urlencode, urlsplit

import httpx2
import pytest

from auth_server.app import operators
from tests.auth_server.web.site import (
    CURSOR_URI,
    EMAIL,
    LOOPBACK_URI,
    PASSWORD,
    RESOURCE,
    STATE,
    WEB_URI,
    Site,
    redirect_parameters,
    without_reference,
)
from tests.support.people import Pkce, main_form

pytestmark = pytest.mark.anyio


async def redeem(site: Site, code: str, pkce: Pkce, redirect_uri: str = LOOPBACK_URI) -> httpx2.Response:
    return await site.token(
        grant_type="authorization_code",
        code=code,
        redirect_uri=redirect_uri,
        client_id=site.seed.app_id,
        code_verifier=pkce.verifier,
    )


@pytest.mark.parametrize("uri", [LOOPBACK_URI, WEB_URI, CURSOR_URI])
async def test_b13_from_request_to_token(any_site: Site, uri: str) -> None:
    site, pkce = any_site, Pkce()
    page = await site.consent_page(pkce, redirect_uri=uri)
    given = redirect_parameters(await site.submit(page, decision="approve"), uri)
    assert given["state"] == STATE
    assert given["iss"] == site.issuer
    answer = await redeem(site, given["code"], pkce, uri)
    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["scope"] == "schemas:read query"


async def test_b14_deny_tells_the_client(any_site: Site) -> None:
    page = await any_site.consent_page()
    given = redirect_parameters(await any_site.submit(page, decision="deny"))
    assert given["error"] == "access_denied"
    assert (given["state"], given["iss"]) == (STATE, any_site.issuer)
    assert "code" not in given


async def test_b12_the_page_says_who_asks_for_what_and_where_it_goes(site: Site) -> None:
    page = (await site.consent_page()).text
    for shown in ("Claude Code", "127.0.0.1:53219", "this computer", RESOURCE, EMAIL, "Default", "Run read-only SQL"):
        assert shown in page
    assert "Unverified" not in page
    assert "Stay connected" not in page


async def test_a_signed_in_browser_goes_straight_to_consent(site: Site) -> None:
    await site.consent_page()
    response = await site.authorize()
    assert urlsplit(response.headers["location"]).path == "/consent"
    assert "Claude Code" in (await site.follow(response)).text


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é" * 64, " "])
async def test_b01_without_the_right_token_there_is_no_code(site: Site, csrf: str) -> None:
    page = await site.consent_page()
    response = await site.submit(page, csrf=csrf, decision="approve")
    assert response.status_code == 403
    assert "location" not in response.headers
    assert redirect_parameters(await site.submit(page, decision="approve"))["code"]


async def test_b01_the_sign_in_form_needs_its_token(site: Site) -> None:
    page = await site.sign_in_page()
    response = await site.submit(page, csrf="0" * 64, email=EMAIL, password=PASSWORD)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


async def test_b02_a_token_of_another_transaction_is_refused(site: Site) -> None:
    first, second = await site.consent_page(), await site.follow(await site.authorize())
    assert main_form(first).fields["csrf"] != main_form(second).fields["csrf"]
    response = await site.submit(second, csrf=main_form(first).fields["csrf"], decision="approve")
    assert response.status_code == 403


async def test_b02_a_token_of_another_session_is_refused(site: Site) -> None:
    page = await site.consent_page()
    old = main_form(page).fields
    site.clock.time += 1
    again = await site.follow(await site.authorize(prompt="login"))
    await site.sign_in(again)
    response = await site.browser.post("/consent", data=old | {"decision": "approve"}, headers=dict(site.same_origin))
    assert response.status_code == 403


async def test_b03_a_transaction_belongs_to_the_browser_that_began_it(site: Site) -> None:
    page = await site.consent_page()
    async with site.another_browser() as victim:
        await victim.consent_page()
        for path in ("/login", "/consent"):
            shown = await victim.browser.get(path, params={"transaction": main_form(page).fields["transaction"]})
            assert shown.status_code == 400
            assert "expired" in shown.text
        response = await victim.submit(page, decision="approve")
        assert response.status_code == 400
        assert "location" not in response.headers


FOREIGN = [
    {},
    {"Origin": "https://evil.example.com"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9001"},
    {"Origin": "http://localhost:9000.evil.example.com"},
    {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_b04_a_form_of_another_site_is_refused(site: Site, headers: dict[str, str]) -> None:
    login = await site.sign_in_page()
    assert (await site.submit(login, headers, email=EMAIL, password=PASSWORD)).status_code == 403
    page = await site.sign_in(login)
    response = await site.submit(page, headers, decision="approve")
    assert response.status_code == 403
    assert "location" not in response.headers


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost:9000"}])
async def test_b04_either_word_of_the_browser_is_enough(site: Site, headers: dict[str, str]) -> None:
    page = await site.consent_page()
    assert redirect_parameters(await site.submit(page, headers, decision="approve"))["code"]


async def test_b05_a_page_loaded_twice_can_be_sent_once_from_the_first(site: Site) -> None:
    login = await site.sign_in_page()
    assert without_reference((await site.browser.get(login.url)).text) == without_reference(login.text)
    page = await site.sign_in(login)
    assert without_reference((await site.browser.get(page.url)).text) == without_reference(page.text)
    assert redirect_parameters(await site.submit(page, decision="approve"))["code"]


@pytest.mark.parametrize("first", ["approve", "deny"])
async def test_b06_b17_a_decision_is_taken_once(site: Site, first: str) -> None:
    page = await site.consent_page()
    answer = await site.submit(page, decision=first)
    redirect_parameters(answer)
    second_click = await site.submit(page, decision=first)
    assert second_click.status_code == 303
    assert without_reference(second_click.headers["location"]) == without_reference(answer.headers["location"])
    for again in (
        await site.submit(page, decision="deny" if first == "approve" else "approve"),
        await site.browser.get(page.url),
        await site.browser.get("/login", params={"transaction": main_form(page).fields["transaction"]}),
    ):
        assert again.status_code == 409
        assert "already settled" in again.text
        assert "location" not in again.headers
    assert site.rows("codes") == (1 if first == "approve" else 0)


async def test_b08_a_client_that_registered_itself_is_marked(site: Site) -> None:
    metadata = {"client_name": "Claude Code", "redirect_uris": ["http://127.0.0.1/callback"]}
    registered = (await site.browser.post("/register", json=metadata)).json()
    page = await site.consent_page(client_id=registered["client_id"])
    assert "Unverified app" in page.text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("Evil\u202egnp.exe", "Evilgnp.exe"),
        ("Cla\u200bu\u2060de", "Claude"),
        ("x" * 500, "x" * 79 + "…"),
        ('"><img src=x onerror=alert(1)>', "&#34;&gt;&lt;img src=x onerror=alert(1)&gt;"),
        ("{{ 7*7 }}", "{{ 7*7 }}"),
    ],
)
async def test_b10_a_hostile_name_is_shown_harmlessly(site: Site, name: str, shown: str) -> None:
    registered = await site.browser.post(
        "/register", json={"client_name": name, "redirect_uris": ["http://127.0.0.1/callback"]}
    )
    login = await site.sign_in_page(client_id=registered.json()["client_id"])
    consent = await site.sign_in(login)
    for page in (login, consent):
        assert f"<bdi>{shown}</bdi>" in page.text


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("DynamoSQL", "This app is not DynamoSQL"),
        ("DуnamoSQL support", "This app is not DynamoSQL"),
        ("Clаude Code", "letters of several alphabets"),
        ("Claude Code", None),
    ],
)
async def test_b10_a_name_that_imitates_is_called_out(site: Site, name: str, warning: str | None) -> None:
    registered = await site.browser.post(
        "/register", json={"client_name": name, "redirect_uris": ["http://127.0.0.1/callback"]}
    )
    login = await site.sign_in_page(client_id=registered.json()["client_id"])
    consent = await site.sign_in(login)
    for page in (login, consent):
        assert f"<bdi>{name}</bdi>" in page.text
        for text in ("This app is not DynamoSQL", "letters of several alphabets"):
            assert (text in page.text) == (text == warning)


async def test_b10_the_operators_own_clients_may_bear_the_brand(site: Site) -> None:
    async with operators.administration(site.settings) as administration:
        made = await administration.clients.create(
            name="DynamoSQL Desktop", confidential=False, redirect_uris=["http://127.0.0.1/callback"]
        )
    page = await site.consent_page(client_id=made.client.client_id)
    assert "DynamoSQL Desktop" in page.text
    assert "This app is not" not in page.text


async def test_b18_no_parameter_says_where_to_go_after_signing_in(site: Site) -> None:
    page = await site.sign_in_page()
    form = main_form(page)
    response = await site.browser.post(
        f"{form.action}?next=https://evil.example.com&transaction=x",
        data=form.fields | {"email": EMAIL, "password": PASSWORD, "next": "https://evil.example.com"},
        headers=dict(site.same_origin),
    )
    assert response.status_code == 303
    assert response.headers["location"] == f"/consent?transaction={form.fields['transaction']}"
    for hostile in ("https://evil.example.com", "//evil.example.com", "txn_" + "x" * 43, "", "\x7f"):
        assert (await site.browser.get("/login", params={"transaction": hostile})).status_code == 400


async def test_b20_a_client_deleted_in_between_gets_nothing(site: Site) -> None:
    page = await site.consent_page()
    async with operators.administration(site.settings) as administration:
        await administration.clients.delete(site.seed.app_id)
    response = await site.submit(page, decision="approve")
    assert response.status_code == 400
    assert "location" not in response.headers


async def test_b21_the_form_cannot_change_the_request(site: Site) -> None:
    pkce = Pkce()
    page = await site.consent_page(pkce, scope="schemas:read")
    response = await site.submit(
        page,
        decision="approve",
        client_id=site.seed.bot_id,
        redirect_uri=WEB_URI,
        scope="query",
        state="other",
        resource="https://other.example.com",
    )
    given = redirect_parameters(response, LOOPBACK_URI)
    assert given["state"] == STATE
    assert (await redeem(site, given["code"], pkce)).json()["scope"] == "schemas:read"


async def test_a_page_left_open_too_long_says_so(site: Site) -> None:
    page = await site.consent_page()
    site.clock.time += 601
    response = await site.submit(page, decision="approve")
    assert response.status_code == 400
    assert "expired" in response.text


async def test_a_decision_that_is_neither_is_refused(site: Site) -> None:
    page = await site.consent_page()
    assert (await site.submit(page, decision="later")).status_code == 400
    assert (await site.submit(page)).status_code == 400
    assert redirect_parameters(await site.submit(page, decision="approve"))["code"]


@pytest.mark.parametrize("first", ["deny", "approve", ""])
async def test_i01_a_form_that_says_two_things_is_refused(site: Site, first: str) -> None:
    page = await site.consent_page()
    fields = [*main_form(page).fields.items(), ("decision", first), ("decision", "approve")]
    response = await site.browser.post(
        "/consent",
        content=urlencode(fields).encode(),
        headers={**site.same_origin, "Content-Type": "application/x-www-form-urlencoded"},
    )
    assert response.status_code == 400
    assert site.rows("codes") == 0


async def test_consent_without_a_session_asks_to_sign_in(site: Site) -> None:
    page = await site.sign_in_page()
    transaction = main_form(page).fields["transaction"]
    response = await site.browser.get("/consent", params={"transaction": transaction})
    assert response.headers["location"] == f"/login?transaction={transaction}"


async def test_i11_an_unknown_address_and_a_wrong_password_look_the_same(site: Site) -> None:
    page = await site.sign_in_page()
    wrong = await site.submit(page, email=EMAIL, password="wrong password")
    unknown = await site.submit(page, email="nobody@example.com", password="wrong password")
    malformed = await site.submit(page, email=EMAIL, password="x")
    assert wrong.status_code == unknown.status_code == malformed.status_code == 400
    texts = [without_reference(page.text) for page in (wrong, unknown, malformed)]
    assert texts[0].replace(EMAIL, "") == texts[1].replace("nobody@example.com", "")
    assert texts[0] == texts[2]
    assert set(wrong.headers) == set(unknown.headers)
    assert 'role="alert"' in wrong.text
    assert "set-cookie" not in wrong.headers


async def test_what_was_typed_is_shown_again_harmlessly(site: Site) -> None:
    hostile = '"><script>alert(1)</script>@example.com'
    page = await site.submit(await site.sign_in_page(), email=hostile, password="wrong password")
    assert page.status_code == 400
    assert "<script" not in page.text
    assert 'value="&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;@example.com"' in page.text
    assert "wrong password" not in page.text


async def test_guessing_passwords_is_slowed_down(site: Site) -> None:
    page = await site.sign_in_page()
    answers = [await site.submit(page, email=EMAIL, password="wrong password") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert re.search(r"Too many attempts\. Wait \d+ (seconds|minutes)", answers[-1].text)


async def test_a42_signing_in_changes_the_session(site: Site) -> None:
    fixed = "ses_" + "A" * 43
    site.browser.cookies.set("auth_session", fixed, domain="localhost.local")
    await site.consent_page()
    first = session_cookie(site)
    assert first != fixed
    site.clock.time += 1
    again = await site.follow(await site.authorize(prompt="login"))
    await site.sign_in(again)
    assert session_cookie(site) not in {first, fixed}


def session_cookie(site: Site) -> str:
    (value,) = {cookie.value for cookie in site.browser.cookies.jar if cookie.name == "auth_session"}
    assert value
    return value
