"""Authlib judges, and never sees what it cannot bear."""

import hashlib
import logging

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auth_server.domain.client import AuthenticationMethod, Client, ClientSecret, GrantType, Registration
from auth_server.domain.credentials import digest
from auth_server.domain.failures import Refused
from auth_server.domain.grant import Grant
from auth_server.protocol import client_auth, parameters
from auth_server.protocol.authlib import authorization_code, client_credentials, refresh_token
from auth_server.protocol.authlib.authorization_code import StoredCode
from auth_server.protocol.authlib.server import TokenDecision, TokenRequest
from auth_server.protocol.client_auth import PresentedCredentials
from tests.auth_server.flows.world import PKCE, basic

NOW = 100.0
POST = AuthenticationMethod.CLIENT_SECRET_POST
CLIENT = Client(
    client_id="client_a",
    name="A",
    registration=Registration.OPERATOR,
    redirect_uris=("http://localhost/cb",),
    grant_types=frozenset(GrantType),
    scopes=frozenset({"query", "schemas:read"}),
    tenant="default",
    created_at=0.0,
    confidential=True,
    secrets=(ClientSecret(digest("cs_right"), 0.0),),
)
GRANT = Grant(
    grant_id="g",
    handle="h",
    client_id="client_a",
    user_id="usr_u",
    tenant="default",
    scopes=frozenset({"query"}),
    resource="https://mcp.example.com/mcp",
    refreshable=True,
    created_at=0.0,
    expires_at=1000.0,
)
CODE = StoredCode("http://localhost:1/cb", PKCE.challenge, GRANT)

_HOSTILE = st.text(max_size=20) | st.sampled_from(
    ['"', "\\", "é", "\x00", "code", "code token", "query", "S256", "plain", "a" * 43, "v" * 43, "client_a"]
)
_NAMES = st.sampled_from(
    ["response_type", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method", "client_id", "nonce"]
) | st.sampled_from(["grant_type", "code", "code_verifier", "refresh_token", "client_secret"])


def decide(grant_type: GrantType, request: TokenRequest, code: StoredCode | None, grant: Grant | None) -> TokenDecision:
    match grant_type:
        case GrantType.AUTHORIZATION_CODE:
            return authorization_code.decide(request, code)
        case GrantType.REFRESH_TOKEN:
            return refresh_token.decide(request, grant)
        case _:
            return client_credentials.decide(request)


@given(st.dictionaries(_NAMES, _HOSTILE))
@example({"response_type": '"'})
@example({"response_type": "é"})
@example({"response_type": "code", "client_id": "client_a", "redirect_uri": 'http://x/"'})
def test_a15_no_authorization_request_crashes(values: dict[str, str]) -> None:
    try:
        authorization_code.allowed_scopes(CLIENT, values)
    except Refused:
        return
    assert values["code_challenge_method"] == "S256"


@given(
    st.dictionaries(_NAMES, _HOSTILE),
    st.none() | st.text(max_size=30) | st.binary(max_size=30).map(lambda raw: "Basic " + raw.hex()),
    st.sampled_from(GrantType),
    st.sampled_from([None, CODE]),
    st.sampled_from([None, GRANT]),
)
@example({"code": "x"}, basic("client_a", "cs_right"), GrantType.AUTHORIZATION_CODE, CODE, None)
@example({}, basic('"', "é"), GrantType.CLIENT_CREDENTIALS, None, None)
def test_d04_no_token_request_crashes(
    values: dict[str, str],
    authorization: str | None,
    grant_type: GrantType,
    code: StoredCode | None,
    grant: Grant | None,
) -> None:
    try:
        given_parameters = parameters.parse([*{**values, "grant_type": grant_type}.items()])
        credentials = client_auth.presented(authorization, given_parameters)
        client = client_auth.authenticate(CLIENT, credentials, NOW)
        decision = decide(grant_type, TokenRequest(client, credentials.method, given_parameters.values), code, grant)
    except Refused:
        return
    assert credentials.secret == "cs_right"
    assert decision.client is CLIENT


@pytest.mark.parametrize(
    ("client_id", "secret"), [("a:b", "c+d"), ("50%", "e%2Bf"), ("é ü", "ß"), ("plain", "with:colons:")]
)
def test_d05_basic_is_form_decoded(client_id: str, secret: str) -> None:
    encoded = [part.replace("%", "%25").replace("+", "%2B").replace(":", "%3A") for part in (client_id, secret)]
    spaced = basic(*(part.replace(" ", "+") for part in encoded))
    presented = client_auth.presented(spaced, parameters.parse([]))
    assert presented == PresentedCredentials(AuthenticationMethod.CLIENT_SECRET_BASIC, client_id, secret)


def test_d03_every_live_secret_is_compared_and_no_other() -> None:
    secrets = (ClientSecret(digest("old"), 0.0, NOW), ClientSecret(digest("new"), 1.0))
    client = Client(**{**{name: getattr(CLIENT, name) for name in CLIENT.__slots__}, "secrets": secrets})
    assert client_auth.secret_matches(client, "new", NOW)
    assert client_auth.secret_matches(client, "old", NOW - 1)
    assert not client_auth.secret_matches(client, "old", NOW)
    assert not client_auth.secret_matches(client, "", NOW)
    assert not client_auth.secret_matches(None, "new", NOW)
    assert not client_auth.secret_matches(None, "", NOW)


def test_authlib_logs_no_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "authlib"):
        values = {
            "grant_type": "authorization_code",
            "code": "ac_secret",
            "client_id": "client_a",
            "client_secret": "cs_right",
            "redirect_uri": "http://localhost:1/cb",
            "code_verifier": "v" * 43,
        }
        authorization_code.decide(TokenRequest(CLIENT, POST, values), CODE)
    assert caplog.records
    assert not any(secret in caplog.text for secret in ("cs_right", "ac_secret", "v" * 43))


def test_rfc_7636_appendix_b() -> None:
    """The specification's own pair, through the whole step."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    code = StoredCode("http://localhost:1/cb", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", GRANT)
    request = {
        "grant_type": "authorization_code",
        "code": "x",
        "client_id": "client_a",
        "client_secret": "cs_right",
        "redirect_uri": "http://localhost:1/cb",
        "code_verifier": verifier,
    }
    decision = authorization_code.decide(TokenRequest(CLIENT, POST, request), code)
    assert decision.scopes == {"query"}
    wrong = {**request, "code_verifier": hashlib.sha256(b"x").hexdigest()}
    with pytest.raises(Refused):
        authorization_code.decide(TokenRequest(CLIENT, POST, wrong), code)


def test_insecure_transport_setting_is_of_no_consequence(monkeypatch: pytest.MonkeyPatch) -> None:
    request = {"grant_type": "client_credentials"}
    decisions = []
    for value in ("", "1"):
        monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", value)
        decisions.append(
            client_credentials.decide(TokenRequest(CLIENT, AuthenticationMethod.CLIENT_SECRET_BASIC, request))
        )
    assert decisions[0] == decisions[1]
