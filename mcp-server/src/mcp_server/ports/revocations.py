"""Access tokens that have ended before their time."""

from typing import Protocol

from shared_kernel.access_token import AccessToken


class RevocationsUnknown(Exception):
    """Nobody has said for too long what was revoked, and the operator wants no token to be believed without that."""


class Revocations(Protocol):
    """What the issuer has revoked."""

    def ends(self, token: AccessToken) -> bool:
        """Whether the token, or the key that signed it, has been revoked. Raises RevocationsUnknown."""
        ...
