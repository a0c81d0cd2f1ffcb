"""schemathesis against a real process: whatever is sent, the answer is described, and no cache may keep a secret."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core import NOT_SET
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.adapter.parameters import OpenApiParameter
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from auth_server.domain.client import GrantType
from auth_server.protocol.token_exchange import ACCESS_TOKEN
from shared_kernel.entropy import SystemEntropy
from tests.openapi.description import ERRORS, FORM, JSON, description
from tests.support.client_keys import ClientKey
from tests.support.grants import REDIRECT_URI, new_code, new_grant
from tests.support.services import Addresses, AuthServer, auth_serving

pytestmark = pytest.mark.slow

EXAMPLES = 15
"""Requests of each kind to each operation; to look for more, raise it and remove `derandomize`."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [(path, method) for path, described in description()["paths"].items() for method in described]
Cases = st.SearchStrategy[Case[Any]]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthServer]:
    """A server that believes what is said about a caller's address, so that no limit stops what is generated."""
    directory = tmp_path_factory.mktemp("described")
    with auth_serving(Addresses(), directory, AUTH_TRUSTED_PROXIES="127.0.0.1") as started:
        yield started


@dataclass(frozen=True, slots=True)
class Managed:
    """A client that manages its registration."""

    client_id: str
    token: str
    metadata: Mapping[str, Any]


@pytest.fixture
def managed(server: AuthServer) -> Managed:
    """A new one."""
    metadata = {
        "redirect_uris": [REDIRECT_URI],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [ClientKey().jwk()]},
    }
    answer = registered(server, metadata)
    return Managed(answer["client_id"], answer["registration_access_token"], metadata)


@pytest.fixture(scope="module")
def credentials(server: AuthServer) -> Sequence[str | None]:
    """What may stand in an Authorization header."""
    program = server.automation
    basic = base64.b64encode(f"{program.id}:{program.secret}".encode()).decode()
    tokens = [new_grant(server, scope="openid profile email").access_token, server.token()]
    return [*(f"Bearer {token}" for token in tokens), "Bearer x", f"Basic {basic}", "Basic !", "Basic", "DPoP x"]


@pytest.fixture(scope="module")
def values(server: AuthServer) -> Mapping[str, Sequence[str]]:
    """Real values of every kind."""
    program, person, code = server.automation, new_grant(server), new_code(server)
    tokens = [person.access_token, person.refresh_token, server.token(), "rt_x.y"]
    return {
        "client_id": [program.id, person.client.id],
        "client_secret": [program.secret, "wrong"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
        "client_assertion": [ClientKey().assertion(program.id, server.issuer, 2e9), "a.b.c"],
        "grant_type": [*GrantType],
        "code": [code.code],
        "code_verifier": [code.verifier],
        "redirect_uri": [REDIRECT_URI],
        "refresh_token": tokens,
        "token": tokens,
        "subject_token": tokens,
        "subject_token_type": [ACCESS_TOKEN],
        "requested_token_type": [ACCESS_TOKEN],
        "device_code": ["dc_x.y"],
        "scope": ["query", "schemas:read query", "openid email", "nothing"],
        "resource": [server.resource, server.resource.upper()],
        "response_type": ["code"],
        "code_challenge": ["c" * 43],
        "code_challenge_method": ["S256"],
        "prompt": ["none", "login", "none login"],
        "max_age": ["0", "-1", "9" * 30],
        "after": [httpx2.get(f"{server.issuer}/revocations").text],
    }


Bodies = Mapping[str, Sequence[Mapping[str, Sequence[Any]]]]


@pytest.fixture
def good(server: AuthServer, values: Mapping[str, Sequence[str]], managed: Managed) -> Bodies:
    """The bodies that an endpoint grants, by its path: to each of their parameters, the values that do."""
    program = {"client_id": [server.automation.id], "client_secret": [server.automation.secret]}
    app = {"client_id": [values["client_id"][1]]}
    tv = {"client_id": [device_client(server)]}
    request = {name: values[name] for name in ("response_type", "redirect_uri", "code_challenge")}
    subject = {name: values[name][:1] for name in ("subject_token", "subject_token_type")}
    own = {name: [value] for name, value in managed.metadata.items()}
    return {
        "/token": [
            {**program, "grant_type": [GrantType.CLIENT_CREDENTIALS]},
            {**app, "grant_type": [GrantType.REFRESH_TOKEN], "refresh_token": values["refresh_token"][1:2]},
            {**app, "grant_type": [GrantType.TOKEN_EXCHANGE], **subject, "scope": ["query"]},
        ],
        "/par": [{**app, **request, "code_challenge_method": ["S256"]}],
        "/device_authorization": [{**tv, "scope": ["query"]}],
        "/revoke": [{**program, "token": ["x"]}, {**app, "token": ["y"]}],
        "/introspect": [{**program, "token": [*values["token"], "x"]}],
        "/oauth/client-info": [program],
        "/register": [{"redirect_uris": [[REDIRECT_URI]], "client_name": ["App", "Näme", ""]}, own],
        "/register/{client_id}": [{**own, "client_id": [managed.client_id]}],
    }


def device_client(server: AuthServer) -> str:
    """The id of a client on a device, always the same."""
    metadata = {"client_name": "TV", "grant_types": [GrantType.DEVICE_CODE], "response_types": []}
    return str(registered(server, metadata)["client_id"])


def registered(server: AuthServer, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a registration from an address that nobody else has."""
    address = ".".join(str(number) for number in SystemEntropy().bytes(4))
    answer = httpx2.post(f"{server.issuer}/register", json=metadata, headers={"X-Forwarded-For": address})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def likely(operation: APIOperation[Any, Any, Any, Any], values: Mapping[str, Sequence[str]], good: Bodies) -> Cases:
    """Requests whose parameters are often real, or all that is needed: what a schema makes up has no meaning."""
    text = st.text(max_size=30)

    def value(name: str) -> st.SearchStrategy[Any]:
        return st.sampled_from([*values.get(name, ()), ""]) | text

    def container(parameters: Iterable[OpenApiParameter]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({each.name: value(each.name) for each in parameters})

    bodies: st.SearchStrategy[Any] = st.just(NOT_SET)
    if operation.body:
        properties = operation.body[0].definition["schema"]["properties"]
        some = st.fixed_dictionaries({}, optional={name: value(name) for name in properties})
        whole = [
            st.fixed_dictionaries({name: st.sampled_from(each) for name, each in body.items()})
            for body in good[operation.path]
        ]
        bodies = st.one_of(some, *whole, *whole)
    kinds = [kind for kind in (FORM, JSON) if kind in operation.get_request_payload_content_types()]
    return st.builds(
        operation.Case,
        path_parameters=st.fixed_dictionaries(
            {each.name: st.sampled_from([*[values[each.name][-1]] * 4, "x"]) for each in operation.path_parameters}
        ),
        query=container(operation.query),
        body=bodies,
        media_type=st.sampled_from(kinds) if kinds else st.none(),
    )


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
@pytest.mark.parametrize("kind", ["likely", *GenerationMode])
def test_whatever_is_sent_the_answer_is_described(
    kind: str | GenerationMode,
    path: str,
    method: str,
    server: AuthServer,
    values: Mapping[str, Sequence[str]],
    good: Bodies,
    managed: Managed,
    credentials: Sequence[str],
) -> None:
    """What is likely to be good is granted some time, so that not everything is refused at the first check."""
    operation = openapi.from_dict(description())[path][method.upper()]
    if isinstance(kind, GenerationMode):
        can_be_wrong = bool(operation.body) or bool(operation.query)
        cases = operation.as_strategy(kind if can_be_wrong else GenerationMode.POSITIVE)
    else:
        cases = likely(operation, {**values, "client_id": [*values["client_id"], managed.client_id]}, good)
    own = f"Bearer {managed.token}" if path.startswith("/register/") else credentials[0]
    statuses = set[int]()
    with requests.Session() as session:

        @settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=[*HealthCheck])
        @given(
            case=cases,
            authorization=st.none() | st.just(own) | st.sampled_from(credentials),
            address=st.ip_addresses(v=4),
        )
        def send(case: Case[Any], authorization: str | None, address: object) -> None:
            case.headers["X-Forwarded-For"] = str(address)
            case.headers.pop("Authorization", None)
            if authorization is not None:
                case.headers["Authorization"] = authorization
            answer = case.call(base_url=server.issuer, session=session)
            statuses.add(answer.status_code)
            if method == "head":
                assert answer.content == b""
            case.validate_response(answer, checks=CHECKS[: 2 if method == "head" else None])

        send()
    assert kind != "likely" or statuses & {200, 201, 204}, statuses


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
