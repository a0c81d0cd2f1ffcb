"""`/oauth/client-info`: to everybody what consent would show, to the client itself the rest."""

from typing import Any

import httpx2
import pytest

from tests.auth_server.web.site import CURSOR_URI, WEB_URI, Site

pytestmark = pytest.mark.anyio

PATH = "/oauth/client-info"
SHOWN = {"client_id", "client_name", "registration", "verified", "client_host", "redirect_hosts"}


async def info(site: Site, **query: str) -> httpx2.Response:
    return await site.browser.get(PATH, params=query)


async def test_anyone_learns_what_consent_would_show(site: Site) -> None:
    answer = await info(site, client_id=site.seed.app_id)
    assert answer.status_code == 200
    assert answer.json() == {
        "client_id": site.seed.app_id,
        "client_name": "Claude Code",
        "registration": "operator",
        "verified": True,
        "client_host": None,
        "redirect_hosts": ["127.0.0.1", "client.example.com", "cursor://anysphere.cursor-mcp"],
    }
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_client_that_registered_itself_is_not_verified(site: Site) -> None:
    registered = await site.browser.post("/register", json={"client_name": "Probe", "redirect_uris": [WEB_URI]})
    answer = (await info(site, client_id=registered.json()["client_id"])).json()
    assert (answer["registration"], answer["verified"], answer["client_name"]) == ("dynamic", False, "Probe")


async def test_programs_that_nobody_signs_in_to_are_unknown_to_strangers(site: Site) -> None:
    """As is everything else that has no registration: the two cannot be told apart."""
    bot, nobody = await info(site, client_id=site.seed.bot_id), await info(site, client_id="client_nobody")
    assert bot.status_code == nobody.status_code == 404
    told = [answer.json() | {"request_id": ""} for answer in (bot, nobody)]
    assert told[0] == told[1]
    assert (await info(site, client_id="https://app.example/client.json")).status_code == 404


async def test_a_client_learns_all_about_itself(site: Site) -> None:
    answer = await site.browser.get(PATH, auth=(site.seed.bot_id, site.seed.bot_secret))
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == SHOWN | {
        "client_id_issued_at",
        "workspace",
        "scope",
        "grant_types",
        "redirect_uris",
        "dpop_bound_access_tokens",
        "require_pushed_authorization_requests",
        "secrets",
    }
    assert (told["client_id"], told["scope"]) == (site.seed.bot_id, "schemas:read query")
    assert (told["grant_types"], told["workspace"]) == (["client_credentials"], "default")
    assert [secret["expires_at"] for secret in told["secrets"]] == [None]
    assert site.seed.bot_secret not in answer.text
    form = {"client_id": site.seed.bot_id, "client_secret": site.seed.bot_secret}
    assert (await site.browser.post(PATH, data=form)).json() == told


async def test_a_public_client_has_proved_nothing_and_learns_what_anyone_does(site: Site) -> None:
    answer = await site.browser.post(PATH, data={"client_id": site.seed.app_id})
    assert set(answer.json()) == SHOWN
    assert CURSOR_URI not in answer.text


@pytest.mark.parametrize(
    ("request_arguments", "status", "error"),
    [
        ({"auth": ("client_nobody", "cs_wrong")}, 401, "invalid_client"),
        ({"params": {}}, 400, "invalid_request"),
        ({"params": {"client_id": ""}}, 400, "invalid_request"),
        ({"params": [("client_id", "a"), ("client_id", "b")]}, 400, "invalid_request"),
        ({"params": {"client_id": "a", "client_secret": "cs_b"}}, 400, "invalid_request"),
        ({"params": {"client_id": "a"}, "auth": ("a", "b")}, 400, "invalid_request"),
    ],
)
async def test_what_cannot_be_answered(site: Site, request_arguments: dict[str, Any], status: int, error: str) -> None:
    answer = await site.browser.get(PATH, **request_arguments)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_strangers_cannot_try_ids_without_end(site: Site) -> None:
    answers = [(await info(site, client_id=f"client_{number}")).status_code for number in range(121)]
    assert answers == [404] * 120 + [429]
