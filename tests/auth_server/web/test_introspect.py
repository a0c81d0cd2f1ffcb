"""`/introspect` over the wire: methods, forms, and the signed answer (RFC 9701)."""

from typing import Any

import httpx2
import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey
from structlog.testing import capture_logs

from auth_server.app import operators
from shared_kernel import access_token
from shared_kernel.access_token import Refusal, TokenRefused
from tests.auth_server.web.site import RESOURCE, Site, quick_passwords
from tests.support.services import claims

pytestmark = pytest.mark.anyio

SIGNED = "application/token-introspection+jwt"
Credentials = tuple[str, str]


@pytest.fixture
async def server(site: Site) -> Credentials:
    """The resource server's credentials."""
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        made = await administration.clients.create_resource_server(name="MCP", resource=RESOURCE)
    return made.client.client_id, str(made.client_secret)


async def _ask(site: Site, who: Credentials, token: str, accept: str = "*/*") -> httpx2.Response:
    return await site.browser.post("/introspect", data={"token": token}, auth=who, headers={"Accept": accept})


async def _token(site: Site) -> str:
    return str((await site.bot_token()).json()["access_token"])


async def test_the_answer_is_json_that_no_cache_keeps(site: Site, server: Credentials) -> None:
    token = await _token(site)
    answer = await _ask(site, server, token)
    assert answer.json() == {"active": True, "token_type": "Bearer", **claims(token)}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert (await _ask(site, server, "nonsense")).json() == {"active": False}


async def test_credentials_may_stand_in_the_body(site: Site, server: Credentials) -> None:
    given = {"token": await _token(site), "client_id": server[0], "client_secret": server[1]}
    assert (await site.browser.post("/introspect", data=given)).json()["active"] is True
    assert (await site.browser.post("/introspect", json=given)).json()["active"] is True


async def _payload(site: Site, answer: httpx2.Response) -> dict[str, Any]:
    """What a signed answer says, once its signature is checked."""
    assert answer.headers["content-type"] == SIGNED
    assert answer.headers["cache-control"] == "no-store"
    keys = {entry["kid"]: entry for entry in (await site.browser.get("/.well-known/jwks.json")).json()["keys"]}
    key = ECKey.import_key(keys[jws.extract_compact(answer.content).headers()["kid"]])
    token = jwt.decode(answer.text, key, algorithms=["ES256"])
    assert token.header["typ"] == "token-introspection+jwt"
    return dict(token.claims)


async def test_the_answer_is_signed_for_the_one_who_asks(site: Site, server: Credentials) -> None:
    token = await _token(site)
    payload = await _payload(site, await _ask(site, server, token, f"application/json;q=0.1, {SIGNED}"))
    plain = (await _ask(site, server, token, f"{SIGNED};q=0, application/json")).json()
    assert payload == {
        "iss": site.issuer,
        "aud": [RESOURCE, server[0]],
        "iat": int(site.clock.now()),
        "token_introspection": plain,
    }
    payload = await _payload(site, await _ask(site, server, "nonsense", SIGNED))
    assert payload["token_introspection"] == {"active": False}


async def test_the_answer_about_one_s_own_token_is_for_the_client(site: Site) -> None:
    bot = (site.seed.bot_id, site.seed.bot_secret)
    assert (await _payload(site, await _ask(site, bot, await _token(site), SIGNED)))["aud"] == site.seed.bot_id


async def test_a_signed_answer_is_no_access_token(site: Site, server: Credentials) -> None:
    """RFC 9701 §8.1: its type, and that it lacks sub and exp, keep it apart."""
    answer = await _ask(site, server, await _token(site), SIGNED)
    (entry, *_) = (await site.browser.get("/.well-known/jwks.json")).json()["keys"]
    keys = {entry["kid"]: ECKey.import_key(entry)}
    with pytest.raises(TokenRefused) as refused:
        access_token.verify(answer.text, keys=keys, issuer=site.issuer, audience=RESOURCE, now=site.clock.now())
    assert refused.value.reason is Refusal.WRONG_TYPE
    assert (await _ask(site, server, answer.text)).json() == {"active": False}


async def test_refusals(site: Site, server: Credentials) -> None:
    assert (await site.browser.get("/introspect")).status_code == 405
    assert (await site.browser.post("/introspect", auth=server)).status_code == 400
    assert (await site.browser.post("/introspect?token=x", auth=server, data={"token": "x"})).status_code == 400
    answer = await site.browser.post("/introspect", data={"token": "x"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    twice = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await site.browser.post("/introspect", content="token=x&token=y", auth=server, headers=twice)
    assert answer.status_code == 400


async def test_no_page_s_script_may_ask(site: Site, server: Credentials) -> None:
    answer = await site.browser.post(
        "/introspect", data={"token": "x"}, auth=server, headers={"Origin": "https://page.example"}
    )
    assert "access-control-allow-origin" not in answer.headers


async def test_a_store_that_is_away_gives_no_answer(site: Site, server: Credentials) -> None:
    token = await _token(site)
    assert (await _ask(site, server, token)).status_code == 200
    with site.broken_store():
        answer = await _ask(site, server, token)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


async def test_a_server_that_asks_again_and_again_is_recorded_once_in_ten_minutes(
    site: Site, server: Credentials
) -> None:
    """Per server and grant: the first question about each, and the first about nothing that is known."""
    first, second = await _token(site), await _token(site)
    with capture_logs() as lines:
        for _ in range(3):
            for token in (first, second, "nonsense", "ac_more.nonsense"):
                await _ask(site, server, token)
        site.clock.time += 599
        await _ask(site, server, first)
        site.clock.time += 1
        await _ask(site, server, first)
    asked = [(line["grant"], line["answer"]) for line in lines if line["event"] == "introspected"]
    handles = [claims(token)["gid"] for token in (first, second)]
    assert asked == [(handles[0], "active"), (handles[1], "active"), (None, "not active"), (None, "not active")]
