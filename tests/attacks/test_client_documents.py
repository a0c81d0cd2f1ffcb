"""Attacks with Client ID Metadata Documents, over HTTP, on a running server: cases G01 to G28.

What a hostile network can do is tried in the lab of tests/auth_server/adapters/client_documents.
"""

from typing import Any

import pytest

from tests.attacks.target import LOOPBACK, Target, assert_page
from tests.support.document_host import DocumentHost
from tests.support.people import Pkce

pytestmark = pytest.mark.slow

ORIGIN = "https://attacks.example"
GOOD = {"client_name": "Document", "redirect_uris": ["http://127.0.0.1/callback"]}


@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param("http://attacks.example/app.json", id="g01-http"),
        pytest.param(ORIGIN, id="g02-no-path"),
        pytest.param(f"{ORIGIN}/../app.json", id="g02-dots"),
        pytest.param(f"{ORIGIN}/%2e%2e/app.json", id="g02-encoded-dots"),
        pytest.param("https://a:b@attacks.example/app.json", id="g03-userinfo"),
        pytest.param(f"{ORIGIN}/app.json#f", id="g03-fragment"),
        pytest.param(f"{ORIGIN}\\app.json", id="g03-backslash"),
        pytest.param(f"{ORIGIN}/app.json\r\nX: y", id="g03-newline"),
        pytest.param("https://localhost/app.json", id="g04-loopback-name"),
        pytest.param("https://127.0.0.1/app.json", id="g04-loopback"),
        pytest.param("https://169.254.169.254/latest/meta-data", id="g04-cloud-metadata"),
        pytest.param("https://10.0.0.1/app.json", id="g04-private"),
        pytest.param("https://2130706433/app.json", id="g05-decimal"),
        pytest.param("https://0x7f000001/app.json", id="g05-hexadecimal"),
        pytest.param("https://0177.0.0.1/app.json", id="g05-octal"),
        pytest.param("https://[::1]/app.json", id="g24-ipv6"),
        pytest.param("https://[fe80::1%25lo]/app.json", id="g24-zone"),
    ],
)
def test_an_id_that_no_document_can_have_is_not_fetched(
    target: Target, document_host: DocumentHost, client_id: str
) -> None:
    before = len(document_host.requests)
    assert_page(target.authorize(client_id=client_id))
    assert len(document_host.requests) == before


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({**GOOD, "client_id": f"{ORIGIN}/other.json"}, id="g13-another-id"),
        pytest.param({**GOOD, "client_id": f"{ORIGIN}/attack.json/"}, id="g13-slash"),
        pytest.param({**GOOD, "client_id": f"{ORIGIN.upper()}/attack.json"}, id="g13-case"),
        pytest.param({**GOOD, "client_id": None}, id="g13-no-id"),
        pytest.param({**GOOD, "client_name": None}, id="g14-no-name"),
        pytest.param({**GOOD, "redirect_uris": []}, id="g14-no-redirect-uri"),
        pytest.param({**GOOD, "redirect_uris": ["javascript:alert(1)"]}, id="g14-script"),
        pytest.param({**GOOD, "client_secret": "x"}, id="g15-secret"),
        pytest.param({**GOOD, "token_endpoint_auth_method": "client_secret_basic"}, id="g15-method-with-secret"),
        pytest.param({**GOOD, "jwks": {"keys": [{"kty": "oct", "k": "x"}]}}, id="g15-symmetric-key"),
        pytest.param({**GOOD, "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "d": "x"}]}}, id="g15-private-key"),
        pytest.param({**GOOD, "padding": "x" * 5_120}, id="g09-too-long"),
        pytest.param({**GOOD, "number": float("nan")}, id="g16-nan"),
    ],
)
def test_a_document_that_is_not_right_makes_no_client(
    target: Target, document_host: DocumentHost, document: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    url = f"{ORIGIN}/attack.json?{request.node.callspec.id}"
    given = {"client_id": url, **document}
    document_host.documents[url] = {name: value for name, value in given.items() if value is not None}
    assert_page(target.authorize(client_id=url))
    assert document_host.requests.count(url) == 1


def test_g12_a_document_that_is_not_there_makes_no_client_and_is_not_asked_for_again_and_again(
    target: Target, document_host: DocumentHost
) -> None:
    url = f"{ORIGIN}/missing.json"
    for _ in range(3):
        assert_page(target.authorize(client_id=url))
    assert document_host.requests.count(url) == 1


def test_g17_g28_what_a_document_links_to_is_called_out_and_never_fetched(
    target: Target, document_host: DocumentHost
) -> None:
    elsewhere = "https://elsewhere.example/cb"
    url = document_host.publish(
        f"{ORIGIN}/linking.json",
        client_name="Linking",
        redirect_uris=[elsewhere],
        logo_uri=f"{ORIGIN}/logo.svg",
        policy_uri=f"{ORIGIN}/policy",
    )
    page = target.consent_page(target.http, client_id=url, redirect_uri=elsewhere)
    assert "elsewhere.example" in page.text
    assert "attacks.example" in page.text
    assert {request for request in document_host.requests if "logo" in request or "policy" in request} == set()


def test_g19_g20_one_address_has_few_documents_fetched(target: Target, document_host: DocumentHost) -> None:
    victim = "https://victim.example/"
    with target.stranger() as stranger:
        for number in range(25):
            stranger.get("/authorize", params={"client_id": f"{victim}{number}.json", "redirect_uri": LOOPBACK})
    assert len([url for url in document_host.requests if url.startswith(victim)]) == 20


def test_g27_only_an_authorization_request_has_a_document_fetched(target: Target, document_host: DocumentHost) -> None:
    url = document_host.publish(f"{ORIGIN}/probed.json", **GOOD)
    assert target.redeem("ac_a.b", Pkce(), client_id=url).status_code in {400, 401}
    assert target.refresh("rt_a.b", client_id=url).status_code in {400, 401}
    with target.stranger() as stranger:
        stranger.post("/revoke", data={"token": "x", "client_id": url})
    assert url not in document_host.requests


@pytest.mark.parametrize("name", ["https://evil.example/app.json", "https", "client"])
def test_g26_no_id_that_is_given_looks_like_a_documents(target: Target, name: str) -> None:
    """Whatever a client calls itself, or asks to be called."""
    metadata = {"client_name": name, "client_id": f"{ORIGIN}/app.json", "redirect_uris": [LOOPBACK]}
    with target.stranger() as stranger:
        given = stranger.post("/register", json=metadata).json()["client_id"]
    assert not given.startswith("http")
    assert "/" not in given
