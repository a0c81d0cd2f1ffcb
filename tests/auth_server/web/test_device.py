"""Device authorization over the wire, with a phone that has no script. Case numbers are those of the attack list."""

from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.auth_server.web.site import EMAIL, PASSWORD, RESOURCE, Site
from tests.support.people import main_form

pytestmark = pytest.mark.anyio

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


async def device_client(site: Site, name: str = "Living room TV") -> str:
    """The id of a client that registers itself, without redirect URIs."""
    metadata = {"client_name": name, "grant_types": [DEVICE_CODE, "refresh_token"], "response_types": []}
    answer = await site.browser.post(f"{site.base}/register", json=metadata)
    assert answer.status_code == 201, answer.text
    assert answer.json()["response_types"] == answer.json()["redirect_uris"] == []
    return str(answer.json()["client_id"])


async def started(site: Site, client_id: str, **asked: str) -> dict[str, Any]:
    """The codes of a new authorization."""
    answer = await site.browser.post(f"{site.base}/device_authorization", data={"client_id": client_id, **asked})
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def poll(site: Site, client_id: str, codes: dict[str, Any]) -> httpx2.Response:
    return await site.token(grant_type=DEVICE_CODE, client_id=client_id, device_code=codes["device_code"])


async def code_page(site: Site, url: str | None = None) -> httpx2.Response:
    return await site.browser.get(url or f"{site.base}/device")


async def consent_page(site: Site, codes: dict[str, Any]) -> httpx2.Response:
    """The page on which a person decides, having entered the code and signed in."""
    page = await site.follow(await site.submit(await code_page(site), user_code=codes["user_code"]))
    return await site.sign_in(page)


async def test_a_person_on_a_phone_connects_a_device(any_site: Site) -> None:
    site = any_site
    client_id = await device_client(site)
    codes = await started(site, client_id, scope="query", resource=RESOURCE)
    assert codes["verification_uri"] == f"{site.issuer}/device"
    assert (await poll(site, client_id, codes)).json()["error"] == "authorization_pending"
    page = await code_page(site, urlsplit(codes["verification_uri_complete"])._replace(scheme="", netloc="").geturl())
    assert main_form(page).fields["user_code"] == codes["user_code"]
    page = await site.follow(await site.submit(page))
    assert "Living room TV" in page.text
    page = await site.sign_in(page)
    done = await site.submit(page, decision="approve")
    assert done.status_code == 200
    assert "location" not in done.headers
    assert "Go back to your device" in done.text
    tokens = await poll(site, client_id, codes)
    assert tokens.status_code == 200
    assert tokens.json()["scope"] == "query"
    assert tokens.json()["refresh_token"]


async def test_i14_the_consent_page_warns_of_phishing_and_shows_what_to_compare(site: Site) -> None:
    codes = await started(site, await device_client(site), scope="query")
    page = await consent_page(site, codes)
    for shown in (
        codes["user_code"],
        "Living room TV",
        "Unverified app",
        "203.0.113.7",
        "just now, at ",
        RESOURCE,
        EMAIL,
        "Run read-only SQL",
        "Allow only if you started this yourself",
        "If somebody sent you the code or this link, deny",
    ):
        assert shown in page.text, shown
    assert "Answer to" not in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-frame-options"] == "DENY"


async def test_a_person_who_denies_is_told_so_and_so_is_the_device(site: Site) -> None:
    client_id = await device_client(site)
    codes = await started(site, client_id)
    done = await site.submit(await consent_page(site, codes), decision="deny")
    assert "Nothing was connected" in done.text
    assert (await poll(site, client_id, codes)).json()["error"] == "access_denied"


async def test_somebody_who_is_signed_in_goes_straight_to_the_question(site: Site) -> None:
    await site.consent_page()
    codes = await started(site, await device_client(site))
    page = await site.follow(await site.submit(await code_page(site), user_code=codes["user_code"]))
    assert "Allow only if you started this yourself" in page.text


async def test_somebody_who_signs_out_on_the_question_goes_on_as_another(site: Site) -> None:
    codes = await started(site, await device_client(site))
    page = await consent_page(site, codes)
    form = page.text.split("/sign-out", 1)[1]
    assert 'name="transaction"' in form
    assert codes["user_code"].replace("-", "") in form


@pytest.mark.parametrize("typed", ["BCDF-GHJK", "hello", "", "<script>alert(1)</script>"])
async def test_a_wrong_code_brings_the_form_again(site: Site, typed: str) -> None:
    answer = await site.submit(await code_page(site), user_code=typed)
    assert answer.status_code == 400
    assert "No device is waiting with this code" in answer.text
    assert "<script>" not in answer.text


async def test_i14_the_sixth_code_in_a_minute_has_to_wait(site: Site) -> None:
    page = await code_page(site)
    answers = [await site.submit(page, user_code="BCDF-GHJK") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert "Too many codes" in answers[-1].text


async def test_b04_a_form_from_elsewhere_starts_nothing(site: Site) -> None:
    codes = await started(site, await device_client(site))
    page = await code_page(site)
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await site.submit(page, foreign, user_code=codes["user_code"])).status_code == 403
    assert (await site.submit(page, user_code=codes["user_code"], csrf="forged")).status_code == 403
    async with site.another_browser() as other:
        form = main_form(page)
        sent = form.fields | {"user_code": codes["user_code"]}
        answer = await other.browser.post(form.action, data=sent, headers=dict(site.same_origin))
        assert answer.status_code == 403
    assert site.rows("transactions") == 0


async def test_opening_the_page_with_a_code_has_no_effect(site: Site) -> None:
    codes = await started(site, await device_client(site))
    await code_page(site, f"{site.base}/device?user_code={codes['user_code']}")
    assert site.rows("transactions") == site.rows("grants") == 0
    assert (await site.browser.head(f"{site.base}/device")).status_code == 200


async def test_the_page_keeps_the_browser_it_knows(site: Site) -> None:
    first = await code_page(site)
    assert "set-cookie" in first.headers
    assert "set-cookie" not in (await code_page(site)).headers


async def test_a_decision_sent_again_by_a_reload_shows_the_same_page(site: Site) -> None:
    codes = await started(site, await device_client(site))
    page = await consent_page(site, codes)
    for _ in range(2):
        assert "Go back to your device" in (await site.submit(page, decision="approve")).text


async def test_a_script_of_any_site_may_ask_for_codes(site: Site) -> None:
    client_id = await device_client(site)
    answer = await site.browser.post(
        f"{site.base}/device_authorization", data={"client_id": client_id}, headers={"Origin": "https://app.example"}
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in (await code_page(site)).headers


@pytest.mark.parametrize("grants", [[DEVICE_CODE, "authorization_code"], ["refresh_token"], []])
async def test_only_a_client_that_is_never_redirected_may_leave_its_redirect_uris_out(
    site: Site, grants: list[str]
) -> None:
    answer = await site.browser.post(f"{site.base}/register", json={"client_name": "TV", "grant_types": grants})
    assert answer.status_code == 400


async def test_a_client_with_a_device_registers_under_the_same_id_each_time(site: Site) -> None:
    assert await device_client(site) == await device_client(site)
    assert await device_client(site) != await device_client(site, "Bedroom TV")


async def test_a_wrong_password_keeps_the_code(site: Site) -> None:
    codes = await started(site, await device_client(site))
    page = await site.follow(await site.submit(await code_page(site), user_code=codes["user_code"]))
    again = await site.submit(page, email=EMAIL, password="wrong password")
    assert again.status_code == 400
    form = main_form(page)
    answer = await site.browser.post(
        form.action, data=form.fields | {"email": EMAIL, "password": PASSWORD}, headers=dict(site.same_origin)
    )
    assert codes["user_code"] in (await site.follow(answer)).text
