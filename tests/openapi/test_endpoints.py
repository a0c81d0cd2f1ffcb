"""schemathesis against a real process: whatever is sent, the answer is described, and no cache may keep a secret."""

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.openapi.description import ERRORS, Known, description
from tests.support.client_keys import ClientKey
from tests.support.grants import REDIRECT_URI, new_code, new_grant, public_client
from tests.support.services import Addresses, AuthServer, auth_serving

pytestmark = pytest.mark.slow

EXAMPLES = 25
"""Requests of each kind to each operation; raise it to look for more."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    (path, method)
    for path, described in description(Known({"client_id": ["x"]}))["paths"].items()
    for method in described
]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthServer]:
    """A server that believes what is said about a caller's address, so that no limit stops what is generated."""
    directory = tmp_path_factory.mktemp("described")
    with auth_serving(Addresses(), directory, AUTH_TRUSTED_PROXIES="127.0.0.1") as started:
        yield started


@pytest.fixture(scope="module")
def credentials(server: AuthServer) -> Sequence[str | None]:
    """What may stand in an Authorization header."""
    program = server.automation
    basic = base64.b64encode(f"{program.id}:{program.secret}".encode()).decode()
    tokens = [new_grant(server, scope="openid profile email").access_token, server.token(), managed(server)[1]]
    return [None, f"Basic {basic}", "Basic !", "Basic", *(f"Bearer {token}" for token in tokens), "Bearer x", "DPoP x"]


def managed(server: AuthServer) -> tuple[str, str]:
    """A client that manages its registration, and its token for that."""
    metadata = {
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [ClientKey().jwk()]},
    }
    answer = httpx2.post(f"{server.issuer}/register", json=metadata).json()
    return answer["client_id"], answer["registration_access_token"]


@pytest.fixture(scope="module")
def known(server: AuthServer) -> Known:
    """Real values of every kind."""
    program, person, code = server.automation, new_grant(server), new_code(server)
    device = httpx2.post(f"{server.issuer}/device_authorization", data={"client_id": public_client(server, "TV").id})
    tokens = [person.access_token, person.refresh_token, server.token(), "rt_x.y"]
    return Known(
        {
            "client_id": [program.id, person.client.id, code.client.id, managed(server)[0]],
            "client_secret": [program.secret, "wrong"],
            "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
            "client_assertion": [ClientKey().assertion(program.id, server.issuer, 2e9), "a.b.c"],
            "grant_type": [
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:token-exchange",
                "urn:ietf:params:oauth:grant-type:device_code",
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
            ],
            "code": [code.code],
            "code_verifier": [code.verifier],
            "redirect_uri": [REDIRECT_URI],
            "refresh_token": tokens,
            "token": tokens,
            "subject_token": tokens,
            "subject_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
            "requested_token_type": ["urn:ietf:params:oauth:token-type:access_token"],
            "device_code": [device.text],
            "scope": ["query", "schemas:read query", "openid email", "nothing"],
            "resource": [server.resource, server.resource.upper()],
            "response_type": ["code"],
            "code_challenge": ["c" * 43],
            "code_challenge_method": ["S256"],
            "prompt": ["none", "login", "none login"],
            "max_age": ["0", "-1", "9" * 30],
            "after": [httpx2.get(f"{server.issuer}/revocations").text],
        }
    )


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@pytest.mark.parametrize("mode", GenerationMode)
def test_whatever_is_sent_the_answer_is_described(
    mode: GenerationMode, path: str, method: str, server: AuthServer, known: Known, credentials: Sequence[str | None]
) -> None:
    operation = openapi.from_dict(description(known))[path][method.upper()]
    has_input = bool(operation.body) or any(operation.iter_parameters())
    with requests.Session() as session:

        @settings(max_examples=EXAMPLES if has_input else 3, suppress_health_check=[*HealthCheck])
        @given(
            case=operation.as_strategy(mode if has_input else GenerationMode.POSITIVE),
            authorization=st.sampled_from(credentials),
            address=st.ip_addresses(v=4),
        )
        def send(case: Case[Any], authorization: str | None, address: object) -> None:
            case.headers["X-Forwarded-For"] = str(address)
            case.headers.pop("Authorization", None)
            if authorization is not None:
                case.headers["Authorization"] = authorization
            answer = case.call(base_url=server.issuer, session=session)
            if method == "head":
                assert answer.content == b""
            case.validate_response(answer, checks=CHECKS[: 2 if method == "head" else None])

        send()


@pytest.mark.parametrize("path", [path for path, _ in dict(OPERATIONS).items()])
def test_every_other_method_is_refused_with_those_that_are_served(path: str, server: AuthServer) -> None:
    served = {method.upper() for other, method in OPERATIONS if other == path}
    with httpx2.Client(timeout=30) as http:
        for method in set(METHODS) - served - {"OPTIONS"}:
            answer = http.request(method, f"{server.issuer}{path.format(client_id='x')}")
            assert answer.status_code == 405, method
            assert set(answer.headers["allow"].split(", ")) == served
            assert answer.headers["cache-control"] == "no-store"
            if method != "HEAD":
                assert answer.json()["error"] in ERRORS
