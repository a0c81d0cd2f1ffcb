"""A client that proves possession of its key (RFC 9449), written from the specification alone."""

import base64
import hashlib
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from shared_kernel.clock import Clock, SystemClock
from shared_kernel.entropy import SystemEntropy

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def b64(content: bytes | dict[str, Any]) -> str:
    """A segment of a compact JWS."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


@dataclass(slots=True)
class DpopKey:
    """A key, and the proofs that its holder makes; `nonce` is the last that a server gave."""

    private: PrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    algorithm: str = "ES256"
    clock: Clock = field(default_factory=SystemClock)
    nonce: str | None = None

    @property
    def jwk(self) -> dict[str, str]:
        """The public key, with the members of RFC 7638 only."""
        match self.private:
            case ec.EllipticCurvePrivateKey():
                point = self.private.public_key().public_numbers()
                return {"crv": "P-256", "kty": "EC", "x": b64(point.x.to_bytes(32)), "y": b64(point.y.to_bytes(32))}
            case rsa.RSAPrivateKey():
                numbers = self.private.public_key().public_numbers()
                return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}
            case _:
                return {"crv": "Ed25519", "kty": "OKP", "x": b64(self.private.public_key().public_bytes_raw())}

    @property
    def thumbprint(self) -> str:
        """RFC 7638: the digest of the key's members in their order, without white space."""
        return b64(hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()).digest())

    def proof(self, method: str, url: str, token: str | None = None, **changed: Any) -> str:
        """A proof for that request; `changed` replaces claims, and leaves out those that are None."""
        claims = {
            "jti": SystemEntropy().token(128),
            "htm": method,
            "htu": url,
            "iat": int(self.clock.now()),
            "nonce": self.nonce,
            "ath": None if token is None else b64(hashlib.sha256(token.encode()).digest()),
            **changed,
        }
        return self.signed({}, {name: value for name, value in claims.items() if value is not None})

    def signed(self, header: dict[str, Any], claims: bytes | dict[str, Any]) -> str:
        """Whatever claims, signed under a proof's header with changes; None leaves a member out."""
        full = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk, **header}
        signing_input = f"{b64({name: value for name, value in full.items() if value is not None})}.{b64(claims)}"
        return f"{signing_input}.{b64(self._signature(signing_input.encode()))}"

    def _signature(self, text: bytes) -> bytes:
        match self.private:
            case ec.EllipticCurvePrivateKey():
                r, s = utils.decode_dss_signature(self.private.sign(text, ec.ECDSA(hashes.SHA256())))
                return r.to_bytes(32) + s.to_bytes(32)
            case rsa.RSAPrivateKey():
                if self.algorithm == "RS256":
                    return self.private.sign(text, padding.PKCS1v15(), hashes.SHA256())
                return self.private.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
            case _:
                return self.private.sign(text)


class Proving(httpx2.Auth):
    """Has any HTTP client send a fresh proof with every request, and the nonce that the server gave last.

    Beside a token the proof is for a resource, without one for an endpoint of the authorization server. A request that
    was refused for want of a nonce is sent once more. `sent` are the proofs.
    """

    def __init__(self, key: DpopKey, token: str | None = None) -> None:
        self.key, self.token = key, token
        self.sent: list[str] = []

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """See httpx2.Auth."""
        for _ in range(2):
            self.sent.append(self.key.proof(request.method, str(request.url), self.token))
            request.headers["DPoP"] = self.sent[-1]
            if self.token is not None:
                request.headers["Authorization"] = f"DPoP {self.token}"
            answer = yield request
            asked = self.key.nonce
            self.key.nonce = answer.headers.get("DPoP-Nonce", self.key.nonce)
            if answer.status_code not in {400, 401} or self.key.nonce == asked:
                return
