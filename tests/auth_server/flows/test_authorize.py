"""Attacks on the authorization request: cases A01–A42."""

from typing import Any

import pytest

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Refused
from auth_server.flows.authorize import Continue, ErrorRedirect
from tests.auth_server.flows.world import (
    ADDRESS,
    ISSUER,
    OTHER_RESOURCE,
    REDIRECT_URI,
    RESOURCE,
    World,
    ok,
    query,
)

pytestmark = pytest.mark.anyio

LOOPBACK = ("http://localhost/callback", "http://127.0.0.1/callback", "http://[::1]/callback")
WEB = "https://good.example/cb?x=1"
APP = "cursor://anysphere.cursor-mcp/oauth/callback"


async def _client_id(world: World) -> str:
    return (await world.register(redirect_uris=[*LOOPBACK, WEB, APP])).client_id


def _error(outcome: object) -> str:
    """The error of a redirect that is as it should be."""
    assert isinstance(outcome, ErrorRedirect), outcome
    parameters = query(outcome.url)
    assert outcome.url.startswith(REDIRECT_URI + "?")
    assert parameters["iss"] == [ISSUER]
    assert parameters.keys() <= {"error", "error_description", "state", "iss"}
    return parameters["error"][0]


@pytest.mark.parametrize("client_id", [None, "", "nope", ["a", "b"], "\ud800", '"', "x" * 3000])
async def test_a01_a23_client_not_proven(world: World, client_id: Any) -> None:
    pairs = [("client_id", value) for value in (client_id if isinstance(client_id, list) else [client_id]) if value]
    outcome = await world.begin_with([*pairs, ("redirect_uri", REDIRECT_URI)])
    assert isinstance(outcome, Refused)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://evil.example/cb", id="a02-not-registered"),
        pytest.param(WEB + "/more", id="a03-extra-path"),
        pytest.param("https://good.example/cb", id="a04-missing-query"),
        pytest.param(WEB + "&y=2", id="a04-extra-query"),
        pytest.param("http://localhost:80@evil.example/callback", id="a05-userinfo"),
        pytest.param("http://localhost.evil.example/callback", id="a06-suffix"),
        pytest.param("https://good.example\\@evil.example/cb?x=1", id="a07-backslash"),
        pytest.param("https://good.example%5c@evil.example/cb?x=1", id="a07-encoded-backslash"),
        pytest.param("//good.example/cb?x=1", id="a07-no-scheme"),
        pytest.param("https://good.example/\tcb?x=1", id="a07-tab"),
        pytest.param("https://good.example/cb?x=1\n", id="a07-newline"),
        pytest.param("http://localhost:1/callback\n", id="a07-newline-loopback"),
        pytest.param("https://gооd.example/cb?x=1", id="a07-homograph"),
        pytest.param(WEB + "#f", id="a08-fragment"),
        pytest.param("http://localhost:1/callback#f", id="a08-fragment-loopback"),
        pytest.param("http://localhost:1/callback/../evil", id="a10-path"),
        pytest.param("http://localhost:1/other", id="a10-other-path"),
        pytest.param("http://127.0.0.2/callback", id="a10-other-loopback"),
        pytest.param("http://0.0.0.0/callback", id="a10-any"),
        pytest.param("http://[::ffff:127.0.0.1]/callback", id="a10-mapped"),
        pytest.param("http://2130706433/callback", id="a10-decimal"),
        pytest.param("http://localhost:/callback", id="a10-empty-port"),
        pytest.param("http://localhost:0/callback", id="a10-port-zero"),
        pytest.param("http://localhost:65536/callback", id="a10-port-too-high"),
        pytest.param("http://LOCALHOST:1/callback", id="a10-upper-case"),
        pytest.param("https://localhost:1/callback", id="a11-https-loopback"),
        pytest.param("https://good.example:444/cb?x=1", id="a11-port-elsewhere"),
        pytest.param("javascript:alert(1)", id="a12-javascript"),
        pytest.param("data:text/html,x", id="a12-data"),
        pytest.param("cursor://anysphere.cursor-mcp/oauth/Callback", id="a13-case"),
        pytest.param("Cursor://anysphere.cursor-mcp/oauth/callback", id="a13-scheme-case"),
        pytest.param("cursor://anysphere.cursor-mcp:1/oauth/callback", id="a13-port"),
        pytest.param(None, id="a14-omitted"),
        pytest.param("", id="a14-empty"),
        pytest.param('http://localhost:1/callback"', id="a15-quote"),
        pytest.param("http://localhost:1/callback\\", id="a15-backslash"),
        pytest.param("http://localhost:1/callbäck", id="a15-not-ascii"),
        pytest.param([REDIRECT_URI, REDIRECT_URI], id="a23-twice"),
    ],
)
async def test_redirect_uri_not_proven(world: World, uri: Any) -> None:
    client_id = await _client_id(world)
    assert isinstance(await world.begin(client_id, redirect_uri=uri), Refused)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("http://localhost:3118/callback", id="a09-localhost"),
        pytest.param("http://127.0.0.1:65535/callback", id="a09-ipv4"),
        pytest.param("http://[::1]:8787/callback", id="a09-ipv6"),
        pytest.param("http://localhost/callback", id="a09-no-port"),
        pytest.param(WEB, id="exact"),
        pytest.param(APP, id="a13-private-scheme"),
    ],
)
async def test_redirect_uri_proven(world: World, uri: str) -> None:
    client_id = await _client_id(world)
    await world.code(client_id, redirect_uri=uri)
    refused = await world.begin(client_id, redirect_uri=uri, response_type="token")
    assert isinstance(refused, ErrorRedirect)
    assert refused.url.startswith(uri + ("&error=" if "?" in uri else "?error="))


@pytest.mark.parametrize("uri", [WEB, APP])
@pytest.mark.parametrize(
    "changes", [{"response_type": "token"}, {"scope": "admin"}, {"prompt": "none"}, {"resource": "https://x/"}], ids=str
)
async def test_a43_a_client_that_nobody_here_knows_redirects_nobody(
    world: World, uri: str, changes: dict[str, str]
) -> None:
    """RFC 9700 §4.11.2: whoever registers a client could send people from this server's address to any other."""
    client_id = await _client_id(world)
    refused = await world.begin(client_id, redirect_uri=uri, **changes)
    assert isinstance(refused, Refused)
    assert refused.facts.client_id == client_id
    await world.tokens(client_id, redirect_uri=REDIRECT_URI)  # at another of its addresses
    assert isinstance(await world.begin(client_id, redirect_uri=uri, **changes), ErrorRedirect)
    world.session_id, session_id = None, world.session_id  # in another browser
    assert isinstance(await world.begin(client_id, redirect_uri=uri, **changes), Refused)
    world.session_id = session_id
    (grant,) = await world.store.grants(world.clock.now())
    await world.store.revoke_grant(grant.grant_id, world.clock.now())
    assert isinstance(await world.begin(client_id, redirect_uri=uri, **changes), Refused)


async def test_the_operators_clients_are_told_of_errors_at_once(world: World) -> None:
    """The operator vouches for where they are."""
    made = await world.administration.clients.create(name="Site", confidential=True, redirect_uris=[WEB])
    refused = await world.begin(made.client.client_id, redirect_uri=WEB, scope="admin")
    assert isinstance(refused, ErrorRedirect)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"code_challenge": None, "code_challenge_method": None}, "invalid_request", id="a16-no-pkce"),
        pytest.param({"code_challenge": None}, "invalid_request", id="a16-no-challenge"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="a18-plain"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="a19-no-method"),
        pytest.param({"code_challenge_method": "s256"}, "invalid_request", id="a19-method-case"),
        pytest.param({"code_challenge": "a" * 42}, "invalid_request", id="a20-short"),
        pytest.param({"code_challenge": "a" * 129}, "invalid_request", id="a20-long"),
        pytest.param({"code_challenge": "a" * 42 + "+"}, "invalid_request", id="a20-characters"),
        pytest.param({"code_challenge": "a" * 43 + "\n"}, "invalid_request", id="a20-newline"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="a21-token"),
        pytest.param({"response_type": "id_token"}, "unsupported_response_type", id="a21-id-token"),
        pytest.param({"response_type": "code token"}, "unsupported_response_type", id="a21-hybrid"),
        pytest.param({"response_type": "none"}, "unsupported_response_type", id="a21-none"),
        pytest.param({"response_type": 'code"é'}, "unsupported_response_type", id="a21-crash-input"),
        pytest.param({"response_type": "\\"}, "unsupported_response_type", id="a21-backslash"),
        pytest.param({"response_type": None}, "invalid_request", id="a21-missing"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="a22-fragment"),
        pytest.param({"response_mode": "form_post"}, "invalid_request", id="a22-form-post"),
        pytest.param({"response_mode": "query.jwt"}, "invalid_request", id="a22-jwt"),
        pytest.param({"state": ["a", "b"]}, "invalid_request", id="a23-state-twice"),
        pytest.param({"scope": ["query", "query"]}, "invalid_request", id="a23-scope-twice"),
        pytest.param({"code_challenge": ["a" * 43, "a" * 43]}, "invalid_request", id="a23-challenge-twice"),
        pytest.param({"request": "e30.e30."}, "request_not_supported", id="a24-request"),
        pytest.param({"request_uri": "https://evil.example/r"}, "request_uri_not_supported", id="a24-request-uri"),
        pytest.param({"resource": "https://evil.example/mcp"}, "invalid_target", id="a25-unknown"),
        pytest.param({"resource": RESOURCE + "#f"}, "invalid_target", id="a26-fragment"),
        pytest.param({"resource": "/mcp"}, "invalid_target", id="a26-relative"),
        pytest.param({"resource": "https://a@mcp.example.com/mcp"}, "invalid_target", id="a26-userinfo"),
        pytest.param({"resource": RESOURCE + "/deeper"}, "invalid_target", id="a25-deeper"),
        pytest.param({"resource": "https://mcp.example.com"}, "invalid_target", id="a26-origin-of-two"),
        pytest.param({"resource": [RESOURCE, OTHER_RESOURCE]}, "invalid_target", id="a27-two"),
        pytest.param({"scope": "admin"}, "invalid_scope", id="a29-none-left"),
        pytest.param({"scope": 'query "x"'}, "invalid_scope", id="a30-quotes"),
        pytest.param({"scope": "query\x00"}, "invalid_scope", id="a30-control"),
        pytest.param({"scope": "query\nschemas:read"}, "invalid_scope", id="a30-newline"),
        pytest.param({"scope": " ".join(f"s{n}" for n in range(2000))}, "invalid_scope", id="a30-too-many"),
        pytest.param({"prompt": "none"}, "login_required", id="a37-not-signed-in"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="a38-contradiction"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="a39-negative"),
        pytest.param({"max_age": "²"}, "invalid_request", id="a39-not-a-digit"),
    ],
)
async def test_refused_by_redirect(world: World, changes: dict[str, Any], expected: str) -> None:
    client_id = await _client_id(world)
    outcome = await world.begin(client_id, **changes)
    assert _error(outcome) == expected
    assert isinstance(outcome, ErrorRedirect)
    state = None if "state" in changes else ["xyz"]
    assert query(outcome.url).get("state") == state
    assert world.sql("SELECT count(*) FROM transactions") == [(0,)]


async def test_a12_a_scheme_that_is_no_longer_allowed_is_refused(world: World) -> None:
    """A client that registered itself before the list of schemes was shortened gets nothing there any more."""
    client_id = await _client_id(world)
    world.deployment = Deployment(ISSUER, (RESOURCE,), frozenset())
    world.__post_init__()
    assert isinstance(await world.begin(client_id, redirect_uri=APP), Refused)
    made = await world.administration.clients.create(name="Desk", confidential=False, redirect_uris=[APP])
    assert isinstance(await world.begin(made.client.client_id, redirect_uri=APP), Continue)


async def test_a17_c05_confidential_clients_need_pkce_too(world: World) -> None:
    made = await world.machine(None, REDIRECT_URI)
    assert _error(await world.begin(made.client.client_id, code_challenge=None)) == "invalid_request"


async def test_client_without_the_grant(world: World) -> None:
    made = await world.machine()
    assert isinstance(await world.begin(made.client.client_id), Refused)


@pytest.mark.parametrize("spelling", [RESOURCE + "/", "HTTPS://MCP.EXAMPLE.COM/mcp", "https://mcp.example.com:443/mcp"])
async def test_a28_spellings_of_the_resource_give_the_canonical_audience(world: World, spelling: str) -> None:
    client_id = await _client_id(world)
    body = await world.tokens(client_id, resource=[spelling, RESOURCE])
    assert (await world.claims(body["access_token"])).audience == RESOURCE


@pytest.mark.parametrize("name", ["https://mcp.example.com/", "https://OLD.example.com/mcp/"])
async def test_a28_other_names_of_the_resource_do_at_every_step(world: World, name: str) -> None:
    """The bare origin of an only resource, and the operator's aliases, in each request of a client that uses them."""
    aliases = {"https://old.example.com/mcp": RESOURCE}
    world.deploy(Deployment(ISSUER, (RESOURCE,), frozenset({"cursor"}), resource_aliases=aliases))
    client_id = await _client_id(world)
    body = await world.tokens(client_id, resource=name)
    refreshed = await world.refresh(client_id, body["refresh_token"], resource=name)
    assert refreshed.body is not None
    assert (await world.claims(refreshed.body["access_token"])).audience == RESOURCE


async def test_resource_left_out_means_the_first(world: World) -> None:
    client_id = await _client_id(world)
    body = await world.tokens(client_id, resource=None)
    assert (await world.claims(body["access_token"])).audience == RESOURCE


@pytest.mark.parametrize(
    ("scope", "granted"),
    [
        ("query admin", "query"),
        ("query schemas:read offline_access openid phone", "schemas:read query offline_access openid"),
        ("openid", "openid"),
        (None, "schemas:read query"),
        ("", "schemas:read query"),
    ],
)
async def test_a29_scope_is_narrowed(world: World, scope: str | None, granted: str) -> None:
    client_id = await _client_id(world)
    assert (await world.tokens(client_id, scope=scope))["scope"] == granted


async def test_a31_long_state_comes_back_verbatim(world: World) -> None:
    client_id = await _client_id(world)
    state = "aé%&=+ \x01\r\n<script>\"'" * 210
    assert len(state) > 4000
    refused = await world.begin(client_id, state=state, scope="admin")
    assert isinstance(refused, ErrorRedirect)
    assert query(refused.url)["state"] == [state]
    assert refused.url.isascii()
    assert refused.url.isprintable()
    assert not set(refused.url) & set(" <>\"'")
    transaction_id = await world.began(client_id, state=state)
    await world.signed_in(transaction_id)
    assert query(await world.decided(transaction_id))["state"] == [state]


@pytest.mark.parametrize("state", ["s" * 65536, "\ud800"])
async def test_a31_absurd_state(world: World, state: str) -> None:
    client_id = await _client_id(world)
    assert isinstance(await world.begin(client_id, state=state), Refused)


async def test_empty_state_is_no_state(world: World) -> None:
    client_id = await _client_id(world)
    refused = await world.begin(client_id, state="", scope="admin")
    assert isinstance(refused, ErrorRedirect)
    assert "state" not in query(refused.url)


async def test_too_many_parameters(world: World) -> None:
    client_id = await _client_id(world)
    assert isinstance(await world.begin(client_id, **{f"p{n}": "x" for n in range(100)}), Refused)


async def test_a35_denial_carries_one_iss_too(world: World) -> None:
    client_id = await _client_id(world)
    transaction_id = await world.began(client_id)
    await world.signed_in(transaction_id)
    denied = query(await world.decided(transaction_id, approve=False))
    assert denied["error"] == ["access_denied"]
    assert denied["iss"] == [ISSUER]
    assert denied["state"] == ["xyz"]
    assert "code" not in denied


async def test_a37_prompt_none_of_a_signed_in_person_asks_for_consent(world: World) -> None:
    client_id = await _client_id(world)
    ok(await world.redeem(client_id, await world.code(client_id)))
    assert _error(await world.begin(client_id, prompt="none")) == "consent_required"


@pytest.mark.parametrize("changes", [{"max_age": "0"}, {"max_age": "60"}, {"prompt": "login"}, {"prompt": "login x"}])
async def test_a39_forced_sign_in(world: World, changes: dict[str, str]) -> None:
    client_id = await _client_id(world)
    await world.code(client_id)
    world.clock.time += 61
    outcome = await world.begin(client_id, **changes)
    assert isinstance(outcome, Continue)
    assert outcome.needs_sign_in
    consent = await world.flows.consent.view(outcome.transaction_id, world.browser_id, world.session_id, ADDRESS)
    assert type(consent).__name__ == "NeedsSignIn"
    await world.signed_in(outcome.transaction_id)
    assert "code=" in await world.decided(outcome.transaction_id)


async def test_max_age_that_is_met(world: World) -> None:
    client_id = await _client_id(world)
    await world.code(client_id)
    world.clock.time += 59
    outcome = await world.begin(client_id, max_age="60")
    assert isinstance(outcome, Continue)
    assert not outcome.needs_sign_in


async def test_a42_session_id_changes_at_sign_in(world: World) -> None:
    client_id = await _client_id(world)
    planted = "ses_planted-by-an-attacker"
    world.session_id = planted
    transaction_id = await world.began(client_id)
    await world.signed_in(transaction_id)
    assert world.session_id != planted
    first = world.session_id
    again = await world.began(client_id, prompt="login")
    await world.signed_in(again)
    ended = await world.flows.consent.view(again, world.browser_id, first, ADDRESS)
    assert type(ended).__name__ == "NeedsSignIn"
