"""Attacks on authorization requests, over HTTP, on a running server: cases A01 to A43."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.attacks.target import (
    APP,
    LOOPBACK,
    STATE,
    WEB,
    Target,
    assert_error,
    assert_page,
    follow,
    query_of,
    redirected,
)
from tests.support.people import Pkce, submit
from tests.support.services import EMAIL, PASSWORD, claims, run_cli

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_id": None}, id="a01-no-client"),
        pytest.param({"client_id": "nobody"}, id="a01-unknown-client"),
        pytest.param({"client_id": '"><script>alert(1)</script>'}, id="a01-a32-markup"),
        pytest.param({"redirect_uri": "https://evil.example/cb"}, id="a02-not-registered"),
        pytest.param({"redirect_uri": f"{WEB}/more"}, id="a03-more-path"),
        pytest.param({"redirect_uri": "https://good.example/cb"}, id="a04-less-query"),
        pytest.param({"redirect_uri": f"{WEB}&y=2"}, id="a04-more-query"),
        pytest.param({"redirect_uri": "http://localhost:80@evil.example/callback"}, id="a05-userinfo"),
        pytest.param({"redirect_uri": "http://localhost.evil.example/callback"}, id="a06-suffix"),
        pytest.param({"redirect_uri": "https://good.example\\@evil.example/cb?x=1"}, id="a07-backslash"),
        pytest.param({"redirect_uri": "https://good.example%5c@evil.example/cb?x=1"}, id="a07-encoded-backslash"),
        pytest.param({"redirect_uri": "//good.example/cb?x=1"}, id="a07-no-scheme"),
        pytest.param({"redirect_uri": "https://good.example/\tcb?x=1"}, id="a07-tab"),
        pytest.param({"redirect_uri": f"{WEB}\r\nLocation: https://evil.example"}, id="a07-newline"),
        pytest.param({"redirect_uri": "https://gооd.example/cb?x=1"}, id="a07-look-alike"),
        pytest.param({"redirect_uri": f"{WEB}#f"}, id="a08-fragment"),
        pytest.param({"redirect_uri": "http://localhost:1/other"}, id="a10-other-path"),
        pytest.param({"redirect_uri": "http://localhost:1/callback/../evil"}, id="a10-dots"),
        pytest.param({"redirect_uri": "http://127.0.0.2/callback"}, id="a10-other-loopback"),
        pytest.param({"redirect_uri": "http://0.0.0.0/callback"}, id="a10-any-address"),
        pytest.param({"redirect_uri": "http://[::ffff:127.0.0.1]/callback"}, id="a10-mapped"),
        pytest.param({"redirect_uri": "http://2130706433/callback"}, id="a10-number"),
        pytest.param({"redirect_uri": "https://localhost:1/callback"}, id="a11-https-loopback"),
        pytest.param({"redirect_uri": "https://good.example:444/cb?x=1"}, id="a11-port-elsewhere"),
        pytest.param({"redirect_uri": "javascript:alert(1)"}, id="a12-javascript"),
        pytest.param({"redirect_uri": "data:text/html,x"}, id="a12-data"),
        pytest.param({"redirect_uri": "file:///etc/passwd"}, id="a12-file"),
        pytest.param({"redirect_uri": f"{APP.title()}"}, id="a13-case"),
        pytest.param({"redirect_uri": "cursor://anysphere.cursor-mcp:1/oauth/callback"}, id="a13-port"),
        pytest.param({"redirect_uri": None}, id="a14-omitted"),
        pytest.param({"redirect_uri": 'http://localhost:1/callback"'}, id="a15-quote"),
        pytest.param({"redirect_uri": "http://localhost:1/callback\\"}, id="a15-backslash"),
        pytest.param({"redirect_uri": "http://localhost:1/callbäck"}, id="a15-not-ascii"),
        pytest.param({"client_id": ["a", "b"]}, id="a23-client-twice"),
        pytest.param({"redirect_uri": [LOOPBACK, LOOPBACK]}, id="a23-redirect-uri-twice"),
        pytest.param({"state": "s" * 15_000}, id="a31-15-kb-of-state"),
    ],
)
def test_what_is_not_proven_leads_to_a_page(target: Target, changes: Mapping[str, Any]) -> None:
    answer = target.authorize(**changes)
    assert_page(answer)
    assert not any("evil" in value for value in answer.headers.values())
    assert "<script" not in answer.text


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://localhost:3118/callback", id="a09-localhost"),
        pytest.param("http://127.0.0.1:65535/callback", id="a09-ipv4"),
        pytest.param("http://[::1]:8787/callback", id="a09-ipv6"),
        pytest.param("http://localhost/callback", id="a09-no-port"),
        pytest.param(WEB, id="a04-exact-query"),
        pytest.param(APP, id="a13-exact"),
    ],
)
def test_what_is_registered_is_redirected_to(target: Target, uri: str) -> None:
    answer = submit(target.http, target.consent_page(target.http, redirect_uri=uri), decision="approve")
    assert redirected(answer, uri)["code"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code_challenge": None, "code_challenge_method": None}, "invalid_request", id="a16-no-pkce"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="a18-plain"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="a19-no-method"),
        pytest.param({"code_challenge_method": "s256"}, "invalid_request", id="a19-case"),
        pytest.param({"code_challenge": "a" * 42}, "invalid_request", id="a20-short"),
        pytest.param({"code_challenge": "a" * 129}, "invalid_request", id="a20-long"),
        pytest.param({"code_challenge": "a" * 42 + "+"}, "invalid_request", id="a20-characters"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="a21-token"),
        pytest.param({"response_type": "id_token"}, "unsupported_response_type", id="a21-id-token"),
        pytest.param({"response_type": "code token"}, "unsupported_response_type", id="a21-hybrid"),
        pytest.param({"response_type": "none"}, "unsupported_response_type", id="a21-none"),
        pytest.param({"response_type": None}, "invalid_request", id="a21-missing"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="a22-fragment"),
        pytest.param({"response_mode": "form_post"}, "invalid_request", id="a22-form-post"),
        pytest.param({"response_mode": "query.jwt"}, "invalid_request", id="a22-jwt"),
        pytest.param({"scope": ["query", "query"]}, "invalid_request", id="a23-scope-twice"),
        pytest.param({"code_challenge": ["a" * 43, "a" * 43]}, "invalid_request", id="a23-challenge-twice"),
        pytest.param({"request": "e30.e30."}, "request_not_supported", id="a24-request-object"),
        pytest.param({"resource": "https://evil.example/mcp"}, "invalid_target", id="a25-unknown"),
        pytest.param({"resource": "/mcp"}, "invalid_target", id="a26-relative"),
        pytest.param({"resource": "http://a@localhost/mcp"}, "invalid_target", id="a26-userinfo"),
        pytest.param({"resource": "http://localhost/mcp#f"}, "invalid_target", id="a26-fragment"),
        pytest.param(
            {"resource": ["http://a.example/mcp", "http://b.example/mcp"]}, "invalid_target", id="a27-two-resources"
        ),
        pytest.param({"scope": "admin"}, "invalid_scope", id="a29-none-left"),
        pytest.param({"scope": 'query "x"'}, "invalid_scope", id="a30-quotes"),
        pytest.param({"scope": "query\nschemas:read"}, "invalid_scope", id="a30-newline"),
        pytest.param({"scope": " ".join(f"s{n}" for n in range(2000))}, "invalid_scope", id="a30-too-many"),
        pytest.param({"prompt": "none"}, "login_required", id="a37-not-signed-in"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="a38-contradiction"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="a39-not-a-number"),
    ],
)
def test_the_client_is_told_of_an_error(target: Target, changes: Mapping[str, Any], error: str) -> None:
    assert_error(target, target.authorize(**changes), error)


def test_a17_c05_a_client_with_a_secret_needs_pkce_too(target: Target) -> None:
    arguments = ("--confidential", "--name", "Site", "--redirect-uri", LOOPBACK)
    client = target.server.create_client(*arguments)
    answer = target.authorize(client_id=client.id, code_challenge=None)
    assert_error(target, answer, "invalid_request")


def test_a23_a_state_that_is_sent_twice_is_not_returned(target: Target) -> None:
    assert_error(target, target.authorize(state=["a", "b"]), "invalid_request", state=None)


@pytest.mark.parametrize("change", ["HTTP://LOCALHOST", "slash"])
def test_a28_other_spellings_of_the_resource_give_its_canonical_name(target: Target, change: str) -> None:
    spelling = f"{target.resource}/" if change == "slash" else target.resource.replace("http://localhost", change)
    assert claims(target.tokens(resource=spelling)["access_token"])["aud"] == target.resource


def test_a29_scopes_beyond_what_there_is_are_left_out(target: Target) -> None:
    assert target.tokens(scope="query admin everything")["scope"] == "query"


def test_a31_a32_a33_state_comes_back_byte_for_byte_and_encoded(target: Target) -> None:
    state = "aé%&=+ \r\nSet-Cookie: a=b\r\n\r\n<script>\"'" * 100
    answer = target.authorize(state=state, scope="admin")
    assert redirected(answer)["state"] == state
    assert "set-cookie" not in {name.lower() for name in answer.headers}
    assert not set(answer.headers["location"]) & set(" <>\"'\r\n")


def test_a31_64_kb_of_state_are_not_read(target: Target) -> None:
    assert target.authorize(state="s" * 64_000).status_code == 431


def test_a34_parameters_in_the_url_and_in_the_body_are_refused(target: Target) -> None:
    with target.stranger() as stranger:
        pairs = dict(query_of("?" + target.query(Pkce(), {})))
        assert stranger.post("/authorize", data=pairs).status_code == 303
        client_id = pairs.pop("client_id")
        assert_page(stranger.post(f"/authorize?{urlencode({'client_id': client_id})}", data=pairs))


@pytest.mark.parametrize("decision", ["approve", "deny"])
def test_a35_every_answer_names_the_issuer_once(target: Target, decision: str) -> None:
    answer = submit(target.http, target.consent_page(target.http), decision=decision)
    assert [value for name, value in query_of(answer.headers["location"]) if name == "iss"] == [target.issuer]
    assert redirected(answer)["state"] == STATE


@pytest.mark.parametrize("changes", [{"prompt": "login"}, {"max_age": "0"}], ids=["a39-login", "a39-max-age"])
def test_a39_a_person_who_is_signed_in_signs_in_again(target: Target, changes: dict[str, str]) -> None:
    with target.stranger() as browser:
        target.consent_page(browser)
        page = follow(browser, browser.get(f"/authorize?{target.query(Pkce(), changes)}"))
    assert urlsplit(str(page.url)).path == "/login"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PREFETCH"])
def test_a40_looking_ahead_starts_nothing(target: Target, method: str) -> None:
    headers = {"Sec-Purpose": "prefetch"} if method == "PREFETCH" else {}
    with target.stranger() as browser:
        url = f"/authorize?{target.query(Pkce(), {})}"
        answer = browser.request("GET" if headers else method, url, headers=headers)
        assert "location" not in answer.headers
        assert "set-cookie" not in answer.headers


def test_a42_a_session_that_was_planted_before_does_not_become_the_persons(target: Target) -> None:
    with target.stranger() as browser:
        page = target.sign_in_page(browser)
        before = dict(browser.cookies)
        answer = submit(browser, page, email=EMAIL, password=PASSWORD)
        assert answer.status_code == 303
        fresh = {name: value for name, value in browser.cookies.items() if before.get(name) != value}
        assert fresh
        assert not set(fresh.values()) & set(before.values())
        planted = {name: "0" * len(value) for name, value in fresh.items()}
    with target.stranger() as browser:
        for name, value in planted.items():
            browser.cookies.set(name, value, domain="localhost.local")
        page = target.sign_in_page(browser)
        assert urlsplit(str(page.url)).path == "/login"
        assert submit(browser, page, email=EMAIL, password=PASSWORD).status_code == 303
        assert not set(planted.values()) & set(browser.cookies.values())


@pytest.mark.parametrize("uri", [WEB, APP])
def test_a43_a_client_that_nobody_here_has_allowed_anything_redirects_nobody(target: Target, uri: str) -> None:
    """RFC 9700 §4.11.2."""
    assert_page(target.authorize(client_id=target.registered("Nobody's"), redirect_uri=uri, scope="admin"))


@pytest.mark.parametrize("changes", [{}, {"prompt": "none"}], ids=["a41-asked", "a41-silent"])
def test_a_workspace_that_is_anothers_looks_like_one_that_is_not_there(
    target: Target, changes: dict[str, str], others_workspace: str
) -> None:
    seen = []
    for workspace in (others_workspace, f"{others_workspace}-not-there"):
        target.consent_page(target.http)
        answer = target.http.get(f"/authorize/{workspace}?{target.query(Pkce(), changes)}")
        if not changes:
            answer = follow(target.http, answer)
            assert_page(answer)
            shown = answer.text.partition("<h1>")[2].partition("<form")[0]
            seen.append((answer.status_code, shown.replace(workspace, "")))
        else:
            seen.append((answer.status_code, redirected(answer)["error"]))
            assert "code" not in redirected(answer)
    assert seen[0] == seen[1]


@pytest.fixture(scope="module")
def others_workspace(target: Target) -> str:
    """A workspace to which the person does not belong."""
    run_cli(target.server.server.environment, "workspace", "create", "others")
    return "others"


def test_i15_a_pushed_request_is_its_clients_and_one_browsers(target: Target) -> None:
    """Parameters beside it count for nothing, however good."""
    pushed = target.push(scope="query", state="pushed")["request_uri"]
    beside = {"request_uri": pushed, "scope": "schemas:read", "state": "beside", "redirect_uri": WEB}
    with target.stranger() as browser:
        assert_page(browser.get("/authorize", params={"client_id": target.registered("Other"), **beside}))
        mine = {"client_id": target.registered("Target"), **beside}
        page = follow(browser, browser.get("/authorize", params=mine))
        page = follow(browser, submit(browser, page, email=EMAIL, password=PASSWORD))
        given = redirected(submit(browser, page, decision="approve"))
        assert given["state"] == "pushed"
        assert_page(browser.get("/authorize", params=mine), 409)
    with target.stranger() as another:  # which is sent back once, with a cookie
        assert_page(follow(another, another.get("/authorize", params=mine)))


@pytest.mark.parametrize(
    "uri", ["urn:ietf:params:oauth:request_uri:guessed", "https://evil.example/request.jwt", "file:///etc/passwd", ""]
)
def test_i15_a24_no_other_request_uri_is_taken_or_fetched(target: Target, uri: str) -> None:
    with target.stranger() as stranger:
        query = {"client_id": target.registered("Target"), "request_uri": uri}
        assert_page(stranger.get("/authorize", params=query))
