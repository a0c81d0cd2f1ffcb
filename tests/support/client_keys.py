"""A client's own key: its public part for the server, and assertions signed with the private one."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64encode

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ClientKey:
    """A key for one algorithm."""

    def __init__(self, algorithm: str = "ES256", key_id: str | None = "key-1") -> None:
        self.algorithm, self.key_id = algorithm, key_id
        self.key: ECKey | OKPKey | RSAKey
        match algorithm:
            case "ES256":
                self.key = ECKey.generate_key("P-256")
            case "EdDSA" | "Ed25519":
                self.key = OKPKey.generate_key("Ed25519")
            case _:
                self.key = RSAKey.generate_key(2048)

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public key; None leaves a member out."""
        members = {**self.key.as_dict(private=False), "kid": self.key_id, "use": "sig", **changes}
        return {name: value for name, value in members.items() if value is not None}

    def private_jwk(self) -> dict[str, Any]:
        """The whole key, for the client alone."""
        return {**self.key.as_dict(private=True), "kid": self.key_id}

    def jwks(self) -> bytes:
        """The public key as a JWK set."""
        return json.dumps({"keys": [self.jwk()]}).encode()

    def assertion(
        self, client_id: str, audience: Any, now: float, /, *, header: Mapping[str, Any] | None = None, **changes: Any
    ) -> str:
        """A good assertion, changed: None leaves a claim or a header out."""
        claims = {"iss": client_id, "sub": client_id, "aud": audience, "exp": int(now) + 60, "jti": str(uuid4())}
        headers = {"alg": self.algorithm, "kid": self.key_id, **(header or {})}
        signed = b".".join(_encoded(part) for part in (headers, {**claims, **changes}))
        name = "Ed25519" if self.algorithm == "EdDSA" else self.algorithm
        signature = JWSRegistry.algorithms[name].sign(signed, self.key)
        return b".".join((signed, urlsafe_b64encode(signature))).decode()


def presented(assertion: str) -> dict[str, str]:
    """The parameters that carry an assertion."""
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}


def _encoded(part: Mapping[str, Any]) -> bytes:
    given = {name: value for name, value in part.items() if value is not None}
    return urlsafe_b64encode(json.dumps(given).encode())
