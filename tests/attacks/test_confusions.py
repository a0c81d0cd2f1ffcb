"""Attacks that mix up what belongs to several, over HTTP, on servers on SQLite and on Redis: B03, B06, A41, I23."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.attacks.target import Target, assert_page, assert_refused, follow, redirected
from tests.support.concurrency import at_once
from tests.support.people import Pkce, main_form, submit
from tests.support.redis_server import redis_serving
from tests.support.services import EMAIL, Addresses, Client, auth_serving, claims, run_cli

pytestmark = pytest.mark.slow

RESOURCES = ("http://localhost:1/mcp", "http://localhost:1/other")
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"


@pytest.fixture(scope="module", params=["redis", "sqlite"])
def mixed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server of its own with two resources, on a store of that kind; Ada belongs to the workspace acme, too."""
    directory: Path = tmp_path_factory.mktemp("mixed")
    settings = {"AUTH_TRUSTED_PROXIES": "127.0.0.1", "AUTH_RESOURCES": ",".join(RESOURCES)}
    with redis_serving(directory / "redis") as redis:
        if request.param == "redis":
            settings["AUTH_STORE_URL"] = redis.url
        with (
            auth_serving(Addresses(), directory, **settings) as server,
            httpx2.Client(base_url=server.issuer, timeout=60) as browser,
        ):
            for arguments in (("create", "acme"), ("create", "others"), ("member", "add", "acme", EMAIL)):
                run_cli(server.server.environment, "workspace", *arguments)
            yield Mixed(server, browser)


class Mixed(Target):
    """A server whose first resource stands in for the one of the session's."""

    @property
    def resource(self) -> str:
        """The first."""
        return RESOURCES[0]


def test_b06_decisions_that_contradict_each_other_have_one_outcome(mixed: Target) -> None:
    """Twenty at once: one is made, those like it lead to the same place, and the others are told that it is settled."""
    page = mixed.consent_page(mixed.http)
    decisions = ["approve", "deny"] * 10
    calls = [partial(submit, mixed.http, page, decision=decision, workspace="default") for decision in decisions]
    answers = at_once(calls)
    assert Counter(answer.status_code for answer in answers) == {303: 10, 409: 10}
    kinds = {tuple(sorted(redirected(answer))) for answer in answers if answer.status_code == 303}
    assert len(kinds) == 1
    assert len({redirected(answer).get("code") for answer in answers if answer.status_code == 303}) == 1


def test_b03_the_cookies_of_two_browsers_decide_nothing_together(mixed: Target) -> None:
    """The request is one browser's, the person another's: neither form is good for the pair."""
    with mixed.stranger() as one, mixed.stranger() as other, mixed.stranger() as both:
        pages = mixed.consent_page(one), mixed.consent_page(other)
        cookies = {"auth_browser": one.cookies["auth_browser"], "auth_session": other.cookies["auth_session"]}
        both.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        for page, status in zip(pages, (403, 400), strict=True):
            for token in (main_form(each).fields["csrf"] for each in pages):
                assert_page(submit(both, page, csrf=token, decision="approve", workspace="default"), status)


@pytest.mark.parametrize(
    ("path", "chosen", "granted"),
    [
        pytest.param("", "acme", "acme", id="a41-chosen"),
        pytest.param("/acme", "acme", "acme", id="a41-preset"),
        pytest.param("/acme", "default", None, id="a41-another-than-preset"),
        pytest.param("", "others", None, id="a41-somebody-elses"),
        pytest.param("", "ACME", None, id="a41-case"),
        pytest.param("", "", None, id="a41-none"),
    ],
)
def test_a_form_chooses_among_the_workspaces_that_it_offered(
    mixed: Target, path: str, chosen: str, granted: str | None
) -> None:
    mixed.consent_page(mixed.http)
    pkce = Pkce()
    page = follow(mixed.http, mixed.http.get(f"/authorize{path}?{mixed.query(pkce, {'tenant': 'others'})}"))
    answer = submit(mixed.http, page, decision="approve", workspace=chosen)
    if granted is None:
        assert answer.status_code == 400
        assert "location" not in answer.headers
    else:
        token = mixed.redeem(redirected(answer)["code"], pkce).json()["access_token"]
        assert claims(token)["tenant"] == granted


@pytest.fixture(scope="module")
def exchangers(mixed: Target) -> dict[str, Client]:
    """Clients that make tokens of their workspace narrower."""
    arguments = {
        "wide": ("--scope", "query schemas:read"),
        "narrow": ("--scope", "query"),
        "elsewhere": ("--scope", "query schemas:read", "--workspace", "acme"),
    }
    return {
        name: mixed.server.create_client("--confidential", "--name", name, "--grant", "token-exchange", *more)
        for name, more in arguments.items()
    }


@pytest.mark.parametrize(
    ("client", "changes", "error"),
    [
        pytest.param("narrow", {"scope": "query schemas:read"}, "invalid_scope", id="i23-scope"),
        pytest.param("wide", {"resource": RESOURCES[1]}, "invalid_target", id="i23-resource"),
        pytest.param("wide", {"audience": RESOURCES[1]}, "invalid_target", id="i23-audience"),
        pytest.param("wide", {"audience": "https://evil.example"}, "invalid_target", id="i23-foreign-audience"),
        pytest.param("elsewhere", {}, "invalid_request", id="i23-workspace"),
        pytest.param("wide", {"subject_token": "x"}, "invalid_request", id="i23-no-token"),
        pytest.param("wide", {"subject_token_type": f"{TOKEN_TYPE}refresh_token"}, "invalid_request", id="i23-type"),
        pytest.param(
            "wide", {"requested_token_type": f"{TOKEN_TYPE}refresh_token"}, "invalid_request", id="i23-refresh-token"
        ),
        pytest.param(
            "wide", {"actor_token": "x", "actor_token_type": f"{TOKEN_TYPE}jwt"}, "invalid_request", id="i23-actor"
        ),
    ],
)
def test_a_token_exchange_widens_nothing(
    mixed: Target, exchangers: dict[str, Client], client: str, changes: dict[str, str], error: str
) -> None:
    form = {"grant_type": "client_credentials", "resource": RESOURCES[0]}
    token = mixed.token(exchangers["wide"], **form).json()["access_token"]
    good = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": token,
        "subject_token_type": f"{TOKEN_TYPE}access_token",
    }
    given = mixed.token(exchangers["wide"], **good, scope="query").json()
    assert given["scope"] == "query"
    assert claims(given["access_token"])["exp"] <= claims(token)["exp"]
    assert_refused(mixed.token(exchangers[client], **{**good, **changes}), 400, error)
    narrowed = {**good, "subject_token": given["access_token"], "scope": "query schemas:read"}
    assert_refused(mixed.token(exchangers["wide"], **narrowed), 400, "invalid_scope")
