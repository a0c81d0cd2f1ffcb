"""The response of a rotation, kept for callers that lost the race or the answer, readable only with the old token.

AES-256-GCM under a key that HKDF derives from the old refresh token; the store holds only that token's hash, so a copy
of the store opens nothing.
"""

import json

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auth_server.protocol.token import IssuedTokens
from shared_kernel.entropy import Entropy

_INFO = b"refresh response v1"
_NONCE_BYTES = 12


class Unreadable(Exception):
    """The sealed response does not open with this token."""


def seal(old_token: str, issued: IssuedTokens, entropy: Entropy) -> bytes:
    """The tokens, encrypted for whoever holds the old refresh token."""
    nonce = entropy.bytes(_NONCE_BYTES)
    fields = [issued.access_token, issued.refresh_token, issued.scope, issued.expires_at, issued.id_token]
    return nonce + AESGCM(_key(old_token)).encrypt(nonce, json.dumps(fields).encode(), _INFO)


def unseal(old_token: str, sealed: bytes) -> IssuedTokens:
    """What seal() was given. Raises Unreadable."""
    try:
        plain = AESGCM(_key(old_token)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _INFO)
    except (InvalidTag, ValueError) as error:
        raise Unreadable from error
    # A response that an earlier release has sealed holds no ID token.
    access_token, refresh_token, scope, expires_at, *rest = json.loads(plain)
    return IssuedTokens(access_token, scope, expires_at, refresh_token, id_token=next(iter(rest), None))


def _key(old_token: str) -> bytes:
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_INFO)
    return derivation.derive(old_token.encode("utf-8", "surrogatepass"))
