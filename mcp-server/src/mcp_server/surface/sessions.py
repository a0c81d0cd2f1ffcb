"""Sessions of the handshake revisions, without anything that would have to be remembered.

A client of these revisions says only in its handshake what it can do, and each exchange stands alone. So one that shows
forms to its person gets a session id that says just that, sealed for its principal, and any replica believes it when
the client sends it back. A client that shows none gets no session, and needs none. An id authenticates nobody.
"""

import base64
import hmac
import json
from typing import Any

from mcp.types import ClientCapabilities

from mcp_server.domain.principal import Principal
from shared_kernel.entropy import Entropy

HEADER = "mcp-session-id"
FIRST_WITH_FORMS = "2025-06-18"
"""The revision that brought elicitation."""
_RANDOM_BYTES = 16
_ID_LENGTH = 64


class Sessions:
    """Makes session ids and recognises them; every replica with the same key knows those of all."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"sessions of clients that show forms", "sha256")

    def begin(self, principal: Principal, capabilities: Any, entropy: Entropy) -> str | None:
        """The id of a session of that principal's client; None for a client that needs none."""
        declared = ClientCapabilities.model_validate(capabilities)
        return self._sealed(principal, entropy.bytes(_RANDOM_BYTES)) if shows_forms(declared) else None

    def is_of(self, principal: Principal, session: str) -> bool:
        """Whether it is the id of a session that began here, or on another replica, for that principal."""
        if len(session) != _ID_LENGTH or not session.isascii():
            return False
        try:
            sealed = base64.b64decode(session, altchars=b"-_", validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(session, self._sealed(principal, sealed[:_RANDOM_BYTES]))

    def _sealed(self, principal: Principal, random: bytes) -> str:
        # Not the grant: a step-up may come with a new one.
        owner = json.dumps([principal.tenant, principal.subject, principal.client_id]).encode()
        return base64.urlsafe_b64encode(random + hmac.digest(self._key, random + owner, "sha256")).decode()


def shows_forms(declared: ClientCapabilities) -> bool:
    """Whether a client shows forms to its person (elicitation); one that names no mode does."""
    asks = declared.elicitation
    return asks is not None and (asks.form is not None or asks.url is None)
