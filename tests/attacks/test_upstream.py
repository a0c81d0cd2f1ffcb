"""Attacks on signing in at another provider, over HTTP, on a running server: case B19."""

import base64
import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlsplit

import httpx2
import pytest

from tests.attacks.target import LOOPBACK, UPSTREAM_CLIENT, Later, assert_page, query_of, redirected
from tests.support.client_keys import ClientKey
from tests.support.concurrency import at_once
from tests.support.document_host import answering
from tests.support.people import Pkce, submit
from tests.support.services import EMAIL, run_cli

pytestmark = pytest.mark.slow

PROVIDER = "https://login.example"
KEY, OTHER_KEY = ClientKey(), ClientKey()
JSON = ("Content-Type", "application/json")


class Provider:
    """The provider: what it was asked by the last browser, and what it says of whoever comes."""

    def __init__(self, later: Later) -> None:
        self.later = later
        self.asked: dict[str, str] = {}
        self.changes: dict[str, Any] = {}
        self.key = KEY
        later.host.documents[f"{PROVIDER}/.well-known/openid-configuration"] = {
            "issuer": PROVIDER,
            "authorization_endpoint": f"{PROVIDER}/authorize",
            "token_endpoint": f"{PROVIDER}/token",
            "jwks_uri": f"{PROVIDER}/keys.json",
        }
        later.host.documents[f"{PROVIDER}/keys.json"] = {"keys": [KEY.jwk()]}
        later.host.answers[f"{PROVIDER}/token"] = self._token

    def _token(self, handler: BaseHTTPRequestHandler) -> None:
        now = int(self.later.surroundings.now())
        claims = {
            "iss": PROVIDER,
            "sub": "00u1",
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            "email": EMAIL,
            "email_verified": True,
            **self.changes,
        }
        audience = claims.pop("aud", UPSTREAM_CLIENT.id)
        token = self.key.assertion("", audience, now, header=claims.pop("header", {}), **claims)
        answering(200, json.dumps({"access_token": "x", "token_type": "Bearer", "id_token": token}).encode(), JSON)(
            handler
        )

    def leave(self, browser: httpx2.Client, page: httpx2.Response) -> dict[str, str]:
        """Follows the link of a sign-in page to the provider; gives the parameters of a good answer."""
        assert "login.example" in page.text
        answer = browser.get("/login/upstream", params=dict(query_of(str(page.url))))
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"{PROVIDER}/authorize?")
        self.asked = dict(query_of(answer.headers["location"]))
        return {"state": self.asked["state"], "code": "c0de", "iss": PROVIDER}


@pytest.fixture
def provider(later: Later) -> Iterator[Provider]:
    """A provider that is honest until a test has it be otherwise."""
    provider = Provider(later)
    yield provider
    del later.host.answers[f"{PROVIDER}/token"]


def come_back(browser: httpx2.Client, answer: dict[str, str]) -> httpx2.Response:
    return browser.get("/login/callback", params=answer)


def test_somebody_who_is_known_there_signs_in_here(later: Later, provider: Provider) -> None:
    """With a code that is redeemed by the verifier of the challenge, and credentials as RFC 6749 encodes them."""
    pkce = Pkce()
    with later.stranger() as browser:
        back = come_back(browser, provider.leave(browser, later.sign_in_page(browser, pkce)))
        assert urlsplit(back.headers["location"]).path == "/consent"
        page = browser.get(back.headers["location"])
        assert EMAIL in page.text
        code = redirected(submit(browser, page, decision="approve"))["code"]
    assert later.redeem(code, pkce).status_code == 200
    sent = dict(parse_qsl(later.host.forms[f"{PROVIDER}/token"]))
    digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == provider.asked["code_challenge"]
    assert sent["redirect_uri"] == provider.asked["redirect_uri"] == f"{later.issuer}/login/callback"
    pair = ":".join(map(quote_plus, (UPSTREAM_CLIENT.id, UPSTREAM_CLIENT.secret))).encode()
    assert later.host.headers[f"{PROVIDER}/token"]["Authorization"] == f"Basic {base64.b64encode(pair).decode()}"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://login.evil.example"}, id="b19-issuer"),
        pytest.param({"iss": f"{PROVIDER}/"}, id="b19-issuer-with-a-slash"),
        pytest.param({"aud": "another client"}, id="b19-audience"),
        pytest.param({"aud": [UPSTREAM_CLIENT.id, "another client"]}, id="b19-audiences"),
        pytest.param({"aud": None}, id="b19-no-audience"),
        pytest.param({"nonce": "of-somebody-else"}, id="b19-nonce"),
        pytest.param({"nonce": None}, id="b19-no-nonce"),
        pytest.param({"exp": 1}, id="b19-over"),
        pytest.param({"exp": None}, id="b19-no-end"),
        pytest.param({"iat": 10**11}, id="b19-of-tomorrow"),
        pytest.param({"sub": None}, id="b19-no-subject"),
        pytest.param({"email": "nobody@example.com"}, id="b19-nobody"),
        pytest.param({"email": None}, id="b19-no-address"),
        pytest.param({"email": EMAIL.replace("a", "ａ", 1)}, id="b19-a-wide-letter"),
        pytest.param({"email": "ada@eXample.com".replace("m", "ⅿ")}, id="b19-a-numeral"),
        pytest.param({"email": "ada@example.com\n"}, id="b19-a-line-feed"),
        pytest.param({"email_verified": False}, id="b19-not-verified"),
        pytest.param({"email_verified": "true"}, id="b19-verified-in-words"),
        pytest.param({"email_verified": None}, id="b19-not-said-to-be-verified"),
        pytest.param({"header": {"alg": "none"}}, id="b19-no-signature"),
        pytest.param({"header": {"alg": "HS256"}}, id="b19-algorithm"),
        pytest.param({"header": {"kid": "another"}}, id="b19-unknown-key"),
        pytest.param({"key": OTHER_KEY}, id="b19-another-key"),
    ],
)
def test_an_id_token_that_is_not_good_signs_nobody_in(
    later: Later, provider: Provider, changes: dict[str, Any]
) -> None:
    provider.key = changes.get("key", KEY)
    provider.changes = {name: value for name, value in changes.items() if name != "key"}
    with later.stranger() as browser:
        answer = come_back(browser, provider.leave(browser, later.sign_in_page(browser)))
        assert_page(answer)
        assert "auth_session" not in dict(browser.cookies)


def test_b19_a_state_is_good_once_and_for_the_browser_that_began(later: Later, provider: Provider) -> None:
    with later.stranger() as attacker, later.stranger() as victim:
        planted = provider.leave(attacker, later.sign_in_page(attacker))
        mine = provider.leave(victim, later.sign_in_page(victim))
        transaction, attempt, mac = mine["state"].split(".")
        other = planted["state"].split(".")
        for state in (
            planted["state"],
            "",
            "https://evil.example/",
            f"{transaction}.{attempt}.{other[2]}",
            f"{transaction}.{other[1]}.{mac}",
            f"{other[0]}.{attempt}.{mac}",
            f"{transaction}.{attempt}.",
            f"{transaction}.{attempt}.é",
            transaction,
        ):
            answer = come_back(victim, {**mine, "state": state})
            assert_page(answer, 403 if state.startswith(transaction) else 400)
            assert "auth_session" not in dict(victim.cookies)
        assert come_back(victim, mine).status_code == 303
        assert_page(come_back(victim, mine))


def test_b19_of_forty_answers_at_once_one_signs_in(later: Later, provider: Provider) -> None:
    with later.stranger() as browser:
        answer = provider.leave(browser, later.sign_in_page(browser))
        cookie = {"Cookie": f"auth_browser={browser.cookies['auth_browser']}"}

    def once() -> int:
        with later.stranger() as again:
            return again.get("/login/callback", params=answer, headers=cookie).status_code

    assert sorted(at_once([once] * 40)) == [303] + [400] * 39


def test_b19_an_expired_state_is_none(later: Later, provider: Provider) -> None:
    with later.stranger() as browser:
        answer = provider.leave(browser, later.sign_in_page(browser))
        later.pass_time(601)
        assert_page(come_back(browser, answer))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://login.evil.example"}, id="b19-mix-up"),
        pytest.param({"error": "access_denied"}, id="b19-error"),
        pytest.param({"code": ""}, id="b19-no-code"),
    ],
)
def test_an_answer_that_is_not_good_is_not_taken_to_the_provider(
    later: Later, provider: Provider, changes: dict[str, str]
) -> None:
    with later.stranger() as browser:
        answer = provider.leave(browser, later.sign_in_page(browser))
        before = later.host.requests.count(f"{PROVIDER}/token")
        assert_page(come_back(browser, {**answer, **changes}))
        assert later.host.requests.count(f"{PROVIDER}/token") == before


def test_b19_parameters_that_come_twice_are_not_taken(later: Later, provider: Provider) -> None:
    with later.stranger() as browser:
        answer = provider.leave(browser, later.sign_in_page(browser))
        assert_page(browser.get("/login/callback", params=[*answer.items(), ("code", "another")]))
        assert come_back(browser, answer).status_code == 303


def test_b19_who_must_sign_in_anew_must_have_done_so_there(later: Later, provider: Provider) -> None:
    with later.stranger() as browser:
        answer = provider.leave(browser, later.sign_in_page(browser, prompt="login"))
        assert (provider.asked["prompt"], provider.asked["max_age"]) == ("login", "0")
        provider.changes = {"auth_time": int(later.surroundings.now()) - 3600}
        assert_page(come_back(browser, answer))
        provider.changes = {"auth_time": int(later.surroundings.now())}
        answer = provider.leave(browser, later.sign_in_page(browser, prompt="login"))
        assert urlsplit(come_back(browser, answer).headers["location"]).path == "/consent"


def test_b19_b20_who_is_disabled_here_is_nobody(later: Later, provider: Provider) -> None:
    email, settings = "leaver@example.com", later.server.server.environment
    run_cli(settings, "user", "create", "--email", email, "--password-file", str(later.server.directory / "password"))
    run_cli(settings, "user", "disable", email)
    provider.changes = {"email": email}
    with later.stranger() as browser:
        assert_page(come_back(browser, provider.leave(browser, later.sign_in_page(browser))))


def test_b19_a_provider_that_is_away_is_waited_for(later: Later, provider: Provider) -> None:
    later.host.answers[f"{PROVIDER}/token"] = answering(500, b"")
    with later.stranger() as browser:
        answer = come_back(browser, provider.leave(browser, later.sign_in_page(browser)))
    assert_page(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


def test_b19_a_provider_in_trouble_is_not_asked_by_everybody(later: Later, provider: Provider) -> None:
    url = f"{PROVIDER}/.well-known/openid-configuration"
    later.pass_time(3601)
    later.host.answers[url] = answering(500, b"")
    before = later.host.requests.count(url)
    try:
        with later.stranger() as browser:
            asked = dict(query_of(str(later.sign_in_page(browser).url)))
            for _ in range(5):
                assert_page(browser.get("/login/upstream", params=asked), 503)
            assert later.host.requests.count(url) == before + 1
            del later.host.answers[url]
            later.pass_time(31)
            assert browser.get("/login/upstream", params=asked).status_code == 303
    finally:
        later.host.answers.pop(url, None)


def test_b18_only_the_transaction_says_where_to_go_on(later: Later, provider: Provider) -> None:
    with later.stranger() as browser:
        answer = provider.leave(browser, later.sign_in_page(browser))
        more = dict.fromkeys(("next", "redirect_uri", "return_to"), "https://evil.example/")
        back = come_back(browser, {**answer, **more})
        assert urlsplit(back.headers["location"]).path == "/consent"
        assert "evil" not in back.headers["location"]
    assert LOOPBACK not in back.headers["location"]
