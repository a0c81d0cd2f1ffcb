"""While the store is away: automation goes on for as long as a setting says, nothing else happens, nothing is lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from joserfc.jwk import ECKey

from auth_server.app import operators
from shared_kernel import access_token
from tests.auth_server.web.site import (
    LOOPBACK_URI,
    RESOURCE,
    Seed,
    Site,
    opened,
    quick_passwords,
    redirect_parameters,
)
from tests.support.people import Pkce

pytestmark = pytest.mark.anyio

OUTAGE = 120.0


@pytest.fixture
async def site(seed: Seed, tmp_path: Path) -> AsyncIterator[Site]:
    """The service, told to answer for two minutes without its store."""
    async with opened(seed, tmp_path, outage_seconds=OUTAGE) as running:
        yield running


def assert_unavailable(answer: httpx2.Response) -> None:
    """503, and when to try again."""
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_client_of_before_is_answered_until_the_time_is_over(site: Site) -> None:
    assert (await site.bot_token()).status_code == 200
    with site.broken_store():
        site.clock.time += OUTAGE - 1
        assert (await site.bot_token()).status_code == 200
        site.clock.time += 2
        assert_unavailable(await site.bot_token())
    assert (await site.bot_token()).status_code == 200


async def test_the_time_counts_from_the_last_reading(site: Site) -> None:
    """However long the service has run: what was read too long before the store went is not trusted."""
    assert (await site.bot_token()).status_code == 200
    site.clock.time += OUTAGE - 1
    assert (await site.bot_token()).status_code == 200
    with site.broken_store():
        site.clock.time += OUTAGE - 1
        assert (await site.bot_token()).status_code == 200


async def test_a_client_nobody_has_read_is_not_known(site: Site) -> None:
    with site.broken_store():
        assert_unavailable(await site.bot_token())


async def test_without_that_time_nothing_is_answered(seed: Seed, tmp_path: Path) -> None:
    async with opened(seed, tmp_path, outage_seconds=0) as site:
        assert (await site.bot_token()).status_code == 200
        with site.broken_store():
            site.clock.time += 1
            assert_unavailable(await site.bot_token())


async def test_tokens_of_an_outage_are_like_all_others(site: Site) -> None:
    """Signed with a published key, for one resource, for as long."""
    before = (await site.bot_token()).json()
    with site.broken_store():
        site.clock.time += 60
        during = (await site.bot_token()).json()
        published = (await site.browser.get("/.well-known/jwks.json")).json()
    assert during["access_token"] != before["access_token"]
    assert during | {"access_token": ""} == before | {"access_token": ""}
    keys = {key["kid"]: ECKey.import_key(key) for key in published["keys"] if key["alg"] == "ES256"}
    now = site.clock.now()
    token = access_token.verify(during["access_token"], keys=keys, issuer=site.issuer, audience=RESOURCE, now=now)
    assert token.client_id == site.seed.bot_id


async def test_a_wrong_secret_gets_nowhere(site: Site) -> None:
    """It cannot be counted, so it is not judged either."""
    assert (await site.bot_token()).status_code == 200
    with site.broken_store():
        sent = {"grant_type": "client_credentials"}
        assert_unavailable(await site.browser.post("/token", data=sent, auth=(site.seed.bot_id, "wrong")))


async def test_people_wait_and_lose_nothing(site: Site) -> None:
    """E14: what stands in the store is neither used up nor guessed at."""
    pkce = Pkce()
    page = await site.consent_page(pkce)
    code = redirect_parameters(await site.submit(page, decision="approve"))["code"]
    redemption = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": LOOPBACK_URI,
        "client_id": site.seed.app_id,
        "code_verifier": pkce.verifier,
    }
    with site.broken_store():
        assert_unavailable(await site.token(**redemption))
        assert (await site.authorize()).status_code == 503
    tokens = (await site.token(**redemption)).json()
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": tokens["refresh_token"],
        "client_id": site.seed.app_id,
    }
    with site.broken_store():
        assert_unavailable(await site.token(**refresh))
    assert (await site.token(**refresh)).status_code == 200


async def test_a_client_that_is_deleted_meanwhile_stays_out(site: Site) -> None:
    """Of an outage that one process alone suffers, the end is seen at once."""
    assert (await site.bot_token()).status_code == 200
    with site.broken_store():
        assert (await site.bot_token()).status_code == 200
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        await administration.clients.delete(site.seed.bot_id)
    site.clock.time += 1  # the store is not asked again within the second
    assert (await site.bot_token()).status_code == 401
