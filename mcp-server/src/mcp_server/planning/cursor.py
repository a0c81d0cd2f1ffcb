"""Opaque cursors: where the next page of a spooled result starts, sealed with an HMAC."""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

from mcp_server.domain.failures import Failure, FailureCode

_VERSION = 1
_PREFIX = "cur1_"
_MAX_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class CursorState:
    """What a cursor stands for.

    `offset` is the next page's first row, counted from 0. `query_digest` binds the cursor to statement and parameters,
    `principal_digest` to its owner (see `digest`). `expires_at` is in seconds since the epoch.
    """

    spool_id: str
    offset: int
    query_digest: str
    principal_digest: str
    expires_at: int


def digest(*parts: str) -> str:
    """A collision-free digest of some texts, for `query_digest` and `principal_digest`."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def seal(key: bytes, state: CursorState) -> str:
    """The cursor as the client sees it."""
    body = json.dumps({"v": _VERSION, **asdict(state)}, separators=(",", ":"), sort_keys=True).encode()
    return _PREFIX + base64.urlsafe_b64encode(_tag(key, body) + body).rstrip(b"=").decode()


def open_(key: bytes, cursor: str, *, now: float, query_digest: str, principal_digest: str) -> CursorState:
    """Reads a cursor back. Raises Failure: cursor_invalid (forged, another query's or principal's), cursor_expired."""
    state = _authentic(key, cursor)
    bound = hmac.compare_digest(state.query_digest.encode(), query_digest.encode()) and hmac.compare_digest(
        state.principal_digest.encode(), principal_digest.encode()
    )
    if not bound:
        raise _invalid()
    if now >= state.expires_at:
        raise Failure(
            FailureCode.CURSOR_EXPIRED,
            "The cursor has expired.",
            "Run the statement again without a cursor.",
        )
    return state


def _authentic(key: bytes, cursor: str) -> CursorState:
    encoded = cursor.removeprefix(_PREFIX)
    if len(cursor) > _MAX_LENGTH or encoded == cursor or not encoded.isascii():
        raise _invalid()
    try:
        sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise _invalid() from None
    tag, body = sealed[:32], sealed[32:]
    # Nothing of the body is looked at before its tag is known to be ours.
    if not hmac.compare_digest(tag, _tag(key, body)):
        raise _invalid()
    fields = json.loads(body)
    if fields.pop("v") != _VERSION:
        raise _invalid()
    return CursorState(**fields)


def _tag(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, b"dynamosql cursor\0" + body, hashlib.sha256).digest()


def _invalid() -> Failure:
    return Failure(
        FailureCode.CURSOR_INVALID,
        "The cursor does not belong to this statement, its parameters and this caller.",
        "Pass `next_cursor` unchanged, with the same statement and parameters; or leave the cursor out.",
    )
