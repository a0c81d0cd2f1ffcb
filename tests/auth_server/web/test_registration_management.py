"""`/register/{client_id}` over HTTP."""

from pathlib import Path

import pytest

from tests.auth_server.web.site import Seed, Site, opened
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
