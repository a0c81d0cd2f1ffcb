"""Opaque cursors: where the next page of a spooled result starts, sealed with an HMAC."""

from dataclasses import dataclass


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
    raise NotImplementedError


def seal(key: bytes, state: CursorState) -> str:
    """The cursor as the client sees it."""
    raise NotImplementedError


def open_(key: bytes, cursor: str, *, now: float, query_digest: str, principal_digest: str) -> CursorState:
    """Reads a cursor back. Raises Failure: cursor_invalid (forged, another query's or principal's), cursor_expired."""
    raise NotImplementedError
