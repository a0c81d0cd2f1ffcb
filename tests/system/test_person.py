"""A person's MCP client, knowing nothing but a URL: discovery, registration, browser, SQL, refresh, revocation."""

import http.cookiejar
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
import pytest

from tests.support import demo_data, people
from tests.support.browser import Browser
from tests.support.callback import listening
from tests.support.leaks import leaks
from tests.support.mcp_wire import ERAS, Era, Wire
from tests.support.official_client import Storage, connected, sign_in_provider
from tests.support.services import AuthServer, McpServer, claims

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

JOIN = """
    select n_name, count(*) as orders, sum(o_totalprice) as total
    from orders join customer on o_custkey = c_custkey join nation on c_nationkey = n_nationkey
    where o_orderdate >= date '1997-01-01'
    group by n_name order by n_name
"""


@pytest.mark.parametrize("era", ERAS)
async def test_the_official_client_goes_from_discovery_to_revocation(
    era: Era, auth_server: AuthServer, mcp_server: McpServer, browser: Browser, tpch_files: Path
) -> None:
    storage = Storage()
    with listening() as callback, anyio.fail_after(120):
        provider = sign_in_provider(mcp_server.resource, storage, browser, callback)
        async with connected(mcp_server.resource, provider, era) as client:
            tools = await client.list_tools()
            assert [tool.name for tool in tools.tools] == [
                "list_schemas",
                "list_tables",
                "describe_table",
                "run_sql",
                "explain_sql",
                "usage",
            ]
            answer = await client.call_tool("run_sql", {"sql": JOIN})
            assert not answer.is_error
            assert answer.structured_content is not None
            with demo_data.oracle(tpch_files) as oracle:
                expected = [[name, count, str(total)] for name, count, total in oracle.execute(JOIN).fetchall()]
            assert len(expected) == 25
            assert answer.structured_content["rows"] == expected

            first = storage.tokens
            assert first is not None
            provider.context.token_expiry_time = 1.0  # as if its 600 seconds had passed
            assert not (await client.call_tool("list_schemas", {})).is_error
            second = storage.tokens
            assert second is not None
            assert second.access_token != first.access_token
            assert second.refresh_token != first.refresh_token

        assert len(storage.authorize_urls) == 1
        asked = parse_qs(urlsplit(storage.authorize_urls[0]).query)
        assert asked["resource"] == [mcp_server.resource]
        assert asked["code_challenge_method"] == ["S256"]
        assert claims(second.access_token)["aud"] == mcp_server.resource
        assert storage.client is not None
        client_id = storage.client.client_id

    async with httpx2.AsyncClient(timeout=30) as http:
        form = {"token": second.refresh_token, "client_id": client_id}
        assert (await http.post(f"{auth_server.issuer}/revoke", data=form)).status_code == 200
        form = {"grant_type": "refresh_token", "refresh_token": second.refresh_token, "client_id": client_id}
        refused = await http.post(f"{auth_server.issuer}/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")

    given = [first.access_token, second.access_token, first.refresh_token or "", second.refresh_token or ""]
    assert leaks([*given, *storage.codes, *asked["state"]], [auth_server.log, mcp_server.log]) == []


class NoSecureOverHttp(http.cookiejar.DefaultCookiePolicy):
    """Does not even keep a Secure cookie that came over http."""

    def set_ok(self, cookie: http.cookiejar.Cookie, request: urllib.request.Request) -> bool:
        """Whether to keep a cookie."""
        return (not cookie.secure or request.type == "https") and super().set_ok(cookie, request)


def test_a_client_whose_jar_drops_secure_cookies_over_http_signs_in(
    auth_server: AuthServer, mcp_server: McpServer
) -> None:
    """The issuer is http on loopback, so sign-in must not depend on a Secure cookie."""
    redirect_uri = "http://127.0.0.1:33418/callback"
    client = auth_server.create_client("--public", "--name", "Plain client", "--redirect-uri", redirect_uri)
    pkce = people.Pkce()
    url = people.authorize_url(
        auth_server.issuer, client.id, redirect_uri, pkce, resource=mcp_server.resource, scope="query"
    )
    jar = http.cookiejar.CookieJar(NoSecureOverHttp())
    callback = people.allow(url, cookies=jar)
    assert len(jar) > 0
    assert callback["state"] == "st-1"
    assert callback["iss"] == auth_server.issuer
    form = {
        "grant_type": "authorization_code",
        "code": callback["code"],
        "redirect_uri": redirect_uri,
        "code_verifier": pkce.verifier,
        "client_id": client.id,
    }
    tokens = httpx2.post(f"{auth_server.issuer}/token", data=form)
    assert tokens.status_code == 200, tokens.text
    rows = Wire(mcp_server.resource, tokens.json()["access_token"]).rows("select count(*) as n from nation")
    assert rows == [[25]]


def test_a_browser_without_cookies_is_told_so_instead_of_going_round_in_circles(auth_server: AuthServer) -> None:
    """The transaction belongs to the browser that began it: without its cookie nothing can be signed or allowed."""
    redirect_uri = "http://127.0.0.1:33418/callback"
    client = auth_server.create_client("--public", "--name", "No cookies", "--redirect-uri", redirect_uri)
    url = people.authorize_url(
        auth_server.issuer, client.id, redirect_uri, people.Pkce(), resource=auth_server.resource, scope="query"
    )
    with httpx2.Client(timeout=30) as browser:
        start = browser.get(url)
    with httpx2.Client(timeout=30) as another:
        page = another.get(httpx2.URL(url).join(start.headers["location"]))
    assert page.status_code == 400
    assert "<form" not in page.text
