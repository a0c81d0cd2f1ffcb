"""Proofs of possession (RFC 9449, DPoP): a JWT that a client signs, for one request, with a key of its own.

auth-server binds tokens to the key that signed; mcp-server takes a bound token only beside a proof by the same key. A
proof that was seen before is for the caller to refuse: it is named by `Proof.mark`, and dead after MEMORY seconds.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urljoin, urlsplit

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from shared_kernel import strict_json
from shared_kernel.dpop_nonce import NONCE_SECONDS, Nonces

ALGORITHMS = ("ES256", "Ed25519", "EdDSA", "PS256", "RS256")
"""Those of a proof; asymmetric all (RFC 9449 §4.3)."""
HEADER = "dpop"
"""The request header with the proof."""
MAX_LENGTH = 4096
"""Longest proof read, in characters: one with an RSA key of 4,096 bits has 3,000."""
WINDOW = 60
"""Seconds by which `iat` may differ from now, in either direction."""
MEMORY = NONCE_SECONDS + WINDOW
"""Seconds after which a proof that was good once is good no more; whose clock is fast allows it a little longer."""
_TYPE = "dpop+jwt"
_RSA_BITS = range(2048, 4097)
_MAX_EXPONENT = 2**32
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Defect(Enum):
    """What is wrong with a proof, in words for whoever wrote the client."""

    TOO_LONG = "The DPoP proof is too long."
    MALFORMED = "The DPoP proof is not a JWS in compact form with JSON header and claims."
    TYPE = "The typ of the DPoP proof is not dpop+jwt."
    ALGORITHM = "The alg of the DPoP proof is not served."
    KEY = "The jwk of the DPoP proof is not a public key that fits its alg."
    SIGNATURE = "The signature of the DPoP proof is not that of its jwk."
    CLAIMS = "The DPoP proof lacks jti, htm, htu or iat."
    METHOD = "The htm of the DPoP proof is not the method of this request."
    URL = "The htu of the DPoP proof is not the URL of this request."
    TIME = "The iat of the DPoP proof is not within 60 seconds of now; a nonce stands in for it."
    TOKEN = "The ath of the DPoP proof is not the hash of this access token."
    NONCE = "The DPoP proof must hold the nonce of the DPoP-Nonce header."


class ProofRefused(Exception):
    """The proof is not good for this request; carries the Defect. NONCE asks for another with a fresh nonce."""

    def __init__(self, defect: Defect) -> None:
        super().__init__(defect.name)
        self.defect = defect


@dataclass(frozen=True, slots=True)
class Proof:
    """A good proof: the thumbprint (RFC 7638) of the key, and a digest that names this proof among all."""

    thumbprint: str
    mark: str


def is_thumbprint(text: str) -> bool:
    """Whether the text has the form of a key's SHA-256 thumbprint."""
    return _THUMBPRINT.fullmatch(text) is not None


def verify(
    text: str,
    *,
    method: str,
    url: str,
    nonces: Nonces,
    now: float,
    nonce_required: bool = False,
    access_token: str | None = None,
) -> Proof:
    """Judges a proof for a request to that URL, as clients know it (RFC 9449 §4.3). Raises ProofRefused.

    `access_token` is the token that comes with the request, None where it asks for one.
    """
    key, claims = _signed(text)
    token_id, issued_at, nonce = claims.get("jti"), claims.get("iat"), claims.get("nonce")
    if not isinstance(token_id, str) or not token_id or not isinstance(issued_at, (int, float)):
        raise ProofRefused(Defect.CLAIMS)
    if claims.get("htm") != method:
        raise ProofRefused(Defect.METHOD)
    if _normal(claims.get("htu")) != _normal(url):
        raise ProofRefused(Defect.URL)
    if access_token is not None and claims.get("ath") != _digest(access_token):
        raise ProofRefused(Defect.TOKEN)
    if nonce is not None or nonce_required:
        if not isinstance(nonce, str) or not nonces.is_live(nonce, now):
            raise ProofRefused(Defect.NONCE)
    # RFC 9449 §11.1: a nonce that holds the server's time stands in for `iat`, whatever the client's clock says.
    elif not now - WINDOW <= issued_at <= now + WINDOW:
        raise ProofRefused(Defect.TIME)
    thumbprint = key.thumbprint()
    return Proof(thumbprint, _digest(f"{thumbprint} {method} {_normal(url)} {token_id}"))


def _signed(text: str) -> tuple[ECKey | RSAKey | OKPKey, dict[str, Any]]:
    """The key in a proof, and the claims that it has signed."""
    if len(text) > MAX_LENGTH:
        raise ProofRefused(Defect.TOO_LONG)
    segments = text.split(".")
    if len(segments) != 3 or not text.isascii():
        raise ProofRefused(Defect.MALFORMED)
    header = _json_object(segments[0])
    if header.get("typ") != _TYPE:
        raise ProofRefused(Defect.TYPE)
    # RFC 7515 §4.1.11: we understand no extension, so any "crit" makes the JWS invalid.
    if "crit" in header:
        raise ProofRefused(Defect.MALFORMED)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise ProofRefused(Defect.ALGORITHM)
    key = _public_key(header.get("jwk"), algorithm)
    try:
        signed = jws.deserialize_compact(text, key, algorithms=[algorithm], registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise ProofRefused(Defect.SIGNATURE) from error
    try:
        return key, strict_json.parse_object(signed.payload)
    except strict_json.Unreadable as error:
        raise ProofRefused(Defect.MALFORMED) from error


class _Registry(jws.JWSRegistry):
    """Takes the algorithms of proofs without joserfc's warning that RFC 9864 has another name for EdDSA."""

    max_header_length = MAX_LENGTH

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


_REGISTRY = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


def _public_key(jwk: Any, algorithm: str) -> ECKey | RSAKey | OKPKey:
    # RFC 9449 §4.2: "It MUST NOT contain a private key."
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys():
        raise ProofRefused(Defect.KEY)
    # Only what makes the key: neither `use` nor `alg` nor any other member of it decides anything.
    shape = {name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if isinstance(jwk.get(name), str)}
    try:
        match shape.get("kty"), shape.get("crv"), algorithm:
            case "EC", "P-256", "ES256":
                return ECKey.import_key(shape)
            case "OKP", "Ed25519", "Ed25519" | "EdDSA":
                return OKPKey.import_key(shape)
            case "RSA", None, "PS256" | "RS256":
                return _rsa_key(shape)
            case _:
                raise ProofRefused(Defect.KEY)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProofRefused(Defect.KEY) from error


def _rsa_key(shape: dict[str, Any]) -> RSAKey:
    """A key whose use costs little: a stranger chooses its size."""
    bits = int.from_bytes(urlsafe_b64decode(shape["n"].encode())).bit_length()
    exponent = int.from_bytes(urlsafe_b64decode(shape["e"].encode()))
    if bits not in _RSA_BITS or not 3 <= exponent < _MAX_EXPONENT:
        raise ProofRefused(Defect.KEY)
    return RSAKey.import_key(shape)


def _json_object(segment: str) -> dict[str, Any]:
    try:
        return strict_json.parse_object(urlsafe_b64decode(segment.encode()))
    except ValueError as error:
        raise ProofRefused(Defect.MALFORMED) from error


def _normal(url: Any) -> str | None:
    """The URL without query and fragment, after RFC 3986 §6.2.2 and §6.2.3; None for what is no http(s) URL."""
    if not isinstance(url, str) or not url.isascii() or any(char <= " " or char == "\\" for char in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    authority = host if port in {None, _DEFAULT_PORTS[parts.scheme]} else f"{host}:{port}"
    return urljoin(f"{parts.scheme}://{authority}/", _ESCAPE.sub(_normal_escape, parts.path) or "/")


def _normal_escape(escape: re.Match[str]) -> str:
    char = chr(int(escape[1], 16))
    return char if char in _UNRESERVED else escape[0].upper()


def _digest(text: str) -> str:
    """SHA-256, in base64url, as `ath` has it."""
    return urlsafe_b64encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()).rstrip(b"=").decode()
