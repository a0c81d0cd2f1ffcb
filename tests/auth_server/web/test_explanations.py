"""What a support engineer reads about a failure: what happened, and who has to change what."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from auth_server.cli.audit import story_lines
from tests.auth_server.web.site import LOOPBACK_URI, Seed, Site, redirect_parameters
from tests.auth_server.web.test_audit import after, redeemed, reference
from tests.support.dpop import DpopKey
from tests.support.people import Pkce

pytestmark = pytest.mark.anyio

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"

Failure = Callable[[Site], Awaitable[str]]
"""Fails; gives the id that the caller was told."""


def told(answer: httpx2.Response) -> str:
    """The id in a JSON error, which is one."""
    assert answer.status_code >= 400, answer.text
    return str(answer.json()["request_id"])


def redirected(answer: httpx2.Response) -> str:
    """The id in an error redirect."""
    return redirect_parameters(answer)["error_description"].rpartition("(reference ")[2].rstrip(")")


async def code_of(site: Site, pkce: Pkce, **changed: str) -> str:
    page = await site.consent_page(pkce, **changed)
    return redirect_parameters(await site.submit(page, decision="approve"))["code"]


async def wrong_redirect_uri(site: Site) -> str:
    return reference(await site.authorize(redirect_uri="http://127.0.0.1:1234/elsewhere"))


async def expired_code(site: Site) -> str:
    pkce = Pkce()
    code = await code_of(site, pkce)
    site.clock.time += 75
    return told(await redeemed(site, code, pkce))


async def wrong_verifier(site: Site) -> str:
    pkce = Pkce()
    return told(await redeemed(site, await code_of(site, pkce), pkce, code_verifier="w" * 43))


async def code_with_another_redirect_uri(site: Site) -> str:
    pkce = Pkce()
    return told(await redeemed(site, await code_of(site, pkce), pkce, redirect_uri=f"{LOOPBACK_URI}/"))


async def code_twice(site: Site) -> str:
    pkce = Pkce()
    code = await code_of(site, pkce)
    await redeemed(site, code, pkce)
    return told(await redeemed(site, code, pkce))


async def wrong_secret(site: Site) -> str:
    return told(
        await site.token(grant_type="client_credentials", client_id=site.seed.bot_id, client_secret="cs_of-yesterday")
    )


async def client_that_is_gone(site: Site) -> str:
    return reference(await site.authorize(client_id="dcr_of-a-store-that-was-reset"))


async def clock_that_is_slow(site: Site) -> str:
    proof = DpopKey().proof("POST", f"{site.settings.issuer}/token", iat=int(site.clock.now()) - 4000)
    sent = {"grant_type": "client_credentials"}
    auth = (site.seed.bot_id, site.seed.bot_secret)
    return told(await site.browser.post("/token", data=sent, auth=auth, headers={"DPoP": proof}))


async def proof_twice(site: Site) -> str:
    proof = DpopKey().proof("POST", f"{site.settings.issuer}/token", iat=int(site.clock.now()))
    sent, auth = {"grant_type": "client_credentials"}, (site.seed.bot_id, site.seed.bot_secret)
    first, again = [await site.browser.post("/token", data=sent, auth=auth, headers={"DPoP": proof}) for _ in range(2)]
    assert first.status_code == 200, first.text
    return told(again)


async def wrong_resource(site: Site) -> str:
    return redirected(await site.authorize(resource="https://elsewhere.example/mcp"))


async def wrong_scope(site: Site) -> str:
    return redirected(await site.authorize(scope="admin"))


async def without_pkce(site: Site) -> str:
    return redirected(await site.authorize(code_challenge_method="plain"))


async def consent_denied(site: Site) -> str:
    return redirected(await site.submit(await site.consent_page(), decision="deny"))


async def old_page(site: Site) -> str:
    page = await site.consent_page()
    site.clock.time += 601
    return reference(await site.submit(page, decision="approve"))


async def refresh_reused(site: Site) -> str:
    pkce = Pkce()
    tokens = (await redeemed(site, await code_of(site, pkce, scope="query offline_access"), pkce)).json()
    refresh = {"grant_type": "refresh_token", "client_id": site.seed.app_id}
    newer = (await site.token(**refresh, refresh_token=tokens["refresh_token"])).json()
    await site.token(**refresh, refresh_token=newer["refresh_token"])
    return told(await site.token(**refresh, refresh_token=tokens["refresh_token"]))


async def device_expired(site: Site) -> str:
    device = {"grant_types": [DEVICE, "authorization_code"], "redirect_uris": [LOOPBACK_URI]}
    client_id = (await site.browser.post("/register", json=device)).json()["client_id"]
    codes = (await site.browser.post("/device_authorization", data={"client_id": client_id})).json()
    site.clock.time += codes["expires_in"] + 1
    return told(await site.token(grant_type=DEVICE, client_id=client_id, device_code=codes["device_code"]))


async def refresh_after_months(site: Site) -> str:
    pkce = Pkce()
    tokens = (await redeemed(site, await code_of(site, pkce, scope="query offline_access"), pkce)).json()
    site.clock.time += 31 * 86400
    refresh = {"grant_type": "refresh_token", "client_id": site.seed.app_id}
    return told(await site.token(**refresh, refresh_token=tokens["refresh_token"]))


async def too_many(site: Site) -> str:
    wrong = {"grant_type": "client_credentials", "client_id": site.seed.bot_id, "client_secret": "wrong"}
    answer = await site.token(**wrong)
    while answer.status_code != 429:
        answer = await site.token(**wrong)
    return told(answer)


async def store_away(site: Site) -> str:
    with site.broken_store():
        return told(await redeemed(site, "ac_x.y", Pkce()))


async def grant_that_is_not_served(site: Site) -> str:
    return told(await site.token(grant_type="password", client_id=site.seed.app_id))


FAILURES: dict[str, tuple[Failure, tuple[str, ...]]] = {
    "a redirect URI that is not registered": (
        wrong_redirect_uri,
        ("not registered for the client, to the byte", "the maker of the client", "Register the URI that it uses"),
    ),
    "a code that has expired": (
        expired_code,
        ("older than 60 seconds", "Redeem the code at once", "It came 75 seconds after the code, which lives 60"),
    ),
    "a wrong verifier": (wrong_verifier, ("code_verifier does not fit", "Keep the verifier with the state")),
    "a code with another redirect URI": (
        code_with_another_redirect_uri,
        ("another redirect_uri than the authorization request", "with the same redirect_uri"),
    ),
    "a code that comes twice": (code_twice, ("ALARM", "The code had been used", "Redeem a code once", "runbook")),
    "a wrong secret": (wrong_secret, ("secret or method of authentication is wrong", "rotate the secret")),
    "a client that a store lost": (client_that_is_gone, ("id is unknown", "add it again, so that it registers anew")),
    "a clock that is slow": (
        clock_that_is_slow,
        ("not within 60 seconds of now", "invalid_dpop_proof: The iat", "the time of now"),
    ),
    "a proof that comes twice": (proof_twice, ("ALARM", "same proof", "a new jti, for each request")),
    "a resource that is not served": (wrong_resource, ("resource is none", "the MCP server's own metadata")),
    "a scope that is unknown": (wrong_scope, ("A scope is unknown", "scopes_supported")),
    "a request without PKCE": (without_pkce, ("no S256 code challenge", "code_challenge_method=S256")),
    "a person who denies": (consent_denied, ("The person denied it", "told access_denied")),
    "a page that is old": (old_page, ("older than ten minutes", "the person", "Start again from the client")),
    "a refresh token that comes twice": (
        refresh_reused,
        ("ALARM", "had been replaced before", "Store the new refresh token before using it"),
    ),
    "a device whose code nobody entered": (
        device_expired,
        ("Nobody entered the code in time", "Start again on the device"),
    ),
    "a refresh token that nobody used": (
        refresh_after_months,
        ("unused for 30 days", "Have the person connect again on invalid_grant"),
    ),
    "too many requests": (too_many, ("too many requests", "Retry-After", "AUTH_TRUSTED_PROXIES")),
    "a store that is away": (store_away, ("The store did not answer", "the operator", "store_away")),
    "a grant type that is not served": (grant_that_is_not_served, ("not served", "grant_types_supported")),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_an_explanation_says_what_happened_and_who_must_change_what(
    seed: Seed, tmp_path: Path, failure: str
) -> None:
    fail, words = FAILURES[failure]
    past, identifier = await after(seed, tmp_path, fail)
    text = "\n".join(story_lines(await past.explained(identifier)))
    for part in words:
        assert part in text, text
