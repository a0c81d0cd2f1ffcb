"""Attacks on introspection and on who owns what, over HTTP, on a running server: cases F23, F24, H12, I16."""

import httpx2
import pytest

from tests.attacks.target import LOOPBACK, Target, assert_refused, redirected
from tests.support.client_keys import ClientKey
from tests.support.dpop import DpopKey
from tests.support.people import Pkce, submit
from tests.support.services import Client

pytestmark = pytest.mark.slow

INACTIVE = {"active": False}


@pytest.fixture(scope="module")
def resource_server(target: Target) -> Client:
    """The resource server of the resource."""
    return target.server.create_client("--confidential", "--name", "MCP", "--resource-server", target.resource)


@pytest.fixture(scope="module")
def sites(target: Target) -> tuple[Client, Client]:
    """Two confidential clients that people sign in with."""
    made = [
        target.server.create_client("--confidential", "--name", name, "--redirect-uri", LOOPBACK)
        for name in ("One site", "Other site")
    ]
    return made[0], made[1]


def introspect(target: Target, asking: Client | None, **form: str) -> httpx2.Response:
    with target.stranger() as stranger:
        if asking is None:
            return stranger.post("/introspect", data=form)
        return stranger.post("/introspect", data=form, auth=(asking.id, asking.secret))


def tokens_of(target: Target, site: Client) -> dict[str, str]:
    pkce = Pkce()
    page = target.consent_page(target.http, pkce, client_id=site.id)
    code = redirected(submit(target.http, page, decision="approve"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": LOOPBACK, "code_verifier": pkce.verifier}
    answer = target.token(site, **form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_f23_nobody_learns_anything_without_credentials(target: Target, resource_server: Client) -> None:
    token = target.server.token()
    public = target.registered("Target")
    for asking, form in (
        (None, {}),
        (None, {"client_id": resource_server.id}),
        (None, {"client_id": public}),
        (Client(resource_server.id, "wrong"), {}),
        (Client("nobody", "x"), {}),
    ):
        answer = introspect(target, asking, token=token, **form)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert "active" not in answer.json()
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
    assert introspect(target, resource_server, token=token).json()["active"] is True


def test_f23_f24_a_token_is_nobody_elses_business(
    target: Target, resource_server: Client, sites: tuple[Client, Client]
) -> None:
    site, other = sites
    given = tokens_of(target, site)
    for asking, token in (
        (other, given["refresh_token"]),
        (other, given["access_token"]),
        (resource_server, given["refresh_token"]),
    ):
        assert introspect(target, asking, token=token).json() == INACTIVE
    assert introspect(target, site, token=given["refresh_token"]).json()["active"] is True
    assert introspect(target, resource_server, token=given["access_token"]).json()["active"] is True


def test_f23_a_resource_server_gets_no_tokens(target: Target, resource_server: Client) -> None:
    for grant_type in ("client_credentials", "refresh_token", "authorization_code"):
        answer = target.token(resource_server, grant_type=grant_type, code="x", refresh_token="rt_x.y")
        assert answer.status_code == 400


def registered_with_keys(target: Target, key: ClientKey) -> dict[str, str]:
    metadata = {
        "client_name": "Keys",
        "redirect_uris": [LOOPBACK],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.jwk()]},
    }
    with target.stranger() as stranger:
        answer = stranger.post("/register", json=metadata)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_h12_a_registration_token_manages_its_own_client_only(target: Target, method: str) -> None:
    """No other client's, a public one's, the operator's, nor one that is not there; no other token does either."""
    key = ClientKey()
    one, other = registered_with_keys(target, key), registered_with_keys(target, key)
    mine = one["registration_access_token"]
    attempts = [
        (other["client_id"], mine),
        (target.registered("Target"), mine),
        (target.server.automation.id, mine),
        ("dcr_unknown", mine),
        (other["client_id"], target.server.token()),
        (other["client_id"], "x"),
    ]
    for client_id, token in attempts:
        with target.stranger() as stranger:
            headers = {"Authorization": f"Bearer {token}"}
            content = {**one, "client_id": client_id} if method == "PUT" else None
            answer = stranger.request(method, f"/register/{client_id}", headers=headers, json=content)
        assert answer.status_code == 401, (client_id, answer.text)
        assert "client_name" not in answer.text
    with target.stranger() as stranger:
        headers = {"Authorization": f"Bearer {other['registration_access_token']}"}
        assert stranger.get(f"/register/{other['client_id']}", headers=headers).status_code == 200


def test_h12_a_registration_token_is_replaced_at_each_update(target: Target) -> None:
    made = registered_with_keys(target, ClientKey())
    wished = {name: value for name, value in made.items() if name not in {"registration_access_token"}}
    path, token = f"/register/{made['client_id']}", made["registration_access_token"]
    for unwanted in ("registration_client_uri", "client_id_issued_at", "client_secret_expires_at"):
        wished.pop(unwanted, None)
    with target.stranger() as stranger:
        answer = stranger.put(path, json=wished, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        assert stranger.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 401
        new = answer.json()["registration_access_token"]
        assert stranger.get(path, headers={"Authorization": f"Bearer {new}"}).status_code == 200


def test_i16_a_proof_is_for_one_request_and_one_key(target: Target) -> None:
    """RFC 9449 §4.3, at the token endpoint: what a proof says of another request is a proof of nothing."""
    key, url = DpopKey(), f"{target.issuer}/token"
    client = target.server.automation

    def ask(*proofs: str) -> httpx2.Response:
        with target.stranger() as stranger:
            headers = [("DPoP", proof) for proof in proofs]
            form = {"grant_type": "client_credentials"}
            return stranger.post("/token", data=form, auth=(client.id, client.secret), headers=headers)

    good = key.proof("POST", url)
    assert ask(good).json()["token_type"] == "DPoP"
    now = int(key.clock.now())
    for proof in (
        good,
        key.proof("GET", url),
        key.proof("post", url),
        key.proof("POST", f"{target.issuer}/introspect"),
        key.proof("POST", f"{url}/"),
        key.proof("POST", url.replace("localhost", "localhost.evil.example")),
        key.proof("POST", url.replace("http:", "https:")),
        key.proof("POST", "/token"),
        key.proof("POST", url, jti=None),
        key.proof("POST", url, iat=now - 3600),
        key.proof("POST", url, iat=now + 3600),
        key.proof("POST", url, nonce="forged"),
        key.signed({"alg": "none"}, {"htm": "POST", "htu": url, "iat": now, "jti": "x"}),
        key.signed({"jwk": DpopKey().jwk}, {"htm": "POST", "htu": url, "iat": now, "jti": "y"}),
        key.signed({"typ": "jwt"}, {"htm": "POST", "htu": url, "iat": now, "jti": "z"}),
        "",
    ):
        answer = ask(proof)
        assert (answer.status_code, answer.json()["error"]) in {
            (400, "invalid_dpop_proof"),
            (400, "use_dpop_nonce"),
        }, answer.text
    assert ask(key.proof("POST", url), key.proof("POST", url)).status_code == 400


def test_i16_a_token_is_refreshed_with_its_key_only(target: Target) -> None:
    key, url, pkce = DpopKey(), f"{target.issuer}/token", Pkce()
    form = {"grant_type": "authorization_code", "client_id": target.registered("Target"), "redirect_uri": LOOPBACK}
    with target.stranger() as stranger:
        first = {**form, "code": target.code(pkce), "code_verifier": pkce.verifier}
        given = stranger.post("/token", data=first, headers={"DPoP": key.proof("POST", url)}).json()
        refresh = {"grant_type": "refresh_token", "client_id": form["client_id"]}
        refresh["refresh_token"] = given["refresh_token"]
        assert_refused(stranger.post("/token", data=refresh), 400, "invalid_dpop_proof")
        another = {"DPoP": DpopKey().proof("POST", url)}
        assert_refused(stranger.post("/token", data=refresh, headers=another), 400, "invalid_grant")
        assert stranger.post("/token", data=refresh, headers={"DPoP": key.proof("POST", url)}).status_code == 200
