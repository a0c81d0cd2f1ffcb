"""Metadata, key set and health. Case numbers are those of the attack list."""

import contextlib
import json
import sqlite3
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auth_server.app import operators
from shared_kernel.key_file import read_key_file
from tests.auth_server.web.site import Site, quick_passwords
from tests.support.client_keys import ClientKey, presented
from tests.support.people import Pkce

pytestmark = pytest.mark.anyio


def metadata_paths(site: Site) -> list[str]:
    """Where clients look: RFC 8414 puts the issuer's path behind, OpenID Connect Discovery before."""
    return [
        f"/.well-known/oauth-authorization-server{site.base}",
        f"/.well-known/openid-configuration{site.base}",
        f"{site.base}/.well-known/openid-configuration",
        f"{site.base}/.well-known/oauth-authorization-server",
    ]


async def test_the_metadata_is_the_same_wherever_clients_look(any_site: Site) -> None:
    answers = {path: await any_site.browser.get(path) for path in metadata_paths(any_site)}
    assert {answer.status_code for answer in answers.values()} == {200}
    oauth = {answer.content for path, answer in answers.items() if "oauth" in path}
    openid = {answer.content for path, answer in answers.items() if "openid" in path}
    assert len(oauth) == len(openid) == 1
    document = json.loads(oauth.pop())
    assert document["issuer"] == any_site.issuer
    configuration = json.loads(openid.pop())
    assert {name: configuration[name] for name in document if name != "scopes_supported"} == {
        name: value for name, value in document.items() if name != "scopes_supported"
    }
    # Clients of MCP ask for all scopes that they find in the first; those of OpenID Connect look into the second.
    assert document["scopes_supported"] == ["schemas:read", "query", "offline_access"]
    assert configuration["scopes_supported"] == ["openid", "profile", "email", *document["scopes_supported"]]
    if any_site.base:
        assert (await any_site.browser.get("/.well-known/oauth-authorization-server")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_document_that_is_answered_at_once_is_the_same(any_site: Site, method: str) -> None:
    """The connection asks for it before it starts a task; every header of the usual way is there."""
    for path in [*metadata_paths(any_site), f"{any_site.base}/.well-known/jwks.json"]:
        for known in ("", "*"):
            headers = {"If-None-Match": known} if known else {}
            usual = await any_site.browser.request(method, path, headers=headers)
            status, head, body = any_site.answered_at_once(method, path, **headers)
            assert status == usual.status_code
            assert body == (usual.content if method == "GET" else b"")
            lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:-1]]
            given = sorted((name, value) for name, value in lines if name != b"x-request-id")
            assert given == sorted((name, value) for name, value in usual.headers.raw if name != b"x-request-id")
            assert len(given) == len(lines) - 1


async def test_only_an_exact_and_welcome_request_is_answered_at_once(site: Site) -> None:
    path = "/.well-known/jwks.json"
    assert site.asked_at_once("GET", path) is not None
    assert site.asked_at_once("POST", path) is None
    assert site.asked_at_once("GET", "/token") is None
    assert site.asked_at_once("GET", path, raw_path=b"/.well-known/jw%6bs.json") is None
    assert site.asked_at_once("GET", path, Host="evil.example.com") is None
    site.clock.time += 1.0  # the keys must be read anew
    assert site.asked_at_once("GET", path) is None
    await site.browser.get(path)
    assert site.asked_at_once("GET", path) is not None


async def test_every_endpoint_in_the_metadata_answers(any_site: Site) -> None:
    metadata = (await any_site.browser.get(metadata_paths(any_site)[0])).json()
    named = {name: url for name, url in metadata.items() if name.endswith(("_endpoint", "_uri"))}
    assert set(named) == {
        "authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint",
        "introspection_endpoint", "pushed_authorization_request_endpoint", "jwks_uri", "device_authorization_endpoint",
    }  # fmt: skip
    for name, url in named.items():
        assert url.startswith(f"{any_site.issuer}/"), name
        path = urlsplit(url).path
        if name == "jwks_uri":
            assert (await any_site.browser.get(path)).json()["keys"]
        elif name == "authorization_endpoint":
            assert (await any_site.browser.get(path, params=any_site.query(Pkce()))).status_code == 303
        else:
            answer = await any_site.browser.post(path)
            assert answer.status_code == 400, name
            assert answer.json()["error"].startswith("invalid_"), name


async def test_the_userinfo_endpoint_of_the_metadata_answers(any_site: Site) -> None:
    configuration = (await any_site.browser.get(f"{any_site.base}/.well-known/openid-configuration")).json()
    assert configuration["userinfo_endpoint"] == f"{any_site.issuer}/userinfo"
    for method in ("GET", "POST"):
        answer = await any_site.browser.request(method, urlsplit(configuration["userinfo_endpoint"]).path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_every_grant_in_the_metadata_is_served_and_no_other(site: Site) -> None:
    metadata = (await site.browser.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["grant_types_supported"] == [
        "authorization_code",
        "client_credentials",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ]
    for grant_type in metadata["grant_types_supported"]:
        answer = await site.bot_token(grant_type=grant_type)
        assert answer.json().get("error") != "unsupported_grant_type"
    for grant_type in ("password", "urn:ietf:params:oauth:grant-type:saml2-bearer", "implicit"):
        answer = await site.bot_token(grant_type=grant_type)
        assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


async def test_every_authentication_method_in_the_metadata_works(site: Site) -> None:
    metadata = (await site.browser.get("/.well-known/oauth-authorization-server")).json()
    with_secret = {"client_secret_basic", "client_secret_post"}
    for endpoint, without in {"token": {"none"}, "revocation": {"none"}, "introspection": set[str]()}.items():
        methods = set(metadata[f"{endpoint}_endpoint_auth_methods_supported"])
        assert methods == {*with_secret, "private_key_jwt"} | without
        algorithms = metadata[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"]
    secret = {"client_id": site.seed.bot_id, "client_secret": site.seed.bot_secret}
    assert (await site.bot_token()).status_code == 200
    assert (await site.token(grant_type="client_credentials", **secret)).status_code == 200
    nobody = {"token": "rt_x.y", "client_id": site.seed.app_id}
    assert (await site.browser.post("/revoke", data=nobody)).status_code == 200
    key = ClientKey()
    async with operators.administration(site.settings, passwords=await quick_passwords()) as administration:
        made = await administration.clients.create(name="Agent", confidential=True, jwks=key.jwks())
    requests = {
        "/token": {"grant_type": "client_credentials"},
        "/revoke": {"token": "rt_x.y"},
        "/introspect": {"token": "rt_x.y"},
    }
    for path, parameters in requests.items():
        proof = presented(key.assertion(made.client.client_id, site.issuer, site.clock.now()))
        assert (await site.browser.post(path, data={**parameters, **proof})).status_code == 200
        assert (await site.browser.post(path, data={**parameters, **proof})).status_code == 401


async def test_documents_are_cached_and_validated(any_site: Site) -> None:
    for path in (*metadata_paths(any_site), f"{any_site.base}/.well-known/jwks.json"):
        first = await any_site.browser.get(path)
        assert first.headers["cache-control"] == "public, max-age=300"
        assert first.headers["content-type"] == "application/json"
        assert first.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in first.headers
        assert first.headers["x-content-type-options"] == "nosniff"
        tag = first.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await any_site.browser.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await any_site.browser.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_the_key_set_holds_public_parts_only(site: Site) -> None:
    keys = (await site.browser.get("/.well-known/jwks.json")).json()["keys"]
    assert [key["alg"] for key in keys] == ["ES256", "RS256"] * 2
    parts = {"EC": {"crv", "x", "y"}, "RSA": {"n", "e"}}
    for key in keys:
        assert key.keys() == {"kty", "kid", "use", "alg"} | parts[key["kty"]]


async def test_i05_no_header_changes_the_issuer(any_site: Site) -> None:
    spoofed = {
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "host=evil.example.com;proto=http",
    }
    honest = await any_site.browser.get(metadata_paths(any_site)[0])
    answer = await any_site.browser.get(metadata_paths(any_site)[0], headers=spoofed)
    assert answer.content == honest.content
    assert "evil" not in str(answer.headers)
    page = await any_site.browser.get(f"{any_site.base}/consent", headers=spoofed)
    assert "evil" not in page.text
    elsewhere = await any_site.browser.get(metadata_paths(any_site)[0], headers={"Host": "evil.example.com"})
    assert elsewhere.status_code == 421
    assert "evil" not in elsewhere.text


PUBLIC_PATHS = [
    ("/.well-known/oauth-authorization-server", "GET"),
    ("/.well-known/openid-configuration", "GET"),
    ("/.well-known/jwks.json", "GET"),
    ("/token", "POST"),
    ("/par", "POST"),
    ("/register", "POST"),
    ("/revoke", "POST"),
]


@pytest.mark.parametrize(("path", "method"), PUBLIC_PATHS)
async def test_i06_scripts_of_any_site_may_call_public_endpoints(site: Site, path: str, method: str) -> None:
    preflight = await site.browser.options(
        path,
        headers={
            "Origin": "https://inspector.example.com",
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,dpop,mcp-protocol-version",
        },
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert method in preflight.headers["access-control-allow-methods"].split(", ")
    allowed = preflight.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "dpop", "mcp-protocol-version"} <= set(allowed)
    assert "access-control-allow-credentials" not in preflight.headers
    answer = await site.browser.request(method, path, headers={"Origin": "null"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
    assert {"dpop-nonce", "www-authenticate"} <= set(exposed)


@pytest.mark.parametrize("path", ["/authorize", "/login", "/consent", "/readyz", "/livez"])
async def test_i06_no_other_site_may_read_pages(site: Site, path: str) -> None:
    for method in ("OPTIONS", "GET", "POST"):
        answer = await site.browser.request(method, path, headers={"Origin": "https://evil.example.com"})
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("path", ["/.well-known/nothing", "/.well-known/oauth-protected-resource"])
async def test_i06_scripts_may_read_that_a_well_known_document_is_missing(any_site: Site, path: str) -> None:
    for base in {"", any_site.base}:
        answer = await any_site.browser.get(f"{base}{path}", headers={"Origin": "https://inspector.example.com"})
        assert answer.status_code == 404
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_i21_https_issuers_ask_for_https_ever_after(any_site: Site) -> None:
    """RFC 6797; a browser ignores the header on plain http, where a loopback issuer must stay reachable."""
    expected = "max-age=31536000" if any_site.issuer.startswith("https") else None
    for path in (f"{any_site.base}/.well-known/jwks.json", f"{any_site.base}/login", f"{any_site.base}/token", "/x"):
        answer = await any_site.browser.get(path)
        assert answer.headers.get("strict-transport-security") == expected


async def test_the_key_set_changes_with_the_keys(site: Site) -> None:
    path = "/.well-known/jwks.json"
    first = await site.browser.get(path)
    site.clock.time += 30
    assert (await site.browser.get(path)).content == first.content
    async with operators.key_administration(site.settings) as keys:
        await keys.rotate()
    site.clock.time += 30
    rotated = await site.browser.get(path)
    assert [key["alg"] for key in rotated.json()["keys"]] == ["ES256", "RS256"] * 3
    assert rotated.headers["etag"] != first.headers["etag"]


async def test_the_metadata_name_the_algorithm_that_id_tokens_are_signed_with(site: Site) -> None:
    """An older store's keys have none for RS256, until two rotations have replaced them."""
    with contextlib.closing(sqlite3.connect(site.database)) as db, db:
        for key_id, sealed, public in db.execute("SELECT key_id, sealed, public_jwk FROM signing_keys").fetchall():
            master = AESGCM(read_key_file(site.settings.master_key_file))
            alone = json.dumps(json.loads(master.decrypt(sealed[:12], sealed[12:], key_id.encode()))["keys"][0])
            again = b"n" * 12 + master.encrypt(b"n" * 12, alone.encode(), key_id.encode())
            shown = json.dumps(json.loads(public)["keys"][0])
            db.execute("UPDATE signing_keys SET sealed = ?, public_jwk = ? WHERE key_id = ?", (again, shown, key_id))
    told = []
    for wait in (30, 700, 700):
        site.clock.time += wait
        configuration = (await site.browser.get("/.well-known/openid-configuration")).json()
        told.append(configuration["id_token_signing_alg_values_supported"])
        async with operators.key_administration(site.settings) as keys:
            await keys.rotate()
        with contextlib.closing(sqlite3.connect(site.database)) as db, db:
            db.execute("UPDATE signing_keys SET promotable_at = 0")
    assert told == [["ES256"], ["ES256"], ["RS256"]]


async def test_health(site: Site) -> None:
    alive, ready = await site.browser.get("/livez"), await site.browser.get("/readyz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "checks": {"store": "ok", "signing_key": "ok"}})
    assert ready.headers["cache-control"] == "no-store"


async def test_without_a_store_documents_are_served_and_readiness_is_denied(site: Site) -> None:
    paths = ("/.well-known/oauth-authorization-server", "/.well-known/jwks.json")
    before = [(await site.browser.get(path)).content for path in paths]
    with site.broken_store():
        site.clock.time += 30
        assert [(await site.browser.get(path)).content for path in paths] == before
        ready = await site.browser.get("/readyz")
        assert ready.status_code == 503
        assert ready.json() == {"status": "unavailable", "checks": {"store": "unavailable", "signing_key": "ok"}}
        assert int(ready.headers["retry-after"]) > 0
        assert (await site.browser.get("/livez")).status_code == 200
    assert (await site.browser.get("/readyz")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/nothing", "//", "/token/", "//token", "/TOKEN", "/token%2f", "/token%0a", "/metrics"]
)
async def test_i08_only_the_exact_path_answers(site: Site, path: str) -> None:
    answer = await site.browser.request("POST", f"http://localhost:9000{path}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
