"""Attacks on sign-in and consent, over HTTP, on a running server: cases B01 to B21."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.attacks.target import LOOPBACK, WEB, Target, assert_page, follow, redirected
from tests.support.people import Pkce, main_form, submit
from tests.support.services import EMAIL, PASSWORD, run_cli

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("csrf", ["", "0" * 64, "é" * 64])
def test_b01_without_the_right_token_nothing_is_decided(target: Target, csrf: str) -> None:
    page = target.consent_page(target.http)
    assert_page(submit(target.http, page, csrf=csrf, decision="approve"), 403)
    assert redirected(submit(target.http, page, decision="approve"))["code"]


def test_b02_a_token_of_another_request_or_session_is_refused(target: Target) -> None:
    first, second = target.consent_page(target.http), target.consent_page(target.http)
    token = main_form(first).fields["csrf"]
    assert_page(submit(target.http, second, csrf=token, decision="approve"), 403)
    with target.stranger() as another:
        page = target.consent_page(another)
        assert_page(submit(another, page, csrf=token, decision="approve"), 403)


def test_b02_a_page_of_whoever_was_signed_in_before_is_nobodys(target: Target) -> None:
    """Consent of one person, sent once another has signed in with the same browser."""
    with target.stranger() as browser:
        page = target.consent_page(browser)
        target.consent_page(browser, prompt="login")
        assert_page(submit(browser, page, decision="approve"), 403)


def test_b03_a_request_that_another_browser_began_is_not_this_persons(target: Target) -> None:
    """Neither a page of it nor a form, however the person came to it."""
    with target.stranger() as attacker, target.stranger() as victim:
        page = target.sign_in_page(attacker)
        target.consent_page(victim)
        transaction = main_form(page).fields["transaction"]
        for path in ("/login", "/consent"):
            assert_page(victim.get(path, params={"transaction": transaction}))
        assert_page(submit(victim, page, email=EMAIL, password=PASSWORD))
        page = target.consent_page(attacker)
        assert_page(submit(victim, page, decision="approve"))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_b04_a_form_of_another_site_is_refused(target: Target, headers: Mapping[str, str]) -> None:
    page = target.consent_page(target.http)
    fields = main_form(page).fields | {"decision": "approve"}
    assert_page(target.http.post("/consent", data=fields, headers=dict(headers)), 403)


def test_b05_a_page_that_is_loaded_twice_is_sent_once_from_the_first(target: Target) -> None:
    first = target.consent_page(target.http)
    assert main_form(target.http.get(first.url)) == main_form(first)
    assert redirected(submit(target.http, first, decision="approve"))["code"]


def test_b06_b17_a_decision_that_is_sent_twice_gives_one_code(target: Target) -> None:
    page = target.consent_page(target.http)
    codes = {redirected(submit(target.http, page, decision="approve"))["code"] for _ in range(3)}
    assert len(codes) == 1
    back = target.http.get(page.url)
    assert back.status_code == 409
    assert "<form" not in back.text or 'value="approve"' not in back.text
    assert_page(submit(target.http, page, decision="deny"), 409)


def test_b08_a_client_of_a_known_name_that_registered_itself_is_marked(target: Target) -> None:
    page = target.consent_page(target.http, client_id=target.registered("Claude Code"))
    assert "Unverified" in page.text


@pytest.mark.parametrize("path", ["/authorize", "/login", "/consent", "/", "/nothing"])
def test_b09_b15_i06_no_page_is_framed_scripted_or_read_by_another_site(target: Target, path: str) -> None:
    with target.stranger() as stranger:
        answer = stranger.get(path, headers={"Accept": "text/html", "Origin": "https://evil.example"})
    assert_page(answer, answer.status_code)
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers


def test_b10_h14_markup_in_a_clients_metadata_is_text_on_every_page(target: Target) -> None:
    name = '<img src=x onerror=alert(1)>"\u202e\u200b' + "x" * 500
    uri = "http://127.0.0.1/callback?x='%3Cscript%3Ealert(1)%3C/script%3E"
    with target.stranger() as stranger:
        answer = stranger.post("/register", json={"client_name": name, "redirect_uris": [uri]})
    assert answer.status_code == 201
    page = target.consent_page(target.http, client_id=answer.json()["client_id"], redirect_uri=uri)
    for text in (page.text, target.http.get("/").text):
        assert "<img" not in text
        assert "<script" not in text
        assert "\u202e" not in text
        assert "x" * 200 not in text
    assert "&lt;img" in page.text


def test_b11_a_clients_logo_is_neither_shown_nor_fetched(target: Target) -> None:
    """No page has a picture of a client, and its policy would load none."""
    with target.stranger() as stranger:
        metadata = {"client_name": "Logo", "redirect_uris": [LOOPBACK], "logo_uri": "https://evil.example/logo.svg"}
        answer = stranger.post("/register", json=metadata)
    page = target.consent_page(target.http, client_id=answer.json()["client_id"])
    assert "evil.example" not in page.text
    assert "<img" not in page.text
    assert "img-src data:;" in page.headers["content-security-policy"]


def test_b12_the_page_says_what_is_at_stake(target: Target) -> None:
    text = target.consent_page(target.http).text
    for told in ("Target", "127.0.0.1:53219", "this computer", target.resource, EMAIL):
        assert told in text


@pytest.mark.parametrize("uri", [LOOPBACK, WEB])
def test_b14_who_denies_gives_nothing(target: Target, uri: str) -> None:
    answer = submit(target.http, target.consent_page(target.http, redirect_uri=uri), decision="deny")
    given = redirected(answer, uri)
    assert (given["error"], given["iss"]) == ("access_denied", target.issuer)
    assert "code" not in given


def test_b16_scripts_can_read_no_cookie(target: Target) -> None:
    with target.stranger() as browser:
        page = target.sign_in_page(browser)
        answer = submit(browser, page, email=EMAIL, password=PASSWORD)
        cookies = [*page.history, answer]
        told = [value for each in cookies for value in each.headers.get_list("set-cookie")]
    assert told
    for cookie in told:
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= attributes


@pytest.mark.parametrize("name", ["next", "redirect", "return_to", "redirect_uri", "continue"])
def test_b18_no_parameter_says_where_to_go_after_signing_in(target: Target, name: str) -> None:
    with target.stranger() as browser:
        page = target.sign_in_page(browser)
        page = browser.get(page.url.copy_add_param(name, "https://evil.example/"))
        answer = submit(browser, page, email=EMAIL, password=PASSWORD, **{name: "https://evil.example/"})
    assert urlsplit(answer.headers["location"]).path == "/consent"
    assert "evil" not in answer.headers["location"]


def test_b20_e11_who_is_deleted_in_between_gets_nothing_more(target: Target) -> None:
    """A client: its page is no more, and neither are the refresh tokens it has."""
    client = target.server.create_client("--public", "--name", "Going", "--redirect-uri", LOOPBACK)
    page = target.consent_page(target.http, client_id=client.id)
    pkce = Pkce()
    given = target.redeem(target.code(pkce, client_id=client.id), pkce, client_id=client.id).json()
    run_cli(target.server.server.environment, "client", "delete", client.id)
    assert_page(submit(target.http, page, decision="approve"))
    assert target.refresh(given["refresh_token"], client_id=client.id).status_code == 401


def test_b21_the_form_cannot_change_the_request(target: Target) -> None:
    page, pkce = None, Pkce()
    page = target.consent_page(target.http, pkce, scope="query")
    forged = {
        "decision": "approve",
        "client_id": "nobody",
        "redirect_uri": "https://evil.example/cb",
        "scope": "schemas:read query offline_access",
        "code_challenge": "a" * 43,
    }
    given = redirected(submit(target.http, page, **forged))
    assert target.redeem(given["code"], pkce).json()["scope"] == "query"


def test_i11_an_unknown_address_and_a_wrong_password_look_alike(target: Target) -> None:
    pages = []
    for email in (EMAIL, "nobody@example.com"):
        with target.stranger() as browser:
            answer = submit(browser, target.sign_in_page(browser), email=email, password="wrong")
            pages.append((answer.status_code, answer.text.count("not right"), sorted(answer.headers)))
    assert pages[0] == pages[1]
    assert pages[0][1] == 1


def test_b09_signing_in_leads_to_consent_and_nowhere_else(target: Target) -> None:
    """A page of this server is never skipped: signing in alone gives no client anything."""
    with target.stranger() as browser:
        page = target.sign_in_page(browser)
        page = follow(browser, submit(browser, page, email=EMAIL, password=PASSWORD))
    assert urlsplit(str(page.url)).path == "/consent"


@dataclass(frozen=True, slots=True)
class Allowed:
    """A request that a person has allowed, in their browser, and another client that could send the like."""

    browser: httpx2.Client
    request: dict[str, str]
    other_client: str

    def answer(
        self, target: Target, changes: Mapping[str, str], browser: httpx2.Client | None = None
    ) -> httpx2.Response:
        """What the same request is answered later, with changes."""
        return (browser or self.browser).get(f"/authorize?{target.query(Pkce(), {**self.request, **changes})}")


@pytest.fixture(scope="module")
def allowed(target: Target) -> Iterator[Allowed]:
    """What is allowed to one of two sites that the operator knows, with the same redirect URIs."""
    uris = ("--redirect-uri", WEB, "--redirect-uri", "https://other.example/cb")
    site, other = (target.server.create_client("--public", "--name", name, *uris).id for name in ("One", "Other"))
    request = {"client_id": site, "redirect_uri": WEB, "scope": "query"}
    with target.stranger() as browser:
        answer = submit(browser, target.consent_page(browser, None, **request), decision="approve")
        assert redirected(answer, WEB)["code"]
        yield Allowed(browser, request, other)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scope": "schemas:read query"}, id="b07-wider-scope"),
        pytest.param({"redirect_uri": "https://other.example/cb"}, id="b07-other-origin"),
        pytest.param({"client_id": "other"}, id="b07-other-client"),
    ],
)
def test_a_consent_covers_what_was_allowed_and_no_more(
    target: Target, allowed: Allowed, changes: Mapping[str, str]
) -> None:
    assert redirected(allowed.answer(target, {}), WEB)["code"]
    asked = {**changes, "client_id": allowed.other_client} if "client_id" in changes else changes
    assert urlsplit(allowed.answer(target, asked).headers["location"]).path == "/consent"


def test_b07_a_consent_covers_one_person(target: Target, allowed: Allowed) -> None:
    email, password = "grace@example.com", str(target.server.directory / "password")
    run_cli(target.server.server.environment, "user", "create", "--email", email, "--password-file", password)
    with target.stranger() as browser:
        target.consent_page(browser, email=email)
        answer = allowed.answer(target, {}, browser)
    assert urlsplit(answer.headers["location"]).path == "/consent"


DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


def test_i14_user_codes_are_not_guessed_and_the_page_warns_of_phishing(target: Target) -> None:
    with target.stranger() as device:
        metadata = {"client_name": "Kiosk", "grant_types": [DEVICE_CODE], "response_types": []}
        client_id = device.post("/register", json=metadata).json()["client_id"]
        codes = device.post("/device_authorization", data={"client_id": client_id}).json()
        assert len(codes["user_code"]) == len("BCDF-GHJK")
        form = {"grant_type": DEVICE_CODE, "client_id": client_id, "device_code": codes["device_code"]}
        assert [device.post("/token", data=form).json()["error"] for _ in range(2)] == [
            "authorization_pending",
            "slow_down",
        ]
    with target.stranger() as guesser:
        page = guesser.get("/device")
        statuses = [submit(guesser, page, user_code=f"BCDF-GHJ{letter}").status_code for letter in "BCDFGH"]
        assert statuses == [400] * 5 + [429]
        assert submit(guesser, page, user_code=codes["user_code"]).status_code == 429
    with target.stranger() as person:
        target.consent_page(person)
        page = follow(person, submit(person, person.get("/device"), user_code=codes["user_code"]))
        for told in (codes["user_code"], "Kiosk", "Allow only if you started this yourself", "deny"):
            assert told in page.text
