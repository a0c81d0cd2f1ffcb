"""Each step of a client's way is logged with who did it, for which client, under which grant, from where."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from auth_server.domain.grant import REPLAY_WINDOW
from tests.auth_server.web.site import EMAIL, LOOPBACK_URI, WEB_URI, Site, redirect_parameters
from tests.support.people import Pkce, sign_out_form

pytestmark = pytest.mark.anyio

ADDRESS = "203.0.113.7"
Line = MutableMapping[str, Any]


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """What is logged while the test runs."""
    with capture_logs() as captured:
        yield captured


def _of(lines: list[Line], event: str) -> list[Line]:
    return [line for line in lines if line["event"] == event]


async def _code(site: Site, pkce: Pkce) -> str:
    consent = await site.consent_page(pkce, scope="query offline_access")
    return redirect_parameters(await site.submit(consent, decision="approve"))["code"]


async def _redeemed(site: Site, code: str, pkce: Pkce) -> Any:
    given = {"client_id": site.seed.app_id, "redirect_uri": LOOPBACK_URI, "code_verifier": pkce.verifier, "code": code}
    return await site.token(grant_type="authorization_code", **given)


async def _refreshed(site: Site, refresh_token: str) -> Any:
    return await site.token(grant_type="refresh_token", client_id=site.seed.app_id, refresh_token=refresh_token)


async def test_from_sign_in_to_revocation(site: Site, lines: list[Line]) -> None:
    """One grant and one person run through all of it."""
    pkce = Pkce()
    first = (await _redeemed(site, await _code(site, pkce), pkce)).json()
    second = (await _refreshed(site, first["refresh_token"])).json()
    assert (await _refreshed(site, first["refresh_token"])).json() == second
    revoked = {"client_id": site.seed.app_id, "token": second["refresh_token"]}
    assert (await site.browser.post("/revoke", data=revoked)).status_code == 200

    (signed_in,), (given,) = _of(lines, "signed_in"), _of(lines, "consent_given")
    person, grant = signed_in["user_id"], given["grant"]
    assert person
    assert grant
    for event in ("signed_in", "consent_given", "tokens_issued", "tokens_replayed", "grant_revoked"):
        for line in _of(lines, event):
            assert (line["client_id"], line["address"], line["log_level"]) == (site.seed.app_id, ADDRESS, "info"), line
    for event, times in (("tokens_issued", 2), ("tokens_replayed", 1)):
        found = _of(lines, event)
        assert len(found) == times
        assert {(line["user_id"], line["grant"]) for line in found} == {(person, grant)}
    assert [line["grant_type"] for line in _of(lines, "tokens_issued")] == ["authorization_code", "refresh_token"]
    assert given["user_id"] == person
    assert [(line["user_id"], line["grant"]) for line in _of(lines, "grant_revoked")] == [(person, grant)]
    written = repr(lines)
    for tokens in (first, second):
        assert tokens["access_token"] not in written
        assert tokens["refresh_token"] not in written


@pytest.mark.parametrize("what", ["code", "refresh token"])
async def test_what_was_stolen_is_an_alarm(site: Site, lines: list[Line], what: str) -> None:
    """With the person and the grant, which is over."""
    pkce = Pkce()
    code = await _code(site, pkce)
    tokens = (await _redeemed(site, code, pkce)).json()
    if what == "code":
        answer = await _redeemed(site, code, pkce)
    else:
        await _refreshed(site, tokens["refresh_token"])
        site.clock.time += REPLAY_WINDOW + 1
        answer = await _refreshed(site, tokens["refresh_token"])
    assert answer.json()["error"] == "invalid_grant"
    (given,), (refused,) = _of(lines, "consent_given"), _of(lines, "refused")
    assert (refused["log_level"], refused["alarm"]) == ("error", True)
    for name in ("user_id", "client_id", "grant", "address"):
        assert refused[name] == given[name], name
    assert given["address"] == ADDRESS


async def test_a_denial_and_a_sign_out(site: Site, lines: list[Line]) -> None:
    await site.submit(await site.consent_page(), decision="deny")
    form = sign_out_form(await site.browser.get("/"))
    await site.browser.post(form.action, data=form.fields, headers=dict(site.same_origin))
    (signed_in,), (denied,), (out,) = (_of(lines, event) for event in ("signed_in", "consent_denied", "signed_out"))
    assert (denied["user_id"], denied["client_id"], denied["address"]) == (
        signed_in["user_id"],
        site.seed.app_id,
        ADDRESS,
    )
    assert (out["user_id"], out["address"]) == (signed_in["user_id"], ADDRESS)


async def test_a_failed_sign_in_names_the_person_only_if_there_is_one(site: Site, lines: list[Line]) -> None:
    page = await site.sign_in_page()
    await site.submit(page, email=EMAIL, password="wrong")
    await site.submit(page, email="nobody@example.com", password="wrong")
    known, unknown = _of(lines, "sign_in_failed")
    assert known["user_id"]
    assert unknown["user_id"] is None
    for line in (known, unknown):
        assert (line["client_id"], line["address"]) == (site.seed.app_id, ADDRESS)
    assert "nobody@example.com" not in repr(lines)


async def test_a_registration_counts_once(site: Site, lines: list[Line]) -> None:
    metadata = {"client_name": "Probe", "redirect_uris": [WEB_URI]}
    made = [(await site.browser.post("/register", json=metadata)).json()["client_id"] for _ in range(2)]
    assert [(line["client_id"], line["address"]) for line in _of(lines, "client_registered")] == [(made[0], ADDRESS)]


async def test_an_error_for_the_client_names_it(site: Site, lines: list[Line]) -> None:
    await site.authorize(scope="admin")
    (refused,) = _of(lines, "authorization_refused")
    assert (refused["client_id"], refused["address"]) == (site.seed.app_id, ADDRESS)
