"""What is made new at each rotation: an EC key that signs access tokens, and an RSA key that signs ID tokens.

OpenID Connect Discovery §3 demands that ID tokens can be signed with RS256, and clients expect it; access tokens are
better off with ES256, which is faster and shorter. Both keys go through life together, under the id of the first.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import base64_to_int

from auth_server.ports.keys import PublicKey
from shared_kernel import signer

NewRsaKey = Callable[[], RSAKey]
"""Makes an RSA key, which takes a tenth of a second or so."""
_CURVE = "P-256"
_RSA_BITS = 2048


def new_rsa_key() -> RSAKey:
    """A fresh key of NIST's least size for today."""
    return RSAKey.generate_key(_RSA_BITS)


@dataclass(frozen=True, slots=True)
class Generation:
    """The keys of a generation, each with its id; one of the first release has no key of its own for ID tokens."""

    access_tokens: ECKey
    id_tokens: RSAKey | None

    @property
    def key_id(self) -> str:
        """The id by which the generation is stored, rotated and withdrawn."""
        return str(self.access_tokens.kid)

    @property
    def keys(self) -> Mapping[str, PublicKey]:
        """Its keys by their ids."""
        keys = (self.access_tokens, self.id_tokens)
        return {str(key.kid): key for key in keys if key is not None}

    def to_json(self, *, private: bool) -> str:
        """The keys as a JWK set."""
        return json.dumps({"keys": [key.as_dict(private=private) for key in self.keys.values()]})


def new_generation(rsa_key: NewRsaKey) -> Generation:
    """Fresh keys; a key's id is its thumbprint (RFC 7638)."""
    ec, rsa = ECKey.generate_key(_CURVE), rsa_key()
    names = {"use": "sig", "alg": signer.ALGORITHM, "kid": ec.thumbprint()}
    return Generation(
        ECKey.import_key({**ec.as_dict(private=True), **names}),
        RSAKey.import_key(rsa.raw_value, {"use": "sig", "alg": "RS256", "kid": rsa.thumbprint()}),
    )


def generation_from(text: str | bytes) -> Generation:
    """The keys in a JWK set, or the one in a JWK, as the first release stored it."""
    document = json.loads(text)
    first, *others = document.get("keys", [document])
    return Generation(ECKey.import_key(first), _rsa_key(others[0]) if others else None)


def _rsa_key(jwk: Mapping[str, str]) -> RSAKey:
    """The key in a JWK.

    A private one is not proven to be one, which takes 30 ms: only what was sealed with the master key gets here.
    """
    if "d" not in jwk:
        return RSAKey.import_key(dict(jwk))
    number = {name: base64_to_int(jwk[name]) for name in ("n", "e", "d", "p", "q", "dp", "dq", "qi")}
    numbers = RSAPrivateNumbers(
        d=number["d"],
        p=number["p"],
        q=number["q"],
        dmp1=number["dp"],
        dmq1=number["dq"],
        iqmp=number["qi"],
        public_numbers=RSAPublicNumbers(number["e"], number["n"]),
    )
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return RSAKey.import_key(key, {"use": jwk["use"], "alg": jwk["alg"], "kid": jwk["kid"]})
