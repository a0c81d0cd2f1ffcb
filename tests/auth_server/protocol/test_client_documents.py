"""Client ids that are URLs, and what the documents there may say."""

import json
from typing import Any

import pytest

from auth_server.domain import credentials
from auth_server.domain.client import AuthenticationMethod, Client, GrantType, Registration
from auth_server.domain.failures import Reason, Refused
from auth_server.protocol import client_documents, document_url, registration
from auth_server.protocol.client_documents import LEAST_AGE, MOST_AGE, Defect, Document
from shared_kernel.entropy import SystemEntropy

ISSUER = "https://auth.example.com"
URL = "https://app.example/oauth/client.json"
NOON = 1_800_000_000.0
METADATA = {"client_id": URL, "client_name": "App", "redirect_uris": ["http://127.0.0.1/callback"]}


def read(metadata: Any, max_age: int | None = None) -> Client:
    """The client of a document with this JSON value, or with exactly these bytes."""
    content = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    return client_documents.client(URL, Document(content, max_age), frozenset({"cursor"}), NOON)


def defect(metadata: Any) -> str | None:
    """What is wrong with it."""
    with pytest.raises(Refused) as refused:
        read(metadata)
    assert refused.value.reason is Reason.CLIENT_DOCUMENT_INVALID
    return refused.value.facts.defect


@pytest.mark.parametrize(
    ("client_id", "origin"),
    [
        (URL, "https://app.example"),
        ("https://app.example/", "https://app.example"),
        ("https://app.example:8443/c", "https://app.example:8443"),
        ("https://xn--mnchen-3ya.example/c?v=1", "https://xn--mnchen-3ya.example"),
        ("https://localhost/c", "https://localhost"),
        ("https://app.example/a//b/%7Euser/c", "https://app.example"),
    ],
)
def test_a_url_can_be_a_client_id(client_id: str, origin: str) -> None:
    """What counts against a budget is its origin."""
    assert client_documents.is_document_id(client_id)
    assert document_url.foreign_origin(client_id, ISSUER) == origin


@pytest.mark.parametrize(
    "client_id",
    [
        # G02: no path, dot segments
        "https://app.example", "https://app.example?x=/", "https://app.example/./c", "https://app.example/a/../c",
        "https://app.example/..", "https://app.example/%2e%2e/c", "https://app.example/%2E/c", "https://app.example/.%2e",
        # G03: user information, fragment, backslash, control characters
        "https://user@app.example/c", "https://user:pw@app.example/c", "https://app.example/c#f", "https://app.example/c#",
        "https://app.example\\@evil.example/c", "https://app.example/c\n", "https://app.example/c d", "https://app.example/\x00",
        "https://app.example/c\t", "https://app.example/caf\u00e9", "https://m\u00fcnchen.example/c", "https://app.example/%",
        "https://app.example/%zz",
        # G05, G24: addresses in every spelling
        "https://127.0.0.1/c", "https://2130706433/c", "https://0x7f000001/c", "https://0x7f.1/c", "https://127.1/c",
        "https://0177.0.0.1/c", "https://1.2.3/c", "https://[::1]/c", "https://[fe80::1%25eth0]/c", "https://app.example.0x/c",
        # other spellings of one origin
        "https://APP.example/c", "https://app.example:443/c", "https://app.example./c", "https://app.example:/c",
        "https://app.example:0/c", "https://app.example:65536/c", "https://app.example:08443/c",
        "https://-app.example/c", "https://app..example/c", "https://app_.example/c", "https:///c", "https://",
        # the issuer itself (G22)
        "https://auth.example.com/client.json", "https://auth.example.com/",
        "https://app.example/" + "a" * 1024,
    ],
)  # fmt: skip
def test_g02_g03_g05_g22_g24_any_other_cannot(client_id: str) -> None:
    """Nothing of it is ever fetched."""
    with pytest.raises(Refused) as refused:
        document_url.foreign_origin(client_id, ISSUER)
    assert refused.value.reason is Reason.CLIENT_DOCUMENT_URL


@pytest.mark.parametrize("client_id", ["http://app.example/c", "HTTPS://app.example/c", "dcr_abc", "", "//app.example"])
def test_g01_an_id_without_https_means_no_document(client_id: str) -> None:
    """It is looked up like any registered client's, and found nowhere."""
    assert not client_documents.is_document_id(client_id)


def test_g26_no_id_that_this_server_gives_means_a_document() -> None:
    """Whoever registers cannot pass for a document, nor the other way round."""
    registered = registration.register({"redirect_uris": ["http://127.0.0.1/cb"]}, frozenset(), NOON).client.client_id
    for client_id in (registered, credentials.new_client_id(SystemEntropy())):
        assert not client_documents.is_document_id(client_id)


def test_a_document_makes_a_public_client() -> None:
    """Known by its document, with the scopes that every client may ask for."""
    client = read({**METADATA, "grant_types": ["authorization_code", "refresh_token", "urn:other"]})
    assert client.registration is Registration.DOCUMENT
    assert (client.client_id, client.name, client.host) == (URL, "App", "app.example")
    assert client.redirect_uris == ("http://127.0.0.1/callback",)
    assert client.grant_types == {GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN}
    assert not client.confidential
    assert not client.is_verified


@pytest.mark.parametrize(
    "client_id",
    ["https://app.example/oauth/client.json/", "https://APP.example/oauth/client.json", URL.replace("https", "http"),
     "https://app.example:443/oauth/client.json", URL + "?", URL + "#", None, 7, [URL]],
)  # fmt: skip
def test_g13_a_document_names_the_url_it_was_fetched_from(client_id: object) -> None:
    """Character by character."""
    assert defect({**METADATA, "client_id": client_id}) == Defect.OTHER_CLIENT_ID


@pytest.mark.parametrize("name", [None, "", "   ", "\u202e", 7, ["App"]])
def test_g14_a_document_names_the_client(name: object) -> None:
    """The person must be told something."""
    assert defect({**METADATA, "client_name": name}) == Defect.NO_NAME


@pytest.mark.parametrize(
    "uris",
    [None, [], "http://127.0.0.1/", [7], ["http://app.example/cb"], ["javascript:alert(1)"], ["search:x"],
     ["https://app.example/cb#f"], [None]],
)  # fmt: skip
def test_g14_a_document_has_a_redirect_uri_that_is_acceptable(uris: object) -> None:
    """Those of a kind that nobody may register do not count."""
    assert defect({**METADATA, "redirect_uris": uris}) == Defect.NO_REDIRECT_URI


def test_redirect_uris_that_are_not_acceptable_are_left_out() -> None:
    """The document is written for every server; loopback ports do not matter."""
    uris = [
        "https://app.example/cb",
        "ftp://app.example/",
        "http://localhost:1234/cb",
        "http://localhost/cb",
        "cursor://x/",
    ]
    kept = read({**METADATA, "redirect_uris": uris}).redirect_uris
    assert kept == ("https://app.example/cb", "http://localhost/cb", "cursor://x/")


@pytest.mark.parametrize(
    "member",
    [
        {"client_secret": "x"},
        {"client_secret_expires_at": 0},
        {"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}},
        {"jwks": {"keys": [{"kty": "oct"}]}},
        {"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "c"}]}},
        {"jwks": {"keys": [{"kty": "RSA", "n": "a", "e": "b"}, {"kty": "RSA", "n": "a", "e": "b", "p": "c"}]}},
    ],
    ids=str,
)
def test_g15_a_document_holds_no_secret(member: dict[str, Any]) -> None:
    """Everybody can read it."""
    assert defect({**METADATA, **member}) == Defect.SECRET


@pytest.mark.parametrize(
    "method", ["client_secret_basic", "client_secret_post", "client_secret_jwt", "tls_client_auth", "x"]
)
def test_g15_a_document_of_a_client_that_authenticates_otherwise_is_not_served(method: str) -> None:
    """Shared secrets never."""
    assert defect({**METADATA, "token_endpoint_auth_method": method}) == Defect.AUTHENTICATION
    assert defect({**METADATA, "token_endpoint_auth_methods_supported": [method]}) == Defect.AUTHENTICATION


KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "a",
    "use": "sig",
    "x5t": "x",
    "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
    "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
}
KEYS = {"jwks": {"keys": [KEY]}}
JWKS_URI = {"jwks_uri": "https://app.example/jwks.json"}
NONE, PRIVATE_KEY_JWT = AuthenticationMethod.NONE, AuthenticationMethod.PRIVATE_KEY_JWT


@pytest.mark.parametrize(
    ("singular", "plural", "methods"),
    [
        (None, None, {NONE}),
        ("none", None, {NONE}),
        ("private_key_jwt", None, {PRIVATE_KEY_JWT}),
        (None, ["private_key_jwt"], {PRIVATE_KEY_JWT}),
        (None, ["private_key_jwt", "none"], {NONE, PRIVATE_KEY_JWT}),
        ("private_key_jwt", ["private_key_jwt", "none"], {NONE, PRIVATE_KEY_JWT}),
        ("none", ["private_key_jwt"], {NONE, PRIVATE_KEY_JWT}),
        ("private_key_jwt", ["client_secret_post", 7], {PRIVATE_KEY_JWT}),
        ("none", ["client_secret_post"], {NONE}),
        (None, [], None),
    ],
)
def test_a_client_authenticates_as_its_document_says(singular: Any, plural: Any, methods: Any) -> None:
    """One that lists several ways may use any that is served here."""
    said = {"token_endpoint_auth_method": singular, "token_endpoint_auth_methods_supported": plural}
    for keys in (KEYS, JWKS_URI):
        if methods is None:
            assert defect({**METADATA, **said, **keys}) == Defect.AUTHENTICATION
        else:
            assert read({**METADATA, **said, **keys}).methods == methods


def test_the_keys_of_a_document_are_kept_without_what_is_of_no_use() -> None:
    """And those of a client that does not authenticate by them not at all."""
    client = read({**METADATA, **KEYS, "token_endpoint_auth_method": "private_key_jwt"})
    assert json.loads(str(client.jwks)) == {"keys": [{name: KEY[name] for name in ("kty", "crv", "x", "y", "kid")}]}
    assert (
        read({**METADATA, **JWKS_URI, "token_endpoint_auth_method": "private_key_jwt"}).jwks_uri
        == (JWKS_URI["jwks_uri"])
    )
    assert not read({**METADATA, **KEYS}).has_keys


@pytest.mark.parametrize(
    "keys",
    [{}, {"jwks": {"keys": []}}, {"jwks": {"keys": [{"kty": "EC"}]}}, {**KEYS, **JWKS_URI}, {"jwks": {}},
     *({"jwks_uri": uri} for uri in (
         7, "http://app.example/jwks.json", "https://127.0.0.1/jwks.json", "https://App.example/jwks.json",
         "https://app.example", "https://app.example/../jwks.json", "https://a@app.example/jwks.json"))],
    ids=str,
)  # fmt: skip
def test_g28_a_client_with_keys_that_are_of_no_use_must_do_without(keys: dict[str, Any]) -> None:
    """If it can."""
    must = {**METADATA, **keys, "token_endpoint_auth_method": "private_key_jwt"}
    assert defect(must) == Defect.KEYS
    assert read({**must, "token_endpoint_auth_methods_supported": ["none"]}).methods == {NONE}


def test_a_client_that_can_go_without_authentication_is_served() -> None:
    """Some prefer keys where a server takes them, and say that they can do without."""
    methods = {"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_methods_supported": ["none"]}
    assert not read({**METADATA, **methods}).confidential
    shared = {**methods, "token_endpoint_auth_method": "client_secret_post"}
    assert defect({**METADATA, **shared}) == Defect.AUTHENTICATION


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"client_id": 1, "client_id": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"a": "\\ud800"}',
    ],
    ids=lambda content: content[:24].decode("latin-1"),
)
def test_g16_a_document_is_strict_json(content: bytes) -> None:
    """Nothing that two readers could understand differently."""
    assert defect(content) == Defect.NOT_JSON


@pytest.mark.parametrize(
    "member",
    [{"grant_types": "authorization_code"}, {"response_types": {}}, {"jwks": []}, {"jwks": {"keys": {}}},
     {"jwks": {"keys": ["x"]}}, {"token_endpoint_auth_method": ["none"]},
     {"token_endpoint_auth_methods_supported": "none"}],
    ids=str,
)  # fmt: skip
def test_members_of_the_wrong_type_are_refused(member: dict[str, Any]) -> None:
    """Nothing is guessed."""
    assert defect({**METADATA, **member}) == Defect.WRONG_TYPE


@pytest.mark.parametrize("member", [{"grant_types": ["client_credentials"]}, {"response_types": ["token"]}], ids=str)
def test_a_client_without_the_code_grant_is_refused(member: dict[str, Any]) -> None:
    """There is nothing else that it could do here."""
    assert defect({**METADATA, **member}) == Defect.GRANT_TYPES


def test_a_document_says_what_its_client_demands() -> None:
    assert (read(METADATA).dpop_bound, read(METADATA).par_required) == (False, False)
    demanding = {"dpop_bound_access_tokens": True, "require_pushed_authorization_requests": True}
    assert (read(METADATA | demanding).dpop_bound, read(METADATA | demanding).par_required) == (True, True)
    for name in demanding:
        assert defect({**METADATA, name: "true"}) == Defect.WRONG_TYPE


def test_null_means_absent() -> None:
    """Some publish every field they know."""
    absent = dict.fromkeys(["jwks", "grant_types", "response_types", "token_endpoint_auth_method", "client_uri"])
    assert read({**METADATA, **absent}).name == "App"


@pytest.mark.parametrize(
    ("max_age", "kept"),
    [(None, LEAST_AGE), (1, LEAST_AGE), (3600, 3600.0), (10**8, MOST_AGE), (0, 0.0)],
)
def test_g18_a_document_is_kept_within_bounds(max_age: int | None, kept: float) -> None:
    """Five minutes at least, a day at most; one that must not be kept expires at once."""
    assert read(METADATA, max_age).document_expires_at == NOON + kept
