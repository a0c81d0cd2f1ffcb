"""What a message of a handshake client belongs to: a sign-in, since few clients have a session."""

import hashlib
import json
from collections.abc import Sequence

from mcp_server.domain.principal import Principal

SignIn = tuple[str, str, str, str]


def sign_in(principal: Principal) -> SignIn:
    """The sign-in of a principal: the grant of one person or program at one client."""
    return principal.tenant, principal.subject, principal.client_id, principal.grant


def digest(owner: SignIn, *parts: str | int) -> str:
    """What replicas call a sign-in, or that of a sign-in, to one another; it says nothing of either."""
    return digest_of([*owner, *parts])


def digest_of(parts: Sequence[str | int]) -> str:
    """The digest of some parts in their order, as hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
