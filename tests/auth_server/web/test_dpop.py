"""Proofs of possession over HTTP: what a client sends, and which headers come back."""

from pathlib import Path

import httpx2
import pytest

from shared_kernel.dpop import ALGORITHMS
from tests.auth_server.web.site import Seed, Site, opened
from tests.support.dpop import DpopKey

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


def proof(site: Site, key: DpopKey) -> str:
    """A proof for the token endpoint, by the URL that the metadata has."""
    return key.proof("POST", f"{site.issuer}/token")


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
