"""DPoP and pushed requests over HTTP: what a client sends, and which headers come back."""

from pathlib import Path

import httpx2
import pytest

from shared_kernel.dpop import ALGORITHMS
from tests.auth_server.web.site import LOOPBACK_URI, Seed, Site, opened, redirect_parameters
from tests.support.dpop import DpopKey
from tests.support.people import Pkce

pytestmark = pytest.mark.anyio


@pytest.fixture
def key(site: Site) -> DpopKey:
    """A client's key."""
    return DpopKey(clock=site.clock)


async def token(site: Site, *proofs: str, **parameters: str) -> httpx2.Response:
    """A token request with these DPoP headers."""
    return await site.browser.post("/token", data=parameters, headers=[("DPoP", proof) for proof in proofs])


async def bot_token(site: Site, *proofs: str) -> httpx2.Response:
    """The automation client's token request."""
    bot = {"client_id": site.seed.bot_id, "client_secret": site.seed.bot_secret}
    return await token(site, *proofs, grant_type="client_credentials", **bot)


def proof(site: Site, key: DpopKey, path: str = "/token") -> str:
    """A proof for an endpoint, by the URL that the metadata has."""
    return key.proof("POST", f"{site.issuer}{path}")


async def test_a_bound_token_over_http(any_site: Site) -> None:
    key = DpopKey(clock=any_site.clock)
    bot = {"client_id": any_site.seed.bot_id, "client_secret": any_site.seed.bot_secret}
    answer = await any_site.browser.post(
        f"{any_site.base}/token",
        data={"grant_type": "client_credentials", **bot},
        headers={"DPoP": proof(any_site, key)},
    )
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")
    assert answer.headers["cache-control"] == "no-store"


async def test_the_metadata_names_what_answers(site: Site) -> None:
    metadata = (await site.browser.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["dpop_signing_alg_values_supported"] == list(ALGORITHMS)
    assert metadata["pushed_authorization_request_endpoint"] == f"{site.issuer}/par"
    assert metadata["require_pushed_authorization_requests"] is False


async def test_i16_two_proofs_are_none(site: Site, key: DpopKey) -> None:
    answer = await bot_token(site, proof(site, key), proof(site, key))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


async def test_every_answer_to_a_proof_brings_a_nonce(site: Site, key: DpopKey) -> None:
    good, bad = await bot_token(site, proof(site, key)), await bot_token(site, "nonsense")
    assert (good.status_code, bad.status_code) == (200, 400)
    assert good.headers["dpop-nonce"] == bad.headers["dpop-nonce"]
    key.nonce, key.clock = good.headers["dpop-nonce"], type(site.clock)(0.0)
    assert (await bot_token(site, proof(site, key))).status_code == 200, "a nonce stands in for a clock that is wrong"
    assert "dpop-nonce" not in (await bot_token(site)).headers


async def test_i16_a_nonce_can_be_required_by_a_setting(seed: Seed, tmp_path: Path) -> None:
    async with opened(seed, tmp_path, dpop_nonce_required=True) as site:
        key = DpopKey(clock=site.clock)
        refused = await bot_token(site, proof(site, key))
        assert (refused.status_code, refused.json()["error"]) == (400, "use_dpop_nonce")
        key.nonce = refused.headers["dpop-nonce"]
        assert (await bot_token(site, proof(site, key))).status_code == 200
        assert (await bot_token(site)).json()["token_type"] == "Bearer"


async def test_a_pushed_request_goes_all_the_way(site: Site, key: DpopKey) -> None:
    pkce = Pkce()
    headers = {"DPoP": proof(site, key, "/par")}
    pushed = await site.browser.post("/par", data=site.query(pkce), headers=headers)
    assert pushed.status_code == 201
    assert pushed.headers["cache-control"] == "no-store"
    assert pushed.headers["dpop-nonce"]
    assert pushed.json().keys() == {"request_uri", "expires_in"}
    link = {"client_id": site.seed.app_id, "request_uri": pushed.json()["request_uri"]}
    page = await site.follow(await site.browser.get("/authorize", params=link))
    done = await site.submit(await site.sign_in(page), decision="approve")
    answer = await token(
        site,
        proof(site, key),
        grant_type="authorization_code",
        client_id=site.seed.app_id,
        code=redirect_parameters(done)["code"],
        redirect_uri=LOOPBACK_URI,
        code_verifier=pkce.verifier,
    )
    assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")


async def test_a_pushed_request_as_json_and_its_refusals(site: Site) -> None:
    query = site.query(Pkce())
    assert (await site.browser.post("/par", json=query)).status_code == 201
    for refused in (
        await site.browser.post("/par", params=query),
        await site.browser.post("/par", data=query | {"redirect_uri": "https://evil.example/"}),
        await site.browser.post("/par", data=query | {"request_uri": "urn:ietf:params:oauth:request_uri:x"}),
    ):
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    assert (await site.browser.post("/par", content="x" * 20_000)).status_code in {400, 413}
    assert (await site.browser.get("/par")).status_code == 405


async def test_a40_i15_a_look_ahead_uses_up_no_pushed_request(site: Site) -> None:
    pushed = (await site.browser.post("/par", data=site.query(Pkce()))).json()
    link = {"client_id": site.seed.app_id, "request_uri": pushed["request_uri"]}
    for headers in ({"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}):
        assert (await site.browser.get("/authorize", params=link, headers=headers)).status_code == 403
    assert (await site.browser.head("/authorize", params=link)).status_code == 200
    assert (await site.browser.options("/authorize", params=link)).status_code in {204, 405}
    assert (await site.browser.get("/authorize", params=link)).status_code == 303


async def test_i15_a_used_link_leads_its_browser_on_and_tells_others(site: Site) -> None:
    pushed = (await site.browser.post("/par", data=site.query(Pkce()))).json()
    link = {"client_id": site.seed.app_id, "request_uri": pushed["request_uri"]}
    first = await site.browser.get("/authorize", params=link)
    again = await site.browser.get("/authorize", params=link)
    assert first.headers["location"].split("?")[1] == again.headers["location"].split("?")[1]
    assert (await site.follow(again)).status_code == 303, "consent sends on to sign in"
    async with site.another_browser() as other:
        told = await other.browser.get("/authorize", params=link)
    assert told.status_code == 400
    assert "This link has been used" in told.text
    expired = await site.browser.get("/authorize", params=link | {"request_uri": f"{pushed['request_uri'][:-1]}_"})
    assert "This link has expired" in expired.text


async def test_pushing_can_be_required_by_a_setting(seed: Seed, tmp_path: Path) -> None:
    async with opened(seed, tmp_path, par_required=True) as site:
        metadata = (await site.browser.get("/.well-known/oauth-authorization-server")).json()
        assert metadata["require_pushed_authorization_requests"] is True
        refused = redirect_parameters(await site.authorize())
        assert refused["error"] == "invalid_request"
        pushed = (await site.browser.post("/par", data=site.query(Pkce()))).json()
        link = {"client_id": site.seed.app_id, "request_uri": pushed["request_uri"]}
        assert (await site.browser.get("/authorize", params=link)).status_code == 303
