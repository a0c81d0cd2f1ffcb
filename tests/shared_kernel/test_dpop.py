"""Proofs of possession as RFC 9449 has them, and everything that is not one."""

import contextlib
import hashlib
import json
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from shared_kernel import dpop
from shared_kernel.dpop import ALGORITHMS, MAX_LENGTH, MEMORY, WINDOW, Defect, Proof, ProofRefused
from shared_kernel.dpop_nonce import NONCE_SECONDS, SLOT_SECONDS, Nonces
from tests.support.clock import NOON, SettableClock
from tests.support.dpop import DpopKey, b64

URL = "https://auth.example.com/token"
NONCES = Nonces(b"k" * 32, "tests")
KEY = DpopKey(clock=SettableClock())
# RFC 9449 §4.1, figure 2, and §6.1, figure 9.
PUBLISHED = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyV"
    "VFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQ"
    "ndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)
PUBLISHED_KEY = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def verified(text: str, now: float = NOON, **changed: Any) -> Proof:
    """Verifies as the token endpoint does."""
    return dpop.verify(text, **{"method": "POST", "url": URL, "nonces": NONCES, "now": now, **changed})


def defect(text: str, now: float = NOON, **changed: Any) -> Defect:
    """What is wrong with the proof; fails the test when it is accepted."""
    with pytest.raises(ProofRefused) as refused:
        verified(text, now, **changed)
    return refused.value.defect


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key that takes long to make."""
    return rsa.generate_private_key(65537, bits)


def test_the_published_proof_is_good() -> None:
    """RFC 9449 gives the proof, and in §6.1 the thumbprint of its key."""
    proof = verified(PUBLISHED, 1562262616.0, url="https://server.example.com/token")
    assert proof.thumbprint == PUBLISHED_KEY


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_that_is_offered_works(algorithm: str) -> None:
    if algorithm == "ES256":
        key = KEY
    else:
        of_rsa = algorithm.endswith("S256")
        key = DpopKey(rsa_key() if of_rsa else ed25519.Ed25519PrivateKey.generate(), algorithm, SettableClock())
    assert verified(key.proof("POST", URL)).thumbprint == key.thumbprint


def test_the_longest_key_that_is_taken_fits_into_a_proof() -> None:
    assert len(DpopKey(rsa_key(4096), "PS256").proof("POST", f"{URL}/{'x' * 200}", "token")) < MAX_LENGTH


def test_each_proof_has_a_mark_of_its_own() -> None:
    first, second = KEY.proof("POST", URL), KEY.proof("POST", URL)
    assert verified(first) == verified(first)
    assert verified(first).mark != verified(second).mark
    assert verified(KEY.proof("POST", URL, jti="a")).mark == verified(KEY.proof("POST", URL, jti="a", x=1)).mark


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param({"typ": "JWT"}, Defect.TYPE, id="i16-another-type"),
        pytest.param({"typ": None}, Defect.TYPE, id="i16-no-type"),
        pytest.param({"typ": 7}, Defect.TYPE, id="i16-a-number-as-type"),
        pytest.param({"alg": "none"}, Defect.ALGORITHM, id="i16-alg-none"),
        pytest.param({"alg": "HS256"}, Defect.ALGORITHM, id="i16-symmetric"),
        pytest.param({"alg": "ES384"}, Defect.ALGORITHM, id="i16-not-served"),
        pytest.param({"alg": None}, Defect.ALGORITHM, id="i16-no-alg"),
        pytest.param({"alg": ["ES256"]}, Defect.ALGORITHM, id="i16-a-list-as-alg"),
        pytest.param({"alg": "RS256"}, Defect.KEY, id="i16-alg-of-another-key"),
        pytest.param({"crit": ["x"], "x": 1}, Defect.MALFORMED, id="i16-critical-extension"),
        pytest.param({"jwk": None}, Defect.KEY, id="i16-no-key"),
        pytest.param({"jwk": "x"}, Defect.KEY, id="i16-key-is-text"),
        pytest.param({"jwk": {}}, Defect.KEY, id="i16-empty-key"),
        pytest.param({"jwk": KEY.jwk | {"d": "AAAA"}}, Defect.KEY, id="i16-private-key"),
        pytest.param({"jwk": {"kty": "oct", "k": "AAAA"}}, Defect.KEY, id="i16-symmetric-key"),
        pytest.param({"jwk": KEY.jwk | {"crv": "P-384"}}, Defect.KEY, id="i16-another-curve"),
        pytest.param({"jwk": KEY.jwk | {"y": KEY.jwk["x"]}}, Defect.KEY, id="i16-not-on-the-curve"),
        pytest.param({"jwk": KEY.jwk | {"x": 7}}, Defect.KEY, id="i16-a-number-as-coordinate"),
        pytest.param({"jwk": KEY.jwk | {"x": "*"}}, Defect.KEY, id="i16-no-base64"),
        pytest.param({"jwk": DpopKey().jwk}, Defect.SIGNATURE, id="i16-key-of-another"),
    ],
)
def test_a_header_that_is_not_a_proofs(header: dict[str, Any], expected: Defect) -> None:
    """RFC 9449 §4.3 points 4 to 7."""
    claims = {"jti": "a", "htm": "POST", "htu": URL, "iat": int(NOON)}
    assert defect(KEY.signed(header, claims)) is expected


def test_i16_a_key_that_would_be_dear_to_use_is_not_used() -> None:
    """We chose the bounds: a stranger picks the key, and each verification is ours to pay."""
    for jwk in ({"n": b64(b"\xff" * 1024)}, {"n": b64(b"\xff" * 128)}, {"e": b64(b"\xff" * 200)}, {"e": "AQ"}):
        key = DpopKey(rsa_key(), "RS256").jwk | jwk
        claims = {"jti": "a", "htm": "POST", "htu": URL, "iat": int(NOON)}
        assert defect(KEY.signed({"alg": "RS256", "jwk": key}, claims)) is Defect.KEY


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({"jti": None}, Defect.CLAIMS, id="i16-no-jti"),
        pytest.param({"jti": ""}, Defect.CLAIMS, id="i16-empty-jti"),
        pytest.param({"jti": 7}, Defect.CLAIMS, id="i16-a-number-as-jti"),
        pytest.param({"iat": None}, Defect.CLAIMS, id="i16-no-iat"),
        pytest.param({"iat": "1"}, Defect.CLAIMS, id="i16-iat-is-text"),
        pytest.param({"htm": "GET"}, Defect.METHOD, id="i16-another-method"),
        pytest.param({"htm": "post"}, Defect.METHOD, id="i16-method-in-another-case"),
        pytest.param({"htm": None}, Defect.METHOD, id="i16-no-method"),
        pytest.param({"htu": None}, Defect.URL, id="i16-no-url"),
        pytest.param({"htu": "/token"}, Defect.URL, id="i16-relative-url"),
        pytest.param({"htu": "https://auth.example.com/par"}, Defect.URL, id="i16-another-path"),
        pytest.param({"htu": "https://auth.example.com/token/"}, Defect.URL, id="i16-slash-behind"),
        pytest.param({"htu": "https://auth.example.com/TOKEN"}, Defect.URL, id="i16-path-in-another-case"),
        pytest.param({"htu": "http://auth.example.com/token"}, Defect.URL, id="i16-another-scheme"),
        pytest.param({"htu": "https://auth.example.com:444/token"}, Defect.URL, id="i16-another-port"),
        pytest.param({"htu": "https://auth.example.com.evil/token"}, Defect.URL, id="i16-another-host"),
        pytest.param({"htu": "https://auth.example.com@evil/token"}, Defect.URL, id="i16-userinfo"),
        pytest.param({"htu": "https://auth.example.com/%2Ftoken"}, Defect.URL, id="i16-escaped-slash"),
        pytest.param({"htu": "https://auth.example.com\\token"}, Defect.URL, id="i16-backslash"),
        pytest.param({"htu": "https://auth.example.com:x/token"}, Defect.URL, id="i16-no-port"),
        pytest.param({"htu": [URL]}, Defect.URL, id="i16-a-list-as-url"),
        pytest.param({"iat": NOON - WINDOW - 1}, Defect.TIME, id="i16-old"),
        pytest.param({"iat": NOON + WINDOW + 1}, Defect.TIME, id="i16-of-the-future"),
        pytest.param({"iat": 10**400}, Defect.TIME, id="i16-time-without-end"),
        pytest.param({"nonce": "made up"}, Defect.NONCE, id="i16-nonce-of-nobody"),
        pytest.param({"nonce": 7}, Defect.NONCE, id="i16-a-number-as-nonce"),
    ],
)
def test_claims_of_another_request(changed: dict[str, Any], expected: Defect) -> None:
    """RFC 9449 §4.3 points 8 to 11."""
    assert defect(KEY.proof("POST", URL, **changed)) is expected


@pytest.mark.parametrize(
    "spelling",
    [
        "HTTPS://AUTH.example.com/token",
        "https://auth.example.com:443/token",
        "https://auth.example.com/%74oken",
        "https://auth.example.com/a/../token",
        "https://auth.example.com/token?a=b#c",
    ],
)
def test_another_spelling_of_the_url_is_the_same_url(spelling: str) -> None:
    """RFC 9449 §4.3: "servers SHOULD employ Syntax-Based Normalization [...] and Scheme-Based Normalization"."""
    assert verified(KEY.proof("POST", spelling, jti="a")).mark == verified(KEY.proof("POST", URL, jti="a")).mark


def test_a_url_without_path_has_the_empty_one() -> None:
    assert verified(KEY.proof("POST", "https://h"), url="https://h/")


def test_clocks_may_differ_by_a_minute() -> None:
    for shift in (-WINDOW, WINDOW, 0.5):
        assert verified(KEY.proof("POST", URL, iat=NOON + shift))


def test_i16_a_proof_is_for_one_token() -> None:
    proof = KEY.proof("POST", URL, "a token")
    assert verified(proof, access_token="a token")
    assert defect(proof, access_token="another") is Defect.TOKEN
    assert defect(KEY.proof("POST", URL), access_token="a token") is Defect.TOKEN


def test_i16_a_nonce_can_be_demanded() -> None:
    nonce = NONCES.current(NOON)
    assert defect(KEY.proof("POST", URL), nonce_required=True) is Defect.NONCE
    assert verified(KEY.proof("POST", URL, nonce=nonce), nonce_required=True)
    assert verified(KEY.proof("POST", URL, nonce=nonce))


def test_a_nonce_stands_in_for_a_clock_that_is_wrong() -> None:
    """RFC 9449 §11.1: such nonces "yield the same result even in the face of arbitrarily large clock skews"."""
    assert verified(KEY.proof("POST", URL, nonce=NONCES.current(NOON), iat=0))


@given(st.floats(min_value=0, max_value=SLOT_SECONDS, exclude_max=True))
def test_i16_a_nonce_lives_for_two_or_three_minutes(within: float) -> None:
    given_at = NOON // SLOT_SECONDS * SLOT_SECONDS + within
    nonce = NONCES.current(given_at)
    assert NONCES.is_live(nonce, given_at + SLOT_SECONDS)
    assert NONCES.is_live(nonce, given_at - SLOT_SECONDS)
    assert not NONCES.is_live(nonce, given_at + 2 * SLOT_SECONDS)
    assert NONCE_SECONDS < MEMORY


def test_nonces_depend_on_key_and_purpose() -> None:
    assert not NONCES.is_live(Nonces(b"x" * 32, "tests").current(NOON), NOON)
    assert not NONCES.is_live(Nonces(b"k" * 32, "others").current(NOON), NOON)
    assert Nonces(b"k" * 32, "tests").current(NOON) == NONCES.current(NOON)


@pytest.mark.parametrize(
    "text",
    ["", "..", "a.b", "a.b.c", "a.b.c.d.e", "é.é.é", f"{b64(b'[]')}.{b64(b'{}')}.", f"{b64(b'{')}.{b64(b'{}')}.a"],
)
def test_garbage_is_no_proof(text: str) -> None:
    assert defect(text) is Defect.MALFORMED


def test_i16_a_repeated_name_is_refused() -> None:
    """Two readers could take one for the other."""
    claims = json.dumps({"jti": "a", "htm": "POST", "htu": URL, "iat": int(NOON)})
    assert defect(KEY.signed({}, f'{{"htu": "https://evil", {claims[1:]}'.encode())) is Defect.MALFORMED
    assert defect(KEY.signed({}, b"[]")) is Defect.MALFORMED


def test_i16_what_is_too_long_is_not_read() -> None:
    assert defect(KEY.proof("POST", URL, jti="x" * MAX_LENGTH)) is Defect.TOO_LONG


def test_i16_a_changed_signature_is_none() -> None:
    head, _, signature = KEY.proof("POST", URL).rpartition(".")
    assert defect(f"{head}.{'A' + signature[1:] if signature[0] != 'A' else 'B' + signature[1:]}") is Defect.SIGNATURE
    assert defect(f"{head}.") is Defect.SIGNATURE


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_no_text_crashes_the_reader(header: bytes, claims: bytes, signature: bytes) -> None:
    with pytest.raises(ProofRefused):
        verified(f"{b64(header)}.{b64(claims)}.{b64(signature)}")


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)),
    st.sampled_from(["jti", "htm", "htu", "iat", "nonce"]),
)
def test_no_claim_crashes_the_reader(value: Any, name: str) -> None:
    claims = {"jti": "a", "htm": "POST", "htu": URL, "iat": int(NOON), name: value}
    with contextlib.suppress(ProofRefused):
        verified(KEY.signed({}, claims))


def test_a_thumbprint_has_one_form() -> None:
    assert dpop.is_thumbprint(KEY.thumbprint)
    for text in ("", KEY.thumbprint[1:], KEY.thumbprint + "A", KEY.thumbprint[1:] + "=", hashlib.sha256().hexdigest()):
        assert not dpop.is_thumbprint(text)


def test_the_curve_of_the_key_is_the_algorithms() -> None:
    """P-256 only: another curve has no `crv` that is served."""
    private = ec.generate_private_key(ec.SECP384R1())
    point = private.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-384", "x": b64(point.x.to_bytes(48)), "y": b64(point.y.to_bytes(48))}
    assert defect(KEY.signed({"jwk": jwk}, {"jti": "a"})) is Defect.KEY
