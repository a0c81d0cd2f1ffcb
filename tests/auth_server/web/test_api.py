"""`/token`, `/register` and `/revoke` over the wire. Case numbers are those of the attack list."""

import base64
import json
import logging
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from auth_server.app import operators
from auth_server.web import parameters
from shared_kernel import logs, revocations
from tests.auth_server.web.site import (
    EMAIL,
    LOOPBACK_URI,
    PASSWORD,
    RESOURCE,
    Seed,
    Site,
    opened,
    redirect_parameters,
)
from tests.support.people import Pkce
from tests.support.services import claims

pytestmark = pytest.mark.anyio

FORM = "application/x-www-form-urlencoded"


def basic(client_id: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def assert_uncached_json(answer: httpx2.Response) -> None:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_curl_minus_u(any_site: Site) -> None:
    answer = await any_site.bot_token()
    assert answer.status_code == 200
    assert_uncached_json(answer)
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "schemas:read query")
    assert claims(body["access_token"])["iss"] == any_site.issuer
    assert claims(body["access_token"])["aud"] == RESOURCE


async def test_what_was_granted_once_is_granted_to_the_same_request_only(site: Site) -> None:
    headers = {**basic(site.seed.bot_id, site.seed.bot_secret), "Content-Type": FORM}
    body = "grant_type=client_credentials&scope=query"

    async def status(body: str, **changed: str) -> int:
        sent = {name: value for name, value in (headers | changed).items() if value != "left out"}
        return (await site.browser.post("/token", content=body, headers=sent)).status_code

    for _ in range(2):
        assert await status(body) == 200
        assert await status(body, Authorization="left out") == 401
        assert await status(body, Authorization="") == 401
        assert await status(body, Authorization=headers["Authorization"][:-4]) == 401
        assert await status(headers["Authorization"][-4:] + body, Authorization=headers["Authorization"][:-4]) == 400
        assert await status(body, **{"Content-Type": "application/json"}) == 400
        assert await status(body + "+") == 400
        assert await status(body + "&scope=query") == 400
        assert await status(body, **{"Content-Type": f"{FORM}; charset=utf-16"}) == 400


async def test_d17_headers_of_certificates_that_nobody_asks_for_change_nothing(site: Site) -> None:
    unused = {"X-SSL-Client-Cert": "MIIB", "X-Forwarded-Client-Cert": "Hash=00"}
    headers = basic(site.seed.bot_id, site.seed.bot_secret) | unused
    answer = await site.browser.post("/token", data={"grant_type": "client_credentials"}, headers=headers)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")
    assert "cnf" not in claims(answer.json()["access_token"])
    assert "dpop-nonce" not in answer.headers


async def test_json_is_taken_where_a_form_is(site: Site) -> None:
    body: dict[str, Any] = {
        "grant_type": "client_credentials",
        "client_id": site.seed.bot_id,
        "client_secret": site.seed.bot_secret,
        "resource": [RESOURCE],
    }
    assert (await site.browser.post("/token", json=body)).status_code == 200
    bad: list[dict[str, Any]] = [{"grant_type": 1}, {"scope": ["query"]}, {"nested": {}}, {"resource": [1]}]
    for changed in bad:
        assert_refused(await site.browser.post("/token", json=body | changed))


def assert_refused(answer: httpx2.Response, status: int = 400, error: str = "invalid_request") -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert_uncached_json(answer)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM),
        (b"grant_type=client_credentials&scope=query&scope=query", FORM),
        (b'{"grant_type":"client_credentials","grant_type":"client_credentials"}', "application/json"),
    ],
)
async def test_i01_a_repeated_parameter_is_refused(site: Site, content: bytes, content_type: str) -> None:
    headers = basic(site.seed.bot_id, site.seed.bot_secret) | {"Content-Type": content_type}
    for path in ("/token", "/revoke"):
        assert_refused(await site.browser.post(path, content=content, headers=headers))


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/jsonp", ""])
async def test_i02_h17_another_content_type_is_refused_by_name(site: Site, content_type: str) -> None:
    headers = basic(site.seed.bot_id, site.seed.bot_secret) | {"Content-Type": content_type}
    for path, error in (("/token", "invalid_request"), ("/revoke", "invalid_request")):
        answer = await site.browser.post(path, content=b"grant_type=client_credentials", headers=headers)
        assert_refused(answer, 400, error)
        assert FORM in answer.json()["error_description"]
    answer = await site.browser.post("/register", content=b"{}", headers={"Content-Type": content_type})
    assert_refused(answer, 400, "invalid_client_metadata")
    assert "application/json" in answer.json()["error_description"]


@pytest.mark.parametrize("path", ["/token", "/revoke", "/register"])
async def test_i03_a_body_beyond_16_kib_is_refused_before_it_is_read(site: Site, path: str) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1024
            yield b"x" * 1024
            assert read < 64 * 1024

    kind = "application/json" if path == "/register" else FORM
    error = "invalid_client_metadata" if path == "/register" else "invalid_request"
    answer = await site.browser.post(path, content=endless(), headers={"Content-Type": kind})
    assert_refused(answer, 413, error)
    assert answer.headers["connection"] == "close"
    fits = b"a=" + b"x" * (16 * 1024 - 2)
    answer = await site.browser.post(path, content=fits, headers={"Content-Type": kind})
    assert answer.status_code in {400, 401}


async def test_a_body_that_does_not_arrive_is_not_awaited_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameters, "BODY_SECONDS", 0.05)
    never = anyio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"grant_type="
        await never.wait()

    with anyio.fail_after(60):
        answer = await site.browser.post("/token", content=stalled(), headers={"Content-Type": FORM})
    assert_refused(answer, 408)
    assert answer.headers["connection"] == "close"


async def test_c12_parameters_in_the_url_are_refused(site: Site) -> None:
    for path in ("/token", "/revoke"):
        answer = await site.browser.post(
            f"{path}?grant_type=client_credentials", headers=basic(site.seed.bot_id, site.seed.bot_secret)
        )
        assert_refused(answer)
    assert_refused(await site.browser.post("/register?x=1", json={}), 400, "invalid_client_metadata")


async def test_more_than_forty_parameters_are_refused(site: Site) -> None:
    answer = await site.bot_token(**{f"p{number}": "1" for number in range(40)})
    assert_refused(answer)


async def test_two_authorization_headers_are_refused(site: Site) -> None:
    header = basic(site.seed.bot_id, site.seed.bot_secret)["Authorization"]
    answer = await site.browser.post(
        "/token",
        content=b"grant_type=client_credentials",
        headers=[("Content-Type", FORM), ("Authorization", header), ("Authorization", header)],
    )
    assert_refused(answer)


@pytest.mark.parametrize("path", ["/token", "/register", "/revoke"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_i07_another_method_is_refused(site: Site, path: str, method: str) -> None:
    answer = await site.browser.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert answer.headers["cache-control"] == "no-store"


async def test_d01_a_wrong_secret_is_challenged(site: Site) -> None:
    for wrong in (basic(site.seed.bot_id, "wrong"), basic("nobody", "wrong"), {"Authorization": "Basic !"}):
        answer = await site.browser.post("/token", data={"grant_type": "client_credentials"}, headers=wrong)
        assert_refused(answer, 401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic realm=")


async def test_d12_guessing_a_secret_is_slowed_down_where_it_comes_from(site: Site) -> None:
    sent = {"grant_type": "client_credentials"}
    for _ in range(10):
        wrong = await site.browser.post("/token", data=sent, headers=basic(site.seed.bot_id, "wrong"))
        assert_refused(wrong, 401, "invalid_client")
    answer = await site.browser.post("/token", data=sent, headers=basic(site.seed.bot_id, "wrong"))
    assert_refused(answer, 429, "temporarily_unavailable")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert_refused(await site.browser.post("/revoke", data={"token": "x"}, headers=basic(site.seed.bot_id, "w")), 429,
                   "temporarily_unavailable")  # fmt: skip
    assert (await site.bot_token()).status_code == 200
    elsewhere = httpx2.ASGITransport(site.transport.app, client=("198.51.100.9", 1))
    async with httpx2.AsyncClient(transport=elsewhere, base_url="http://localhost:9000") as other:
        answer = await other.post("/token", data=sent, auth=(site.seed.bot_id, "wrong"))
        assert_refused(answer, 401, "invalid_client")


async def test_d12_failures_of_others_at_an_address_lock_nobody_out(site: Site) -> None:
    """Our choice: the limit decides how a failure is answered, never whether a right secret is taken."""
    for number in range(201):
        answer = await site.token(grant_type="client_credentials", client_id=f"client_{number}", client_secret="x")
    assert_refused(answer, 429, "temporarily_unavailable")
    assert (await site.bot_token()).status_code == 200
    revoked = await site.browser.post(
        "/revoke", data={"token": "x"}, headers=basic(site.seed.bot_id, site.seed.bot_secret)
    )
    assert revoked.status_code == 200


async def test_d12_behind_a_trusted_proxy_the_forwarded_address_counts(seed: Seed, tmp_path: Path) -> None:
    async with opened(seed, tmp_path, trusted_proxies=["203.0.113.0/24"]) as site:

        async def attempt(secret: str, forwarded: str) -> int:
            headers = basic(seed.bot_id, secret) | {"X-Forwarded-For": forwarded}
            answer = await site.browser.post("/token", data={"grant_type": "client_credentials"}, headers=headers)
            return answer.status_code

        assert [await attempt("wrong", f"10.0.0.{n}, 198.51.100.1") for n in range(10)] == [401] * 10
        assert await attempt("wrong", "198.51.100.1") == 429
        assert await attempt("wrong", "198.51.100.2") == 401


async def test_h01_registering_without_end_is_stopped(site: Site) -> None:
    statuses = []
    for number in range(61):
        metadata = {"client_name": f"App {number}", "redirect_uris": ["http://127.0.0.1/callback"]}
        answer = await site.browser.post("/register", json=metadata)
        statuses.append(answer.status_code)
    assert statuses == [201] * 60 + [429]
    assert_refused(answer, 429, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"redirect_uris":[],"redirect_uris":[]}', b'{"a":' * 2700 + b"1" + b"}" * 2700, b"\xff"],
)
async def test_h02_metadata_that_is_not_a_plain_object_is_refused(site: Site, body: bytes) -> None:
    answer = await site.browser.post("/register", content=body, headers={"Content-Type": "application/json"})
    assert_refused(answer, 400, "invalid_client_metadata")


async def test_registration_answers_like_a_secret(site: Site) -> None:
    metadata = {"client_name": "App", "redirect_uris": ["http://127.0.0.1/callback"]}
    answer = await site.browser.post("/register", json=metadata)
    assert answer.status_code == 201
    assert_uncached_json(answer)
    assert "client_secret" not in answer.json()


async def test_revocation_answers_without_a_body(site: Site) -> None:
    answer = await site.browser.post("/revoke", data={"token": "x", "client_id": site.seed.app_id})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_revocations_are_signed_and_need_no_credential(any_site: Site) -> None:
    path = f"{any_site.base}/revocations"
    answer = await any_site.browser.get(path, params={"after": "x"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/revocations+jwt"
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
    assert revocations.unverified_key_id(answer.text)
    assert (await any_site.browser.post(path)).status_code == 405
    with any_site.broken_store():
        any_site.clock.time += 60
        refused = await any_site.browser.get(path)
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert int(refused.headers["retry-after"]) > 0


async def test_e14_without_a_store_nothing_is_used_up(site: Site) -> None:
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
        answer = await site.token(**redemption)
        assert_refused(answer, 503, "temporarily_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        registration = {"client_name": "App", "redirect_uris": ["http://127.0.0.1/callback"]}
        assert_refused(await site.browser.post("/register", json=registration), 503, "temporarily_unavailable")
    assert (await site.token(**redemption)).status_code == 200


async def test_i20_a_crash_tells_nothing(site: Site) -> None:
    with sqlite3.connect(site.database) as db:
        db.execute("UPDATE clients SET redirect_uris = 'broken', grant_types = 'broken'")
    db.close()
    answer = await site.bot_token()
    assert_refused(answer, 500, "server_error")
    page = await site.authorize()
    assert page.status_code == 500
    assert "Something went wrong here" in page.text
    assert page.headers["x-frame-options"] == "DENY"
    for text in (answer.text, page.text):
        assert not re.search(r"Traceback|Error\b|sqlite|SELECT|broken|\.py", text)


async def test_a_key_rotation_by_another_process_costs_no_request(site: Site) -> None:
    before = claims_header((await site.bot_token()).json()["access_token"])["kid"]
    async with operators.key_administration(site.settings) as keys:
        key_id = await keys.rotate()
    site.clock.time += 2
    answer = await site.bot_token()
    assert claims_header(answer.json()["access_token"])["kid"] == key_id != before
    published = {key["kid"] for key in (await site.browser.get("/.well-known/jwks.json")).json()["keys"]}
    assert {before, key_id} < published


def claims_header(token: str) -> dict[str, Any]:
    segment = token.split(".", maxsplit=1)[0]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return decoded


async def test_i09_no_secret_of_the_whole_story_is_logged(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    writer = logs.configure("auth-server", "DEBUG")
    try:
        pkce = Pkce()
        login = await site.sign_in_page(pkce)
        await site.submit(login, email=EMAIL, password="a wrong password of mine")
        page = await site.sign_in(login)
        code = redirect_parameters(await site.submit(page, decision="approve"))["code"]
        redemption = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": LOOPBACK_URI,
            "client_id": site.seed.app_id,
            "code_verifier": pkce.verifier,
        }
        tokens = (await site.token(**redemption)).json()
        await site.token(**redemption)
        await site.bot_token()
        await site.browser.post("/revoke", data={"token": tokens["access_token"], "client_id": site.seed.app_id})
        await site.browser.post("/token", content=b"{", headers={"Content-Type": "application/json"})
    finally:
        root.handlers[:], root.level = handlers, level
        writer.flush()
    logged = capfd.readouterr().err
    assert '"event":"request"' in logged
    secrets = [
        PASSWORD,
        "a wrong password of mine",
        code,
        code.split(".")[1],
        pkce.verifier,
        tokens["access_token"],
        tokens["refresh_token"],
        site.seed.bot_secret,
        *(cookie.value for cookie in site.browser.cookies.jar),
        str(login.url).rsplit("=", 1)[1],
    ]
    for secret in secrets:
        assert secret
        assert secret not in logged
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in logged
