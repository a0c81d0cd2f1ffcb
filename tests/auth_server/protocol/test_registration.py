"""What may be registered: H03–H15, and the quirks of real clients."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth_server.domain.client import GrantType
from auth_server.domain.client_name import safe_name
from auth_server.domain.failures import WIRE, Reason, Refused
from auth_server.protocol import registration

URIS = ["http://localhost/callback"]
SCHEMES = frozenset({"cursor"})


def _register(**metadata: Any) -> registration.Registered:
    return registration.register({"redirect_uris": URIS, **metadata}, SCHEMES, 1.0)


def _refusal(metadata: object) -> Reason:
    with pytest.raises(Refused) as caught:
        registration.register(metadata, SCHEMES, 1.0)
    return caught.value.reason


@pytest.mark.parametrize(
    "uris",
    [
        pytest.param(None, id="h03-missing"),
        pytest.param("http://localhost/callback", id="h03-string"),
        pytest.param([], id="h03-empty"),
        pytest.param([1], id="h03-number"),
        pytest.param([None], id="h03-null"),
        pytest.param([["http://localhost/callback"]], id="h03-nested"),
        pytest.param({"0": "http://localhost/callback"}, id="h03-object"),
        pytest.param([f"https://example.com/{n}" for n in range(100)], id="h03-hundred"),
        pytest.param([*URIS, "javascript:alert(1)"], id="h04-javascript"),
        *(
            pytest.param([*URIS, f"{scheme}:x"], id=f"h04-{scheme}")
            for scheme in (
                "ms-appinstaller",
                "itms-services",
                "search",
                "rdp",
                "ms-settings",
                "zoommtg",
                "slack",
                "vscode",
            )
        ),
        pytest.param([*URIS, "http://example.com/cb"], id="h05-http"),
        pytest.param(["https://*.example.com/cb"], id="h06-wildcard"),
        pytest.param(["\ud800://x"], id="surrogate"),
    ],
)
def test_redirect_uris_that_are_refused(uris: object) -> None:
    assert _refusal({"redirect_uris": uris}) is Reason.INVALID_REDIRECT_URI


@pytest.mark.parametrize("uri", ["cursor://anysphere.cursor-mcp/oauth/callback", "com.example.app:/cb"])
def test_h04_schemes_of_known_apps_and_schemes_with_a_dot_are_taken(uri: str) -> None:
    """RFC 8252 §7.1 wants a domain name in reverse; the operator lists the apps that have none."""
    assert _register(redirect_uris=[uri]).client.redirect_uris == (uri,)


@pytest.mark.parametrize(("length", "taken"), [(2048, True), (2049, False)])
def test_h03_redirect_uris_may_take_two_kib_in_all(length: int, taken: bool) -> None:
    """Our choice: whoever registers without end cannot fill the store with long rows."""
    uris = [f"https://example.com/{n:0200}" for n in range(8)]
    uris.append("https://example.com/" + "x" * (length - sum(map(len, uris)) - len("https://example.com/")))
    if taken:
        assert _register(redirect_uris=uris).answer["redirect_uris"] == uris
    else:
        assert _refusal({"redirect_uris": uris}) is Reason.INVALID_REDIRECT_URI


@pytest.mark.parametrize("metadata", [None, [], "x", 1, [{"redirect_uris": URIS}]])
def test_h17_metadata_that_is_not_an_object(metadata: object) -> None:
    assert _refusal(metadata) is Reason.INVALID_CLIENT_METADATA


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "private_key_jwt", "none", "", None])
def test_h07_any_method_is_answered_with_none(method: str | None) -> None:
    registered = _register(token_endpoint_auth_method=method)
    assert registered.answer["token_endpoint_auth_method"] == "none"
    assert not registered.client.confidential
    assert not registered.answer.keys() & {"client_secret", "registration_access_token", "registration_client_uri"}


def test_h08_unknown_and_empty_metadata_is_ignored() -> None:
    plain = _register()
    loaded = _register(
        resource="https://x",
        client_uri=None,
        logo_uri="",
        contacts=[],
        jwks=None,
        scope=None,
        software_id="x",
        x={"y": 1},
    )
    assert loaded == plain


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"grant_types": ["refresh_token"]}, id="h09-no-code-grant"),
        pytest.param({"grant_types": ["implicit"]}, id="h09-only-dropped"),
        pytest.param({"response_types": ["token"]}, id="h09-response-type"),
        pytest.param({"grant_types": "authorization_code"}, id="h09-string"),
        pytest.param({"grant_types": [1]}, id="h09-number"),
        pytest.param({"response_types": {}}, id="h09-object"),
        pytest.param({"client_name": 1}, id="name-number"),
        pytest.param({"scope": ["query"]}, id="scope-list"),
        pytest.param({"jwks": {"keys": []}, "jwks_uri": "https://x"}, id="h11-both"),
        pytest.param({"jwks": {"keys": [{"kty": "EC", "d": "x"}]}}, id="h11-private-key"),
        pytest.param({"jwks": {"keys": [{"kty": "oct", "k": "x"}]}}, id="h11-symmetric-key"),
    ],
)
def test_metadata_that_is_refused(metadata: dict[str, Any]) -> None:
    assert _refusal({"redirect_uris": URIS, **metadata}) is Reason.INVALID_CLIENT_METADATA


def test_h10_privileges_are_not_for_the_asking() -> None:
    registered = _register(
        grant_types=[
            "authorization_code",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        scope="admin query",
        skip_consent=True,
        client_id="client_mine",
        client_secret="mine",
    )
    assert registered.client.grant_types == {GrantType.AUTHORIZATION_CODE}
    assert registered.answer["grant_types"] == ["authorization_code"]
    assert registered.client.client_id.startswith("dcr_")
    assert registered.answer["scope"] == "schemas:read query offline_access"
    assert "mine" not in json.dumps(registered.answer)


@pytest.mark.parametrize("statement", ["e30.e30.", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJFUzI1NiJ9.e30.", "x", 7, {}])
def test_h13_software_statements_that_nobody_signed_are_invalid(statement: object) -> None:
    refused = _refusal({"redirect_uris": URIS, "software_statement": statement})
    assert refused is Reason.SOFTWARE_STATEMENT_NOT_VALID


def test_h13_signed_software_statements_are_not_approved() -> None:
    statement = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"
    refused = _refusal({"redirect_uris": URIS, "software_statement": statement})
    assert refused is Reason.SOFTWARE_STATEMENT_NOT_APPROVED


def test_h10_client_credentials_alone_are_the_operators_to_grant() -> None:
    refused = _refusal({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_basic"})
    assert refused is Reason.CLIENT_CREDENTIALS_NOT_REGISTERED
    assert "ask the operator" in WIRE[refused].description


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Claude Code", "Claude Code"),
        ("  two \n lines\t", "two lines"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("Cl\u200baude", "Claude"),
        ("\u202egpj.exe", "gpj.exe"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("x" * 500, "x" * 79 + "…"),
        ("\ud800x", "x"),
        ("\u2066\u2069", ""),
        ("日本語 🙂", "日本語 🙂"),
    ],
)
def test_b10_h14_names_are_made_safe_to_show(text: str, shown: str) -> None:
    assert safe_name(text) == shown
    registered = _register(client_name=text)
    assert registered.client.name == registered.answer["client_name"] == (shown or "Unnamed client")


def test_h15_the_id_is_a_function_of_the_metadata() -> None:
    first = _register(client_name="A", redirect_uris=["http://localhost:1/cb", "https://example.com/cb"])
    same = _register(client_name=" A", redirect_uris=["https://example.com/cb", "http://localhost:2/cb"], scope="query")
    assert first.client == same.client
    assert first.answer["redirect_uris"] == ["http://localhost:1/cb", "https://example.com/cb"]
    others = [
        _register(client_name="B", redirect_uris=["http://localhost:1/cb", "https://example.com/cb"]),
        _register(client_name="A", redirect_uris=["http://localhost:1/cb"]),
        _register(client_name="A", redirect_uris=["http://localhost:1/cb", "https://example.com/cc"]),
        _register(
            client_name="A",
            redirect_uris=["http://localhost:1/cb", "https://example.com/cb"],
            grant_types=["authorization_code", "refresh_token"],
        ),
    ]
    assert len({first.client.client_id, *(other.client.client_id for other in others)}) == 5


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(
            {
                "client_name": "Claude Code",
                "redirect_uris": ["http://localhost:54213/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "token_endpoint_auth_method": "none",
                "scope": "schemas:read query",
            },
            id="claude-code",
        ),
        pytest.param(
            {
                "client_name": "Visual Studio Code",
                "redirect_uris": [
                    "https://insiders.vscode.dev/redirect",
                    "https://vscode.dev/redirect",
                    "http://127.0.0.1/",
                    "http://127.0.0.1:33418/",
                ],
                "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                "response_types": ["code"],
                "application_type": "native",
            },
            id="vs-code",
        ),
        pytest.param(
            {
                "client_name": "Cursor",
                "redirect_uris": [
                    "cursor://anysphere.cursor-mcp/oauth/callback",
                    "http://localhost:8787/callback",
                    "https://www.cursor.com/agents/mcp/oauth/callback",
                ],
            },
            id="cursor",
        ),
    ],
)
def test_registrations_of_real_clients(metadata: dict[str, Any]) -> None:
    registered = registration.register(metadata, SCHEMES, 1_800_000_000.5)
    assert registered.answer["redirect_uris"] == metadata["redirect_uris"]
    assert registered.answer["client_name"] == metadata["client_name"]
    assert registered.answer["client_id_issued_at"] == 1_800_000_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from(URIS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
_FIELDS = st.sampled_from(
    [
        "redirect_uris",
        "grant_types",
        "response_types",
        "client_name",
        "scope",
        "jwks",
        "jwks_uri",
        "x",
        "application_type",
    ]
)


@given(_JSON | st.dictionaries(_FIELDS, _JSON | st.just(URIS)))
def test_any_json_is_judged_without_a_crash(metadata: object) -> None:
    try:
        registered = registration.register(metadata, SCHEMES, 1.0)
    except Refused:
        return
    json.dumps(registered.answer).encode()


@pytest.mark.parametrize(
    ("scope", "answered"),
    [
        (None, "schemas:read query offline_access"),
        ("query", "schemas:read query offline_access"),
        ("query openid email phone", "schemas:read query offline_access openid email"),
    ],
)
def test_scopes_that_tell_who_somebody_is_are_answered_to_who_speaks_of_them(scope: str | None, answered: str) -> None:
    """Some clients ask for whatever scopes the answer names."""
    assert _register(scope=scope).answer["scope"] == answered


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "none"])
def test_id_tokens_are_signed_with_one_algorithm_whatever_is_asked_for(algorithm: str) -> None:
    answer = _register(id_token_signed_response_alg=algorithm).answer
    assert answer["id_token_signed_response_alg"] == "RS256"
    assert "id_token_signed_response_alg" not in _register().answer
