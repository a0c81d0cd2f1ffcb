"""Attacks on client authentication and registration, over HTTP, on a running server: D01 to D17, H01 to H17."""

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import httpx2
import pytest

from tests.attacks.target import LOOPBACK, Target, assert_refused
from tests.support.people import Pkce
from tests.support.services import Client, claims, run_cli

pytestmark = pytest.mark.slow

SIGNED = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJtZSJ9." + "A" * 86
GRANT = {"grant_type": "client_credentials"}


def basic(credentials: bytes) -> str:
    return "Basic " + base64.b64encode(credentials).decode()


def test_d01_d02_a_wrong_secret_and_an_unknown_client_look_the_same(target: Target) -> None:
    wrong = target.token(Client(target.server.automation.id, "wrong"), **GRANT)
    unknown = target.token(Client("nobody", "wrong"), **GRANT)
    for answer in (wrong, unknown):
        assert_refused(answer, 401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
    # Every answer has an id of its own.
    assert {**wrong.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    ignored = {"date", "x-request-id"}
    assert {*wrong.headers.items()} ^ {*unknown.headers.items()} <= {
        (name, value)
        for answer in (wrong, unknown)
        for name, value in answer.headers.items()
        if name.lower() in ignored
    }


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic !!!YTpi",
        "Basic YTpi=",
        basic(b"\xff\xfe:x"),
        basic(b"%ff:x"),
        basic(b"no-colon"),
        basic(b":secret"),
        basic(b"id:"),
        "Bearer abc",
        "Digest username=x",
        "Negotiate",
    ],
)
def test_d04_an_unreadable_header_is_no_crash(target: Target, authorization: str) -> None:
    assert_refused(target.token(authorization, **GRANT), 401, "invalid_client")


def test_d05_credentials_are_form_decoded(target: Target) -> None:
    client = target.server.automation
    encoded = "".join(f"%{ord(character):02x}" for character in client.id)
    assert target.token(basic(f"{encoded}:{quote_plus(client.secret)}".encode()), **GRANT).status_code == 200


def test_d06_d07_d14_only_one_way_to_authenticate_and_one_client(target: Target) -> None:
    client = target.server.automation
    assert_refused(target.token(client, **GRANT, client_secret=client.secret), 400, "invalid_request")
    assert_refused(target.token(client, **GRANT, client_id="another"), 400, "invalid_request")
    assert_refused(target.token(client, **GRANT, client_assertion="e30.e30.e30"), 400, "invalid_request")


def test_d08_d09_d10_a_secret_is_needed_where_there_is_one_and_nowhere_else(target: Target) -> None:
    public = target.registered("Target")
    assert_refused(target.token(client_id=target.server.automation.id, **GRANT), 401, "invalid_client")
    assert_refused(target.token(client_id=public, **GRANT), 401, "invalid_client")
    pkce = Pkce()
    code = target.code(pkce)
    assert_refused(target.redeem(code, pkce, client_secret="x"), 401, "invalid_client")
    assert target.redeem(code, pkce).status_code == 200


def test_d11_of_three_secrets_the_newest_two_work(target: Target) -> None:
    client = target.server.create_client("--confidential", "--name", "Rotating", "--scope", "query")
    secrets = [client.secret]
    for _ in range(2):
        told = run_cli(target.server.server.environment, "client", "rotate-secret", client.id, "--json")
        secrets.append(json.loads(told)["client_secret"])
    statuses = [target.token(Client(client.id, secret), **GRANT).status_code for secret in secrets]
    assert statuses == [401, 200, 200]


def test_d16_an_assertion_of_an_unknown_type_is_refused(target: Target) -> None:
    form = {"client_id": target.server.automation.id, "client_assertion": "e30.e30.e30", **GRANT}
    answer = target.token(client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2-bearer", **form)
    assert_refused(answer, 401, "invalid_client")


def test_d17_headers_about_client_certificates_change_nothing(target: Target) -> None:
    headers = {"X-SSL-Client-Cert": "MIIB", "X-Forwarded-Client-Cert": "Hash=00", "SSL-Client-Verify": "SUCCESS"}
    client = target.server.automation
    with target.stranger() as stranger:
        given = stranger.post("/token", data=GRANT, auth=(client.id, client.secret), headers=headers).json()
        assert given["token_type"] == "Bearer"
        assert "cnf" not in claims(given["access_token"])
        form = {**GRANT, "client_id": client.id}
        assert_refused(stranger.post("/token", data=form, headers=headers), 401, "invalid_client")


def test_d12_guessing_is_slowed_down_where_it_comes_from(target: Target) -> None:
    client = target.server.create_client("--confidential", "--name", "Guessed", "--scope", "query")
    with target.stranger() as guesser:

        def guess(secret: str) -> httpx2.Response:
            return guesser.post("/token", data=GRANT, auth=(client.id, secret))

        statuses = [guess(f"wrong-{number}").status_code for number in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert int(guess("wrong").headers["retry-after"]) > 0
        assert guess(client.secret).status_code == 200
    assert_refused(target.token(Client(client.id, "wrong"), **GRANT), 401, "invalid_client")


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        pytest.param({"redirect_uris": None}, "invalid_redirect_uri", id="h03-missing"),
        pytest.param({"redirect_uris": LOOPBACK}, "invalid_redirect_uri", id="h03-text"),
        pytest.param({"redirect_uris": []}, "invalid_redirect_uri", id="h03-empty"),
        pytest.param({"redirect_uris": [1]}, "invalid_redirect_uri", id="h03-number"),
        pytest.param(
            {"redirect_uris": [f"https://a.example/{n}" for n in range(100)]}, "invalid_redirect_uri", id="h03-hundred"
        ),
        pytest.param({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri", id="h04-javascript"),
        pytest.param({"redirect_uris": ["javascript://x/%0aalert(1)"]}, "invalid_redirect_uri", id="h04-hidden"),
        pytest.param({"redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri", id="h04-data"),
        pytest.param({"redirect_uris": ["ms-settings:x"]}, "invalid_redirect_uri", id="h04-program"),
        pytest.param({"redirect_uris": ["http://example.com/cb"]}, "invalid_redirect_uri", id="h05-plain"),
        pytest.param({"redirect_uris": ["https://*.example.com/cb"]}, "invalid_redirect_uri", id="h06-wildcard"),
        pytest.param({"software_statement": "eyJhbGciOiJub25lIn0.e30."}, "invalid_software_statement", id="h13-none"),
        pytest.param({"software_statement": "e30.e30."}, "invalid_software_statement", id="h13-unsigned"),
        pytest.param({"software_statement": SIGNED}, "unapproved_software_statement", id="h13-signed"),
        pytest.param({"grant_types": ["implicit"]}, "invalid_client_metadata", id="h09-implicit"),
        pytest.param({"response_types": ["token"]}, "invalid_client_metadata", id="h09-token"),
        pytest.param(
            {"jwks": {"keys": []}, "jwks_uri": "https://a.example/jwks"}, "invalid_client_metadata", id="h11-both"
        ),
        pytest.param(
            {"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "d": "x"}]}}, "invalid_client_metadata", id="h11-private"
        ),
        pytest.param({"jwks": {"keys": [{"kty": "oct", "k": "x"}]}}, "invalid_client_metadata", id="h11-symmetric"),
    ],
)
def test_metadata_is_refused(target: Target, metadata: dict[str, Any], error: str) -> None:
    with target.stranger() as stranger:
        answer = stranger.post("/register", json={"client_name": "x", "redirect_uris": [LOOPBACK], **metadata})
    assert_refused(answer, 400, error)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[]", id="h02-list"),
        pytest.param(b"{", id="h02-cut"),
        pytest.param(b"[" * 8_000, id="h02-deep"),
        pytest.param(b'{"client_name":"a","client_name":"b"}', id="h02-repeated"),
        pytest.param(b'{"a":NaN}', id="h02-nan"),
    ],
)
def test_what_is_not_one_plain_object_is_refused(target: Target, content: bytes) -> None:
    with target.stranger() as stranger:
        answer = stranger.post("/register", content=content, headers={"Content-Type": "application/json"})
        assert_refused(answer, 400, "invalid_client_metadata")


def test_h01_registering_without_end_is_stopped(target: Target) -> None:
    """A client that is known costs nothing, so each is another one."""
    with target.stranger() as stranger:
        answers = [
            stranger.post("/register", json={"client_name": f"Flood {number}", "redirect_uris": [LOOPBACK]})
            for number in range(61)
        ]
    assert [answer.status_code for answer in answers] == [201] * 60 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_h07_h08_h10_privileges_are_not_for_the_asking(target: Target) -> None:
    wished = {
        "client_id": "admin",
        "client_secret": "mine",
        "token_endpoint_auth_method": "client_secret_post",
        "grant_types": ["authorization_code", "client_credentials", "password"],
        "scope": "admin",
        "skip_consent": True,
        "resource": "https://evil.example",
        "logo_uri": None,
        "tos_uri": "",
    }
    with target.stranger() as stranger:
        answer = stranger.post("/register", json={"client_name": "Wish", "redirect_uris": [LOOPBACK], **wished})
    assert answer.status_code == 201, answer.text
    given = answer.json()
    assert given["client_id"] != "admin"
    assert not given["client_id"].startswith("https://")
    assert given["token_endpoint_auth_method"] == "none"
    assert given["grant_types"] == ["authorization_code"]
    assert "admin" not in given["scope"].split()
    assert not {"client_secret", "skip_consent", "resource"} & given.keys()


def test_h15_the_same_metadata_has_the_same_id(target: Target) -> None:
    metadata = {"client_name": "Again", "redirect_uris": ["http://localhost:1/callback"]}
    other_port = {"client_name": "Again", "redirect_uris": ["http://localhost:2/callback"]}
    with target.stranger() as stranger:
        ids = {stranger.post("/register", json=each).json()["client_id"] for each in (metadata, metadata, other_port)}
    assert len(ids) == 1


def test_h17_i02_another_content_type_is_refused(target: Target) -> None:
    with target.stranger() as stranger:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            content = json.dumps({"redirect_uris": [LOOPBACK]}).encode()
            answer = stranger.post("/register", content=content, headers={"Content-Type": kind})
            assert_refused(answer, 400, "invalid_client_metadata")
