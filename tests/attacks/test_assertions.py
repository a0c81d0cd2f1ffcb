"""Attacks with signed assertions, over HTTP, on a running server: cases D13, D15, I17."""

import hmac
from collections.abc import Mapping
from functools import partial
from typing import Any

import httpx2
import pytest
from joserfc.util import urlsafe_b64encode

from tests.attacks.target import Later, assert_refused
from tests.auth_server.flows.test_client_assertions import WRONG
from tests.support.client_keys import ClientKey, presented
from tests.support.concurrency import at_once
from tests.support.processes import wait_for
from tests.support.services import Client, run_cli

pytestmark = pytest.mark.slow

KEY, OTHER_KEY, PROVIDER_KEY = ClientKey(), ClientKey(), ClientKey()
RSA_KEY = ClientKey("RS256")
PARALLEL = 40
PROVIDER, EMPLOYEE = "https://login.example", "grace@login.example"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def test_d13_assertions_that_prove_nothing(later: Later) -> None:
    """Nothing but the change makes them fail."""
    client, now = later.holder(KEY), later.surroundings.now()
    assert later.present(KEY.assertion(client.id, later.issuer, now)).status_code == 200
    for name, changes in WRONG.items():
        answer = later.present(KEY.assertion(client.id, later.issuer, now, **changes))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), name


def test_d13_assertions_by_another_key_or_by_none(later: Later) -> None:
    client, now = later.holder(KEY), later.surroundings.now()
    head, payload, signature = KEY.assertion(client.id, later.issuer, now).split(".")
    public, rsa = RSA_KEY.key.as_pem(private=False), later.holder(RSA_KEY)
    start = RSA_KEY.assertion(rsa.id, later.issuer, now, header={"alg": "HS256"}).rpartition(".")[0]
    mac = urlsafe_b64encode(hmac.digest(public, start.encode(), "sha256")).decode()
    forged = [
        OTHER_KEY.assertion(client.id, later.issuer, now),
        f"{start}.{mac}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.x",
        "é.é.é",
    ]
    for assertion in forged:
        assert_refused(later.present(assertion), 401, "invalid_client")


def test_d13_an_assertion_is_used_once_by_forty_at_once(later: Later) -> None:
    assertion = KEY.assertion(later.holder(KEY).id, later.issuer, later.surroundings.now())
    answers = at_once([partial(later.present, assertion)] * PARALLEL)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * (PARALLEL - 1)


def test_d15_keys_on_a_private_address_are_not_fetched(later: Later) -> None:
    """The operator's log says why the client is refused."""
    later.resolve(keys=["127.0.0.1"])
    url = "https://keys.example/jwks.json"
    client = later.server.create_client("--name", "Keys inside", "--jwks-uri", url)
    answer = later.present(KEY.assertion(client.id, later.issuer, later.surroundings.now()))
    assert_refused(answer, 401, "invalid_client")
    wait_for(lambda: "key_set_unavailable" in later.server.log.read_text("utf-8"), 30, "the line in the log")


@pytest.fixture(scope="module")
def assistant(later: Later) -> Client:
    """A client of the workspace acme that may hand in assertions of its provider, and somebody to speak of."""
    settings, password = later.server.server.environment, str(later.server.directory / "password")
    run_cli(settings, "workspace", "create", "acme")
    run_cli(settings, "user", "create", "--email", EMPLOYEE, "--password-file", password)
    run_cli(settings, "workspace", "member", "add", "acme", EMPLOYEE)
    later.host.documents[f"{PROVIDER}/jwks.json"] = {"keys": [PROVIDER_KEY.jwk()]}
    return later.server.create_client(
        *("--confidential", "--name", "Assistant", "--workspace", "acme", "--grant", "jwt-bearer")
    )


def identity(later: Later, client: Client, /, key: ClientKey = PROVIDER_KEY, **changes: Any) -> str:
    """A good assertion of the provider about the employee, changed: None leaves a claim out."""
    now = int(later.surroundings.now())
    claims = {
        "iss": PROVIDER,
        "sub": "00u1a2b3",
        "iat": now,
        "exp": now + 300,
        "client_id": client.id,
        "email": EMPLOYEE,
        "resource": later.resource,
        "scope": "query",
        **changes,
    }
    kind, audience = claims.pop("typ", "oauth-id-jag+jwt"), claims.pop("aud", later.issuer)
    return key.assertion("", audience, now, header={"typ": kind}, **claims)


def hand_in(later: Later, client: Client, assertion: str, **more: str) -> httpx2.Response:
    return later.token(client, grant_type=JWT_BEARER, assertion=assertion, **more)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"typ": "JWT"}, id="i17-type"),
        pytest.param({"iss": "https://login.other.example"}, id="i17-issuer"),
        pytest.param({"aud": "https://auth.other.example"}, id="i17-audience"),
        pytest.param({"aud": [PROVIDER, "https://auth.other.example"]}, id="i17-audiences"),
        pytest.param({"client_id": "another"}, id="i17-client"),
        pytest.param({"jti": None}, id="i17-no-id"),
        pytest.param({"exp": None}, id="i17-no-end"),
        pytest.param({"exp": 1}, id="i17-over"),
        pytest.param({"exp": 10**10}, id="i17-too-long"),
        pytest.param({"cnf": {"jkt": "x"}}, id="i17-key"),
        pytest.param({"authorization_details": []}, id="i17-details"),
        pytest.param({"resource": "https://mcp.other.example"}, id="i17-resource"),
        pytest.param({"email": "nobody@example.com"}, id="i17-person"),
        pytest.param({"email": EMPLOYEE.replace("s", "ſ").replace("a", "ａ")}, id="i17-look-alike"),
        pytest.param({"key": OTHER_KEY}, id="i17-signature"),
    ],
)
def test_an_identity_assertion_that_is_not_good(later: Later, assistant: Client, changes: Mapping[str, Any]) -> None:
    assert_refused(hand_in(later, assistant, identity(later, assistant, **changes)), 400, "invalid_grant")


def test_i17_an_identity_assertion_is_used_once_and_widens_nothing(later: Later, assistant: Client) -> None:
    assertion = identity(later, assistant)
    assert_refused(hand_in(later, assistant, assertion, scope="schemas:read"), 400, "invalid_scope")
    answers = at_once([partial(hand_in, later, assistant, assertion)] * PARALLEL)
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * (PARALLEL - 1)
    (given,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert given["scope"] == "query"
    assert "refresh_token" not in given


def test_i17_an_identity_assertion_does_not_authenticate_a_client(later: Later, assistant: Client) -> None:
    """Neither the one for the other."""
    assertion = identity(later, assistant)
    assert_refused(later.present(assertion), 401, "invalid_client")
    form = {"grant_type": JWT_BEARER, "assertion": assertion, **presented(assertion)}
    assert_refused(later.token(**form), 401, "invalid_client")
    own = KEY.assertion(later.holder(KEY).id, later.issuer, later.surroundings.now())
    assert_refused(hand_in(later, assistant, own), 400, "invalid_grant")
