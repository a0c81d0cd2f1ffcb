"""The token format is an API between two deployments: golden tokens pin it, attack tokens bear their case's number."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

from shared_kernel import access_token
from shared_kernel.access_token import CLOCK_SKEW, LIFETIME, AccessToken, Claims, Refusal, TokenRefused
from shared_kernel.signer import Signer

ISSUER = "https://auth.example.com"
AUDIENCE = "https://mcp.example.com/mcp"
MINTED_AT = 1767225600

# Minted once; never minted anew when the code changes. A reader that refuses it breaks a running deployment.
GOLDEN_KEY: dict[str, str | list[str]] = {
    "kty": "EC",
    "crv": "P-256",
    "x": "gPti4CHg3x3BIIELLDMCpKvSBQ58CGsqqs2qNTaMzu0",
    "y": "x7qslWJVra6cSODhWirXdU4BXU0hOeGZr6C3wBo3UNg",
    "use": "sig",
    "kid": "67QsKsXfvZDAhEYaYH_JRX8HVm99TDAEt21__ITZ4a0",
}
GOLDEN_TOKEN = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjY3UXNLc1hmdlpEQWhFWWFZSF9KUlg4SFZtOTlUREFFdDIxX19JVFo0YTAifQ"
    ".eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJzdWIiOiJ1c3JfNFpxMW1YMGFSN2MiLCJhdWQiOiJodHRwczovL21jcC5leGFtcGxl"
    "LmNvbS9tY3AiLCJjbGllbnRfaWQiOiJjbGllbnRfN0hkMmtRIiwic2NvcGUiOiJzY2hlbWFzOnJlYWQgcXVlcnkgb2ZmbGluZV9hY2Nlc3MiLCJp"
    "YXQiOjE3NjcyMjU2MDAsIm5iZiI6MTc2NzIyNTYwMCwiZXhwIjoxNzY3MjI2MjAwLCJqdGkiOiJ0b2tfMUo1cyIsImdpZCI6ImdyYW50XzlZeDMi"
    "LCJ0ZW5hbnQiOiJkZWZhdWx0In0"
    ".5OWZ6UU0H6kjjoqq0xWOZ2LVS1VnkyHaLwVGq9m2J6FsQp3s7x8Ck3ooIOXtdumHL1EJBK-LCmsrfFzyF4WphA"
)
GOLDEN_CLAIMS = AccessToken(
    issuer=ISSUER,
    subject="usr_4Zq1mX0aR7c",
    audience=AUDIENCE,
    client_id="client_7Hd2kQ",
    scopes=frozenset({"schemas:read", "query", "offline_access"}),
    issued_at=MINTED_AT,
    expires_at=MINTED_AT + 600,
    token_id="tok_1J5s",
    grant_handle="grant_9Yx3",
    tenant="default",
    key_id="67QsKsXfvZDAhEYaYH_JRX8HVm99TDAEt21__ITZ4a0",
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "usr_1",
    "aud": AUDIENCE,
    "client_id": "client_1",
    "scope": "query",
    "iat": MINTED_AT,
    "nbf": MINTED_AT,
    "exp": MINTED_AT + LIFETIME,
    "jti": "jti_1",
    "gid": "gid_1",
    "tenant": "default",
}


def signing_key() -> ECKey:
    """A fresh key pair that carries its thumbprint as `kid`."""
    key = ECKey.generate_key("P-256", {"use": "sig"}, auto_kid=True)
    assert key.kid
    return key


KEY = signing_key()
HEADER: dict[str, Any] = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}


def encoded(content: bytes | dict[str, Any]) -> str:
    """One segment of a compact JWS."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def es256(signing_input: str, key: ECKey = KEY, *, high: bool = False) -> bytes:
    """The raw signature (RFC 7518 §3.4), made without the library that checks it; `high` takes the greater s."""
    private = serialization.load_pem_private_key(key.as_pem(private=True), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = utils.decode_dss_signature(private.sign(signing_input.encode(), ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32) + (max if high else min)(s, P256_ORDER - s).to_bytes(32)


def signed(header: bytes | dict[str, Any] = HEADER, claims: bytes | dict[str, Any] = CLAIMS, key: ECKey = KEY) -> str:
    """A token with a good signature over whatever header and claims an attacker with the key could write."""
    signing_input = f"{encoded(header)}.{encoded(claims)}"
    return f"{signing_input}.{encoded(es256(signing_input, key))}"


def verified(token: str, now: float = MINTED_AT + 1.0) -> AccessToken:
    """Verifies as mcp-server does."""
    return access_token.verify(token, keys={str(KEY.kid): KEY}, issuer=ISSUER, audience=AUDIENCE, now=now)


def refusal(token: str, now: float = MINTED_AT + 1.0) -> Refusal:
    """Why the token is refused; fails the test when it is accepted."""
    with pytest.raises(TokenRefused) as refused:
        verified(token, now)
    return refused.value.reason


def test_a_golden_token_of_the_current_format_is_read() -> None:
    key = ECKey.import_key(GOLDEN_KEY)
    claims = access_token.verify(
        GOLDEN_TOKEN, keys={GOLDEN_CLAIMS.key_id: key}, issuer=ISSUER, audience=AUDIENCE, now=MINTED_AT + 60
    )
    assert claims == GOLDEN_CLAIMS


def test_what_is_minted_today_has_the_golden_tokens_form() -> None:
    """Header and claims byte for byte; only the signature, which is randomised, differs."""
    key = ECKey.generate_key("P-256", {"use": "sig", "kid": GOLDEN_CLAIMS.key_id})
    claims = Claims(
        issuer=ISSUER,
        subject="usr_4Zq1mX0aR7c",
        audience=AUDIENCE,
        client_id="client_7Hd2kQ",
        scopes=frozenset({"offline_access", "query", "schemas:read"}),
        tenant="default",
        grant_handle="grant_9Yx3",
        token_id="tok_1J5s",
    )
    token = access_token.issue(Signer(key), claims, MINTED_AT + 0.9)
    assert token.split(".")[:2] == GOLDEN_TOKEN.split(".")[:2]


@pytest.mark.parametrize(("lifetime", "lives"), [(1, 1), (200, 200), (600, 600), (601, 600)])
def test_a_token_may_live_shorter_and_never_longer(lifetime: int, lives: int) -> None:
    claims = Claims(
        issuer=ISSUER,
        subject="usr_1",
        audience=AUDIENCE,
        client_id="client_1",
        scopes=frozenset({"query"}),
        tenant="default",
        grant_handle="gid_1",
        token_id="jti_1",
    )
    token = verified(access_token.issue(Signer(KEY), claims, MINTED_AT, lifetime))
    assert token.expires_at - token.issued_at == lives


THUMBPRINT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_a_token_can_be_bound_to_a_key() -> None:
    """RFC 9449 §6.1."""
    claims = Claims(
        issuer=ISSUER,
        subject="usr_1",
        audience=AUDIENCE,
        client_id="client_1",
        scopes=frozenset({"query"}),
        tenant="default",
        grant_handle="gid_1",
        token_id="jti_1",
        key_thumbprint=THUMBPRINT,
    )
    token = access_token.issue(Signer(KEY), claims, MINTED_AT)
    payload = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["cnf"] == {"jkt": THUMBPRINT}
    assert verified(token).key_thumbprint == THUMBPRINT
    assert verified(signed()).key_thumbprint is None


@pytest.mark.parametrize(
    "confirmation",
    [None, {}, THUMBPRINT, {"jkt": 7}, {"jkt": "short"}, {"x5t#S256": THUMBPRINT}, {"jkt": THUMBPRINT, "kid": "a"}],
)
def test_i16_a_binding_that_cannot_be_checked_is_not_ignored(confirmation: object) -> None:
    """RFC 9068 tokens may be bound to certificates, too; whoever bound one does not want it taken from a bearer."""
    assert refusal(signed(claims=CLAIMS | {"cnf": confirmation})) is Refusal.BAD_CLAIMS


def test_a_token_without_a_scope_claim_has_no_scopes() -> None:
    """RFC 9068 §2.2.3 makes the claim optional."""
    assert verified(signed(claims={k: v for k, v in CLAIMS.items() if k != "scope"})).scopes == frozenset()


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_is_compared_as_a_media_type(typ: str) -> None:
    """RFC 7515 §4.1.9: media type names compare without case, their "application/" may be left out."""
    assert verified(signed({**HEADER, "typ": typ})).subject == "usr_1"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, 0, ["ES256"], "es256"])
def test_f01_an_unsigned_token_is_refused(alg: object) -> None:
    unsigned = f"{encoded({**HEADER, 'alg': alg})}.{encoded(CLAIMS)}."
    assert refusal(unsigned) is Refusal.WRONG_ALGORITHM


def test_f01_a_good_header_with_an_empty_signature_is_refused() -> None:
    assert refusal(f"{encoded(HEADER)}.{encoded(CLAIMS)}.") is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", ["HS256", "RS256", "ES384", "EdDSA"])
def test_f02_a_token_signed_with_the_public_key_as_secret_is_refused(algorithm: str) -> None:
    """RFC 8725 §2.1: the key material is public, so an HMAC keyed with it proves nothing."""
    signing_input = f"{encoded({**HEADER, 'alg': algorithm})}.{encoded(CLAIMS)}"
    for secret in (KEY.as_pem(private=False), json.dumps(KEY.as_dict(private=False)).encode()):
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        assert refusal(f"{signing_input}.{encoded(mac)}") is Refusal.WRONG_ALGORITHM


def test_f03_a_key_that_is_not_published_is_refused() -> None:
    stranger = signing_key()
    assert refusal(signed({**HEADER, "kid": stranger.kid}, key=stranger)) is Refusal.UNKNOWN_KEY
    assert refusal(signed(key=stranger)) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize(
    "kid", ["../../../../dev/null", "x' OR '1'='1", "https://evil.example/jwks.json", "", "\x00", "a" * 2000]
)
def test_f04_a_key_id_is_only_ever_compared(kid: str) -> None:
    assert refusal(signed({**HEADER, "kid": kid})) is Refusal.UNKNOWN_KEY


@pytest.mark.parametrize("kid", [None, 1, ["k"], {"k": 1}])
def test_f04_a_key_id_that_is_not_a_string_is_refused(kid: object) -> None:
    assert refusal(signed({**HEADER, "kid": kid})) is Refusal.UNKNOWN_KEY


def test_f05_a_key_inside_the_token_is_not_used() -> None:
    stranger = signing_key()
    header = {
        **HEADER,
        "jwk": stranger.as_dict(private=False),
        "jku": "https://evil.example/jwks.json",
        "x5u": "https://evil.example/cert.pem",
    }
    assert refusal(signed(header, key=stranger)) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("extension", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"crit": []}])
def test_f06_a_critical_extension_is_refused(extension: dict[str, Any]) -> None:
    assert refusal(signed({**HEADER, **extension})) is Refusal.CRITICAL_HEADER


@pytest.mark.parametrize("typ", ["JWT", "jwt", "", None, "at+jwt2", "id_token+jwt", "dpop+jwt", "revocations+jwt", 1])
def test_f07_another_type_of_jwt_is_refused(typ: object) -> None:
    assert refusal(signed({**HEADER, "typ": typ})) is Refusal.WRONG_TYPE


def test_f07_a_token_without_type_is_refused() -> None:
    assert refusal(signed({k: v for k, v in HEADER.items() if k != "typ"})) is Refusal.WRONG_TYPE


@pytest.mark.parametrize(
    "audience",
    [
        "https://mcp.example.com/mcp-other",
        "https://mcp.example.com/",
        "https://mcp.example.com/mcp/",
        "https://MCP.example.com/mcp",
        "https://other.example.com/mcp",
        [AUDIENCE, "https://other.example.com/mcp"],
        [AUDIENCE],
        "",
        None,
        {"aud": AUDIENCE},
    ],
)
def test_f08_a_token_for_another_audience_is_refused(audience: object) -> None:
    assert refusal(signed(claims={**CLAIMS, "aud": audience})) is Refusal.WRONG_AUDIENCE


def test_roles_are_carried_and_tokens_without_them_are_read() -> None:
    assert verified(signed(claims={**CLAIMS, "roles": ["admin", "owner"]})).roles == {"admin", "owner"}
    assert verified(signed(claims=CLAIMS)).roles == frozenset()


@pytest.mark.parametrize("roles", ["admin", ["admin", 7], [""], {"admin": True}, None, [["admin"]]])
def test_malformed_roles_are_refused(roles: object) -> None:
    assert refusal(signed(claims={**CLAIMS, "roles": roles})) is Refusal.BAD_CLAIMS


@pytest.mark.parametrize("issuer", ["https://auth.example.com/", "https://AUTH.example.com", "https://evil.example"])
def test_f09_a_token_of_another_issuer_is_refused(issuer: str) -> None:
    assert refusal(signed(claims={**CLAIMS, "iss": issuer})) is Refusal.WRONG_ISSUER


def test_f10_a_token_that_lives_longer_than_tokens_do_is_refused() -> None:
    """Whoever stole a signing key must not forge what outlives the key's withdrawal."""
    assert verified(signed(claims={**CLAIMS, "exp": MINTED_AT + LIFETIME})).expires_at == MINTED_AT + LIFETIME
    for lifetime in (LIFETIME + 1, 10 * 365 * 86400):
        token = signed(claims={**CLAIMS, "exp": MINTED_AT + lifetime})
        assert refusal(token) is Refusal.TOO_LONG_LIVED
        assert refusal(token, now=MINTED_AT + LIFETIME + 5) is Refusal.TOO_LONG_LIVED


def test_f10_i18_a_token_lives_until_its_expiry_and_the_skew_have_passed() -> None:
    end = MINTED_AT + LIFETIME + CLOCK_SKEW
    assert verified(signed(), end - 0.001).subject == "usr_1"
    assert refusal(signed(), end) is Refusal.EXPIRED
    assert refusal(signed(), end + 1) is Refusal.EXPIRED


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_f10_i18_a_token_from_the_future_is_refused(claim: str) -> None:
    ahead = MINTED_AT + 500
    token = signed(claims={**CLAIMS, claim: ahead})
    assert verified(token, ahead - CLOCK_SKEW).subject == "usr_1"
    assert refusal(token, ahead - CLOCK_SKEW - 0.001) is Refusal.NOT_YET_VALID


@pytest.mark.parametrize(
    ("claim", "reason"),
    [(claim, Refusal.BAD_CLAIMS) for claim in CLAIMS if claim not in {"aud", "scope"}]
    + [("aud", Refusal.WRONG_AUDIENCE)],
)
def test_f11_a_missing_claim_is_refused(claim: str, reason: Refusal) -> None:
    assert refusal(signed(claims={k: v for k, v in CLAIMS.items() if k != claim})) is reason


@pytest.mark.parametrize("claim", ["iss", "sub", "client_id", "jti", "gid", "tenant"])
@pytest.mark.parametrize("value", ["", None, 7, ["usr_1"], True])
def test_f11_a_claim_of_the_wrong_type_is_refused(claim: str, value: object) -> None:
    assert refusal(signed(claims={**CLAIMS, claim: value})) is Refusal.BAD_CLAIMS


@pytest.mark.parametrize("claim", ["iat", "nbf", "exp"])
@pytest.mark.parametrize("value", [b"1e999", b"NaN", b"Infinity", b'"9999999999"', b"true", b"null", b"1767226200.5"])
def test_f11_a_time_that_is_not_an_integer_is_refused(claim: str, value: bytes) -> None:
    claims = json.dumps({**CLAIMS, claim: "@"}).encode().replace(b'"@"', value)
    assert refusal(signed(claims=claims)) is Refusal.BAD_CLAIMS


@pytest.mark.parametrize("value", ["query  query", "query\tx", 'a"b', ["query"], 5, "x" * 2000])
def test_a_malformed_scope_claim_is_refused(value: object) -> None:
    assert refusal(signed(claims={**CLAIMS, "scope": value})) is Refusal.BAD_CLAIMS


@pytest.mark.parametrize(
    "mutilated",
    [
        lambda h, p, s: f"{h}.{p}.{s[:-1]}{'A' if s[-1] != 'A' else 'B'}",
        lambda h, p, s: f"{h}.{p}.{s[:-2]}",
        lambda h, p, s: f"{h}.{p}.{s}AA",
        lambda h, p, s: f"{h}.{p}.{s[:9]}!{s[9:]}",
        lambda h, p, s: f"{h}.{p}.{s}==",
        lambda h, p, s: f"{h}.{p}.{s}\n",
        lambda h, p, s: f"{h}.{p}A.{s}",
        lambda h, p, s: f"{h}.{p}=.{s}",
        # Both halves zero: CVE-2022-21449.
        lambda h, p, s: f"{h}.{p}.{'A' * 86}",
    ],
)
def test_f16_a_mutilated_signature_or_payload_is_refused(mutilated: Any) -> None:
    assert refusal(mutilated(*signed().split("."))) is Refusal.BAD_SIGNATURE


def test_f16_the_other_signature_that_follows_from_a_good_one_is_refused() -> None:
    """(r, n - s) verifies wherever (r, s) does; a token must not have two texts."""
    signing_input = f"{encoded(HEADER)}.{encoded(CLAIMS)}"
    assert verified(f"{signing_input}.{encoded(es256(signing_input))}").token_id == "jti_1"
    assert refusal(f"{signing_input}.{encoded(es256(signing_input, high=True))}") is Refusal.BAD_SIGNATURE


def test_f16_what_is_minted_has_the_signature_that_is_accepted() -> None:
    claims = Claims(
        issuer=ISSUER,
        subject="usr_1",
        audience=AUDIENCE,
        client_id="client_1",
        scopes=frozenset(),
        tenant="default",
        grant_handle="gid_1",
        token_id="jti_1",
    )
    for _ in range(20):  # a signature that is not normalised is refused every other time
        verified(access_token.issue(Signer(KEY), claims, MINTED_AT))


def test_f16_a_signature_of_other_claims_is_refused() -> None:
    header, _, signature = signed().split(".")
    more = encoded({**CLAIMS, "scope": "query schemas:read"})
    assert refusal(f"{header}.{more}.{signature}") is Refusal.BAD_SIGNATURE


def test_f16_an_oversized_token_is_refused_unread() -> None:
    assert refusal("a" * 65536) is Refusal.TOO_LONG
    assert refusal(signed(claims={**CLAIMS, "padding": "x" * 8192})) is Refusal.TOO_LONG


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c.d",
        "é.é.é",
        "\x00.\x00.\x00",
        "Bearer x.y.z",
        "x" * 86,
        "[].{}.()",
        "W10.e30.",
    ],
)
def test_f16_garbage_is_refused(token: str) -> None:
    assert refusal(token) is Refusal.MALFORMED


def test_f20_an_encrypted_or_nested_token_is_refused() -> None:
    jwe = ".".join([encoded({"alg": "dir", "enc": "A256GCM", "cty": "JWT"}), "", encoded(b"i"), encoded(b"c"), "dA"])
    assert refusal(jwe) is Refusal.MALFORMED
    assert refusal(signed({**HEADER, "cty": "JWT"}, claims=signed().encode())) is Refusal.BAD_CLAIMS


@pytest.mark.parametrize("name", ["scope", "aud", "exp", "unknown"])
def test_f21_a_repeated_claim_is_refused(name: str) -> None:
    claims = json.dumps({**CLAIMS, name: CLAIMS.get(name, 1)})
    twice = f'{claims[:-1]}, "{name}": {json.dumps(CLAIMS.get(name, 1))}}}'
    assert refusal(signed(claims=twice.encode())) is Refusal.BAD_CLAIMS


def test_f21_a_header_that_names_its_algorithm_twice_is_refused() -> None:
    header = f'{{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"{KEY.kid}"}}'
    assert refusal(signed(header.encode())) is Refusal.MALFORMED


@pytest.mark.parametrize("claims", [b"[]", b"null", b'"x"', b"{", b"", b"\xff\xfe", b"[" * 4000])
def test_signed_bytes_that_are_not_an_object_are_refused(claims: bytes) -> None:
    assert refusal(signed(claims=claims)) is Refusal.BAD_CLAIMS


@given(st.text(max_size=200) | st.text(alphabet="abcdefgeyJ0-_=.", max_size=200))
def test_no_text_makes_verification_fail_in_another_way(token: str) -> None:
    with pytest.raises(TokenRefused):
        verified(token)


@given(
    header=st.dictionaries(
        st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk"]), st.none() | st.text() | st.integers()
    ),
    claims=st.binary(max_size=60),
)
def test_no_signed_content_makes_verification_fail_in_another_way(header: dict[str, Any], claims: bytes) -> None:
    with pytest.raises(TokenRefused):
        verified(signed({**HEADER, **header}, claims))


def test_a_refusal_does_not_repeat_the_token() -> None:
    """F22, on this level: what is raised may be logged."""
    with pytest.raises(TokenRefused) as refused:
        verified(signed(claims={**CLAIMS, "sub": ""}))
    assert str(refused.value) == "bad_claims"
