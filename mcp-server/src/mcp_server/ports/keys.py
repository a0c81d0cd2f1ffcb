"""An issuer's signing keys."""

from typing import Protocol, TypeVar

from joserfc.jwk import ECKey, RSAKey

VerificationKey = ECKey | RSAKey
_Key_co = TypeVar("_Key_co", bound=VerificationKey, covariant=True)


class KeySet(Protocol[_Key_co]):
    """The signing keys that an issuer publishes: of our own, P-256 keys; of another's, RSA keys too."""

    async def key(self, key_id: str) -> _Key_co | None:
        """The public key of that id; None if the issuer does not publish it. Raises KeySetUnavailable."""
        ...


class KeySetUnavailable(Exception):
    """The issuer's key set cannot be had right now, and no earlier copy holds the key."""
