"""Public keys of others, as JWK sets have them (RFC 7517): which can verify a signature here, and which one does."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from shared_kernel import strict_json

MAX_KEYS = 20
MAX_TEXT = 256
"""Most keys of a set, and most characters of a key's id."""
_RSA_BITS = range(2048, 4097)
_MAX_EXPONENT = 2**32
ALGORITHMS = ("ES256", "RS256", "PS256", "EdDSA", "Ed25519")
"""The signatures (RFC 7518 §3, RFC 8037, RFC 9864) that are verified."""
# RFC 9864 calls Ed25519 what used to be EdDSA with that curve; joserfc warns of the old name.
_VERIFIERS: Mapping[str, JWSAlgModel] = {
    name: JWSRegistry.algorithms["Ed25519" if name == "EdDSA" else name] for name in ALGORITHMS
}
_FITTING = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("RSA", None): frozenset({"RS256", "PS256"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
}
_MEMBERS = {"EC": ("kty", "crv", "x", "y"), "RSA": ("kty", "n", "e"), "OKP": ("kty", "crv", "x")}
_KINDS: Mapping[str, type[ECKey] | type[RSAKey] | type[OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


class Defect(StrEnum):
    """What is wrong with a JWK set, in words that its publisher understands."""

    NOT_A_SET = "It is not a JWK set."
    TOO_MANY = "It holds too many keys."
    SECRET = "It holds a key that is not public."
    URL = "It is not at an https URL with a host name in lower case and a path."
    NO_KEY = "It holds no key that can verify ES256, RS256, PS256 or EdDSA."


class UnusableKeySet(ValueError):
    """The JWK set is not usable; carries the Defect."""

    def __init__(self, defect: Defect) -> None:
        super().__init__(defect.value)
        self.defect = defect


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies signatures by these algorithms; `jwk` is what is kept of its JWK."""

    key_id: str | None
    algorithms: frozenset[str]
    key: ECKey | RSAKey | OKPKey
    jwk: Mapping[str, str]


def read(jwks: object) -> tuple[PublicKey, ...]:
    """The keys of a JWK set that are of use here; at least one. Raises UnusableKeySet."""
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise UnusableKeySet(Defect.NOT_A_SET)
    if len(keys) > MAX_KEYS:
        raise UnusableKeySet(Defect.TOO_MANY)
    if any(map(is_secret, keys)):
        raise UnusableKeySet(Defect.SECRET)
    # RFC 7517 §5: "Implementations SHOULD ignore JWKs within a JWK Set that use "kty" [...] not understood"
    usable = tuple(key for key in map(_usable, keys) if key is not None)
    if not usable:
        raise UnusableKeySet(Defect.NO_KEY)
    return usable


def is_secret(jwk: Mapping[str, Any]) -> bool:
    """Whether a JWK holds what nobody should publish: a leaked key must not be trusted, nor what stands beside it."""
    return bool(_PRIVATE_MEMBERS & jwk.keys()) or jwk.get("kty") == "oct"


def parse(document: bytes) -> tuple[PublicKey, ...]:
    """As read(), from JSON."""
    try:
        return read(strict_json.parse_object(document))
    except strict_json.Unreadable as error:
        raise UnusableKeySet(Defect.NOT_A_SET) from error


def as_text(keys: Sequence[PublicKey]) -> str:
    """The keys as a JWK set in JSON, without what is of no use here."""
    return json.dumps({"keys": [dict(key.jwk) for key in keys]}, separators=(",", ":"))


def from_text(text: str) -> tuple[PublicKey, ...]:
    """The keys that as_text() wrote."""
    return read(json.loads(text))


def chosen(keys: Sequence[PublicKey], algorithm: str, key_id: str | None) -> PublicKey | None:
    """The key of that id, or the only one that fits where ids do not tell; None if there is no such key, or several."""
    fitting = [key for key in keys if algorithm in key.algorithms]
    named = [key for key in fitting if key.key_id == key_id]
    if key_id is None:
        named = fitting
    elif not named:
        named = [key for key in fitting if key.key_id is None]
    return named[0] if len(named) == 1 else None


def verifies(key: PublicKey, algorithm: str, signed: bytes, signature: bytes) -> bool:
    """Whether the signature is the key's, by that algorithm, which is one of the key's own."""
    try:
        return _VERIFIERS[algorithm].verify(signed, signature, key.key)
    except (JoseError, ValueError):
        return False


def _usable(jwk: Mapping[str, Any]) -> PublicKey | None:
    kind, key_id = jwk.get("kty"), jwk.get("kid")
    members = _MEMBERS.get(kind, ()) if isinstance(kind, str) else ()
    if not members or not all(isinstance(jwk.get(member), str) for member in members):
        return None
    algorithms = _FITTING.get((str(kind), None if kind == "RSA" else jwk["crv"]), frozenset())
    if jwk.get("use", "sig") != "sig" or (key_id is not None and not _is_short_text(key_id)):
        return None
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        return None
    if (own := jwk.get("alg")) is not None:
        # Both names are of one algorithm.
        algorithms = algorithms if {own} <= {"EdDSA", "Ed25519"} & algorithms else algorithms & {own}
    if not algorithms or (kind == "RSA" and not _is_sound_rsa(jwk["n"], jwk["e"])):
        return None
    kept = {member: jwk[member] for member in members}
    try:
        key = _KINDS[str(kind)].import_key(dict(kept))
    except (JoseError, ValueError):  # not a point of the curve, not base64url
        return None
    more = {name: jwk[name] for name in ("kid", "alg") if jwk.get(name) is not None}
    return PublicKey(key_id, algorithms, key, {**kept, **more})


def _is_short_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT


def _is_sound_rsa(modulus: str, exponent: str) -> bool:
    """Whether an RSA key is long enough to trust, and short enough to verify with at any time."""
    try:
        n, e = (int.from_bytes(urlsafe_b64decode(number.encode("ascii"))) for number in (modulus, exponent))
    except ValueError:
        return False
    return n.bit_length() in _RSA_BITS and n % 2 == 1 and 3 <= e < _MAX_EXPONENT and e % 2 == 1
