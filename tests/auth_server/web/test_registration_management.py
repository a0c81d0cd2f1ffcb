"""`/register/{client_id}` over HTTP."""

from pathlib import Path

import anyio
import pytest

from auth_server.app import operators
from tests.auth_server.web.site import WEB_URI, Seed, Site, opened, quick_passwords
from tests.support.client_keys import ClientKey

pytestmark = pytest.mark.anyio


async def test_a_client_manages_its_registration(any_site: Site) -> None:
    metadata = {
        "redirect_uris": ["https://client.example.com/callback"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [ClientKey().jwk()]},
    }
    browser = any_site.browser
    made = await browser.post(f"{any_site.base}/register", json=metadata)
    assert made.status_code == 201
    place, token = made.json()["registration_client_uri"], made.json()["registration_access_token"]
    read = await browser.get(place, headers={"Authorization": f"Bearer {token}"})
    assert (read.status_code, read.headers["cache-control"]) == (200, "no-store")
    assert read.json() == made.json()
    changed = await browser.put(
        place, json={**metadata, "client_id": made.json()["client_id"]}, headers={"Authorization": f"bearer {token}"}
    )
    assert changed.status_code == 200
    for headers in ({}, {"Authorization": f"Bearer {token}"}, {"Authorization": f"Basic {token}"}):
        refused = await browser.get(place, headers=headers)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
        assert refused.headers["www-authenticate"].startswith("Bearer ")
    now = {"Authorization": f"Bearer {changed.json()['registration_access_token']}"}
    gone = await browser.delete(place, headers=now)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await browser.get(place, headers=now)).status_code == 401
    assert (await browser.post(place, headers=now)).status_code == 405


async def test_registration_that_is_off_is_not_in_the_metadata(seed: Seed, tmp_path: Path) -> None:
    async with opened(seed, tmp_path / "site", registration="off") as site:
        metadata = (await site.browser.get("/.well-known/oauth-authorization-server")).json()
        assert "registration_endpoint" not in metadata
        refused = await site.browser.post("/register", json={"redirect_uris": ["http://localhost/callback"]})
        assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
        assert "ask the operator" in refused.json()["error_description"]


async def _initial_token(site: Site) -> str:
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        return (await administration.initial_tokens.create(uses=1, days=1, label="")).secret


async def test_h16_a_client_registers_with_a_token_of_the_operators(seed: Seed, tmp_path: Path) -> None:
    metadata = {"redirect_uris": [WEB_URI]}
    async with opened(seed, tmp_path / "site", registration="token") as site:
        published = (await site.browser.get("/.well-known/oauth-authorization-server")).json()
        assert published["registration_endpoint"] == f"{site.issuer}/register"
        for scheme in (None, "Basic", "DPoP"):
            headers = {"Authorization": f"{scheme} x"} if scheme else {}
            missing = await site.browser.post("/register", json=metadata, headers=headers)
            assert (missing.status_code, missing.json()["error"]) == (401, "invalid_token")
            # RFC 6750 §3.1: who has not authenticated is told no error.
            assert missing.headers["www-authenticate"] == 'Bearer realm="authorization server"'
        authorization = {"Authorization": f"Bearer {await _initial_token(site)}"}
        made = await site.browser.post("/register", json=metadata, headers=authorization)
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        assert made.json()["client_secret"].startswith("cs_")
        used = await site.browser.post("/register", json=metadata, headers=authorization)
        assert (used.status_code, used.json()["error"]) == (401, "invalid_token")
        assert used.headers["www-authenticate"] == 'Bearer realm="authorization server", error="invalid_token"'


async def test_h16_of_forty_requests_with_a_token_for_one_registration_one_succeeds(seed: Seed, tmp_path: Path) -> None:
    async with opened(seed, tmp_path / "site", registration="token") as site:
        authorization, statuses = {"Authorization": f"Bearer {await _initial_token(site)}"}, list[int]()

        async def register() -> None:
            answer = await site.browser.post("/register", json={"redirect_uris": [WEB_URI]}, headers=authorization)
            statuses.append(answer.status_code)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for _ in range(40):
                    group.start_soon(register)
        assert statuses.count(201) == 1
        assert set(statuses) <= {201, 401, 429}


async def test_scripts_of_any_site_manage_a_registration(any_site: Site) -> None:
    place = f"{any_site.base}/register/dcr_x"
    preflight = await any_site.browser.options(place)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-methods"] == "GET, PUT, DELETE"
    assert preflight.headers["access-control-allow-origin"] == "*"
    refused = await any_site.browser.get(place)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")
    for other in ("/register/", "/register/dcr_x/y", "/authorize/acme", "/registers/dcr_x"):
        answer = await any_site.browser.options(f"{any_site.base}{other}")
        assert "access-control-allow-origin" not in answer.headers
