"""Attacks on a server that the public reaches over https, on a running one behind a proxy: B16, G22, H16, I05, I21."""

import json
from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.attacks.target import LOOPBACK, Target, assert_page
from tests.support.concurrency import at_once
from tests.support.people import Pkce, main_form
from tests.support.processes import free_port
from tests.support.services import EMAIL, PASSWORD, Addresses, auth_serving, run_cli

pytestmark = pytest.mark.slow

ISSUER = "https://auth.example"


class Public(Target):
    """A server whose issuer is ISSUER; requests come from its proxy."""

    def stranger(self) -> httpx2.Client:
        """As Target's, through the proxy."""
        client = super().stranger()
        client.base_url = httpx2.URL(f"http://localhost:{self.port}")
        client.headers |= {"Host": "auth.example", "X-Forwarded-Proto": "https"}
        return client

    @property
    def port(self) -> str:
        """Where the process listens."""
        return self.server.server.environment["AUTH_PORT"]


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Public]:
    """A server on which nobody registers without the operator's token."""
    settings = {"AUTH_ISSUER": ISSUER, "AUTH_TRUSTED_PROXIES": "127.0.0.1", "AUTH_REGISTRATION": "token"}
    with (
        auth_serving(Addresses(auth_port=free_port()), tmp_path_factory.mktemp("public"), **settings) as server,
        httpx2.Client() as browser,
    ):
        client = server.create_client("--public", "--name", "Target", "--redirect-uri", LOOPBACK)
        yield Public(server, browser, clients={"Target": client.id})


def cookies(answer: httpx2.Response) -> dict[str, str]:
    """Those that an answer sets, with their attributes."""
    return {cookie.partition("=")[0]: cookie for cookie in answer.headers.get_list("set-cookie")}


def jar(answer: httpx2.Response) -> str:
    """The Cookie header that a browser sends back."""
    return "; ".join(cookie.partition(";")[0] for cookie in cookies(answer).values())


def test_b16_cookies_are_for_this_host_over_https_only(public: Public) -> None:
    """Another host of the domain can neither read nor set them."""
    with public.stranger() as browser:
        begun = browser.get(f"/authorize?{public.query(Pkce(), {})}")
        held = jar(begun)
        place = urlsplit(begun.headers["location"])._replace(scheme="", netloc="").geturl()
        page = browser.get(place, headers={"Cookie": held})
        headers = {"Cookie": held, "Origin": ISSUER}
        entered = {**main_form(page).fields, "email": EMAIL, "password": PASSWORD}
        answer = browser.post("/login", data=entered, headers=headers)
    assert answer.status_code == 303
    for name, cookie in (cookies(begun) | cookies(answer)).items():
        assert name.startswith("__Host-")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/", "secure"} <= attributes
        assert not any(attribute.startswith("domain") for attribute in attributes)
    with public.stranger() as browser:  # a cookie that another host of the domain can set counts for nothing
        tossed = held.replace("__Host-", "")
        assert_page(browser.get(place, headers={"Cookie": tossed}))


@pytest.mark.parametrize("url", [f"{ISSUER}/app.json", f"{ISSUER}:443/authorize", "https://auth.example./x"])
def test_g22_no_document_is_fetched_from_this_server(public: Public, url: str) -> None:
    answer = public.authorize(client_id=url)
    assert_page(answer)
    assert "does not answer" not in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/token", "/nothing", "/.well-known/oauth-authorization-server", "/authorize", "/register"]
)
def test_i21_every_answer_asks_for_https_ever_after(public: Public, path: str) -> None:
    with public.stranger() as stranger:
        for answer in (stranger.get(path), stranger.post(path)):
            assert int(answer.headers["strict-transport-security"].partition("max-age=")[2]) >= 31536000


def test_i05_a_proxy_in_front_changes_no_name(public: Public) -> None:
    with public.stranger() as stranger:
        headers = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        assert stranger.get("/.well-known/oauth-authorization-server", headers=headers).json()["issuer"] == ISSUER
        begun = stranger.get(f"/authorize?{public.query(Pkce(), {'redirect_uri': LOOPBACK})}", headers=headers)
        assert "evil" not in begun.headers["location"]


def test_h16_nobody_registers_without_a_good_token(public: Public) -> None:
    """Forty that use the last of one at once are one client."""
    settings = public.server.server.environment
    made = json.loads(run_cli(settings, "initial-token", "create", "--json"))

    def register(token: str | None) -> httpx2.Response:
        with public.stranger() as stranger:
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            return stranger.post("/register", json={"client_name": "x", "redirect_uris": [LOOPBACK]}, headers=headers)

    good = made["initial_access_token"]
    for token in (None, "x", f"{good}x", made["token_id"], public.server.automation.secret):
        answer = register(token)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert good not in answer.text
    answers = at_once([partial(register, good)] * 40)
    assert sorted(answer.status_code for answer in answers) == [201] + [401] * 39
    revoked = json.loads(run_cli(settings, "initial-token", "create", "--json"))
    run_cli(settings, "initial-token", "revoke", revoked["token_id"])
    assert register(revoked["initial_access_token"]).status_code == 401
