"""ES256 signatures (RFC 7518 §3.4) of what auth-server says: access tokens, revocations, what a token is worth."""

from typing import Literal, get_args

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64encode

ALGORITHM = "ES256"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256. Whoever sees the signature (r, s) can write (r, ORDER - s), which is as good."""
Kind = Literal["at+jwt", "revocations+jwt", "token-introspection+jwt"]
"""The `typ` of what is signed, so that one is never taken for the other (RFC 8725 §3.11)."""
_KINDS: tuple[Kind, ...] = get_args(Kind)
_ECDSA = ECDSA(SHA256())
_encode = msgspec.json.Encoder().encode


class Signer:
    """One private P-256 key that carries its `kid`, made ready to sign one text after the other."""

    def __init__(self, key: ECKey) -> None:
        private = key.get_op_key("sign")
        assert isinstance(private, EllipticCurvePrivateKey)
        self.key_id, self._private = str(key.kid), private
        headers = {kind: {"alg": ALGORITHM, "typ": kind, "kid": self.key_id} for kind in _KINDS}
        self._headers = {kind: urlsafe_b64encode(_encode(header)) for kind, header in headers.items()}

    def sign(self, payload: bytes, kind: Kind) -> str:
        """The JWS of a payload, in its compact form."""
        signed = b".".join((self._headers[kind], urlsafe_b64encode(payload)))
        r, s = decode_dss_signature(self._private.sign(signed, _ECDSA))
        # RFC 7518 §3.4: the signature is R and S in 32 octets each. Of the two values of S that are as good, the lower.
        raw = r.to_bytes(32) + min(s, ORDER - s).to_bytes(32)
        return b".".join((signed, urlsafe_b64encode(raw))).decode("ascii")
