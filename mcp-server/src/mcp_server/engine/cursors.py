"""Opaque cursors: encrypted, since where a page ends is a key of the table, which the statement need not have selected.

AES-SIV (RFC 5297) takes no nonce: the same place is always sealed alike, and nothing but its equality can be seen.
"""

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.cursors import CursorTooOld, ForeignCursor
from mcp_server.planning.cursor import Binding, CursorState, read, written

_PREFIX, _BEFORE = "cur3_", "cur2_"
"""The version of what is within, and that of cursors which were signed only."""
_KEY_BYTES = 64
MAX_LENGTH = 98_304
"""Eight segments' keys of the largest size, of a table and of an index, fit."""


class Cursors:
    """Seals cursors and opens them; every replica with the same key opens those of all."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(HKDF(SHA256(), length=_KEY_BYTES, salt=None, info=b"dynamosql cursor").derive(key))

    def seal(self, state: CursorState, binding: Binding) -> str:
        """The cursor as the client sees it."""
        sealed = self._cipher.encrypt(written(state), _associated(binding))
        return _PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, cursor: str, binding: Binding, *, now: float) -> CursorState:
        """Reads a cursor back. Raises Failure: cursor_invalid (forged, or bound to another), cursor_expired."""
        if cursor.startswith(_BEFORE):
            raise Failure(CursorTooOld())
        state = self._authentic(cursor, binding)
        if now >= state.expires_at:
            raise Failure(CursorTooOld())
        return state

    def _authentic(self, cursor: str, binding: Binding) -> CursorState:
        encoded = cursor.removeprefix(_PREFIX)
        if len(cursor) > MAX_LENGTH or encoded == cursor or not encoded.isascii():
            raise Failure(ForeignCursor())
        try:
            sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return read(self._cipher.decrypt(sealed, _associated(binding)))
        except (binascii.Error, InvalidTag):
            raise Failure(ForeignCursor()) from None


def _associated(binding: Binding) -> list[bytes]:
    return [_PREFIX.encode(), binding.query.encode(), binding.owner.encode()]
