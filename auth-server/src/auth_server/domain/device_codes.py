"""The two codes of a device authorization (RFC 8628 §3.2): the one that the device keeps, the one that people type.

    dc_<device id>.<256 bits>        BCDF-GHJK

The device id is a slow hash of the user code, so that a copy of the store does not give the codes away while they
live: 34 bits are too few for a fast one.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

from auth_server.domain import credentials
from auth_server.domain.credentials import digest
from auth_server.domain.grant import RefreshTokenKey
from shared_kernel.entropy import Entropy

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 §6.1: no vowels, so that no words appear; nothing that looks like a digit."""
USER_CODE_LENGTH = 8
_DEVICE_CODE_BITS = 256
_IDENTIFIER_BYTES = 16
_PREFIX = "dc_"
# A guess costs two milliseconds and a megabyte: all 20^8 codes take far longer to try than one of them lives.
_SCRYPT_COST = {"n": 1024, "r": 8, "p": 1}
_IGNORED = re.compile(r"[\s\-‐‑‒–—_.]+")


@dataclass(frozen=True, slots=True)
class PresentedDeviceCode:
    """What was presented as a device code: the authorization it names and its SHA-256."""

    device_id: str
    digest: str


def new_user_code(entropy: Entropy) -> str:
    """A fresh user code, without its hyphen."""
    letters = ""
    limit = 256 - 256 % len(ALPHABET)
    while len(letters) < USER_CODE_LENGTH:
        letters += "".join(ALPHABET[byte % len(ALPHABET)] for byte in entropy.bytes(USER_CODE_LENGTH) if byte < limit)
    return letters[:USER_CODE_LENGTH]


def shown(user_code: str) -> str:
    """A user code as people read it: `BCDF-GHJK`."""
    return f"{user_code[:4]}-{user_code[4:]}"


def entered(text: str) -> str | None:
    """The user code that somebody typed, in whatever case and with whatever between the letters; None if it is none."""
    # RFC 8628 §6.1: "the server should strip dashes and other punctuation that it added for readability"
    letters = _IGNORED.sub("", text[:64]).upper()
    return letters if len(letters) == USER_CODE_LENGTH and set(letters) <= set(ALPHABET) else None


def device_id(user_code: str, issuer: str) -> str:
    """The id of the authorization that a user code of this issuer stands for. Takes two milliseconds."""
    hashed = hashlib.scrypt(
        user_code.encode(), salt=f"user code|{issuer}".encode(), dklen=_IDENTIFIER_BYTES, **_SCRYPT_COST
    )
    return base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()


def new_transaction_id(entropy: Entropy, user_code: str) -> str:
    """A fresh id of the transaction in which somebody decides about that code; the page shows it from there."""
    return f"{credentials.new_transaction_id(entropy)}.{user_code}"


def user_code_of(transaction_id: str) -> str:
    """The user code in such an id."""
    return transaction_id.rpartition(".")[2]


def new_device_code(entropy: Entropy, of_device_id: str) -> str:
    """A fresh device code for the authorization of that id."""
    return f"{_PREFIX}{of_device_id}.{entropy.token(_DEVICE_CODE_BITS)}"


def presented_device_code(unverified_code: str) -> PresentedDeviceCode | None:
    """How to look up what was presented as a device code; None if it does not look like one."""
    route, dot, _ = unverified_code.partition(".")
    if not dot or not route.startswith(_PREFIX):
        return None
    return PresentedDeviceCode(route.removeprefix(_PREFIX), digest(unverified_code))


def token_key(device_code: str, grant_id: str) -> RefreshTokenKey:
    """The device code as the first token of the family of that grant."""
    return RefreshTokenKey(grant_id, family(device_code), digest(device_code))


def family(device_code: str) -> str:
    """The SHA-256 of what a device code shares with the refresh tokens that descend from it."""
    return digest(_shared_part(device_code))


def first_refresh_token(entropy: Entropy, device_code: str, grant_id: str) -> str:
    """The refresh token that a device code is exchanged for; a late reuse of the code is known by their family."""
    return f"rt_{grant_id}.{_shared_part(device_code)}.{entropy.token(_DEVICE_CODE_BITS)}"


def _shared_part(device_code: str) -> str:
    derived = hmac.digest(device_code.encode("utf-8", "surrogatepass"), b"refresh family", "sha256")
    return base64.urlsafe_b64encode(derived[:_IDENTIFIER_BYTES]).rstrip(b"=").decode()
