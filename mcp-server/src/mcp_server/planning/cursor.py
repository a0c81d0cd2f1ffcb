"""Opaque cursors: where the next page starts, in a spooled result or in a table, sealed with an HMAC."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mcp_server.domain.failures import Failure
from mcp_server.domain.failures.cursors import CursorTooOld, ForeignCursor
from mcp_server.planning.streaming import Position

_VERSION = 4
_PREFIX = "cur2_"
MAX_LENGTH = 98_304
"""Eight segments' keys of the largest size, of a table and of an index, fit."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A place in a kept result: `offset` is the next page's first row, counted from 0."""

    spool_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A place in a read that goes on: by which route (see `streaming.route`), in how many requests, how far.

    `consistent` and `full_scan` are what the first page was asked with, `instant` the time of UTC that it was made at.
    """

    route: str
    requests: int
    position: Position
    consistent: bool
    full_scan: bool
    instant: datetime


@dataclass(frozen=True, slots=True)
class CursorState:
    """What a cursor stands for.

    `query_digest` binds the cursor to statement and parameters, `principal_digest` to its owner (see `digest`).
    `expires_at` is in seconds since the epoch. `tables` are those that the statement names, as `(schema, name)`, and
    `sight` says what its owner saw of them: later pages are only for an owner who still sees the same.
    """

    place: Spooled | Reading
    query_digest: str
    principal_digest: str
    expires_at: int
    tables: tuple[tuple[str, str], ...]
    sight: str


def digest(*parts: str) -> str:
    """A collision-free digest of some texts, for `query_digest` and `principal_digest`."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def seal(key: bytes, state: CursorState) -> str:
    """The cursor as the client sees it."""
    bound = [state.query_digest, state.principal_digest, state.expires_at, _by_schema(state.tables), state.sight]
    fields = [_VERSION, *bound, *_written(state.place)]
    body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    return _PREFIX + base64.urlsafe_b64encode(_tag(key, body) + body).rstrip(b"=").decode()


def open_(key: bytes, cursor: str, *, now: float, query_digest: str, principal_digest: str) -> CursorState:
    """Reads a cursor back. Raises Failure: cursor_invalid (forged, another query's or principal's), cursor_expired."""
    state = _authentic(key, cursor)
    bound = hmac.compare_digest(state.query_digest.encode(), query_digest.encode()) and hmac.compare_digest(
        state.principal_digest.encode(), principal_digest.encode()
    )
    if not bound:
        raise Failure(ForeignCursor())
    if now >= state.expires_at:
        raise Failure(CursorTooOld())
    return state


def _authentic(key: bytes, cursor: str) -> CursorState:
    encoded = cursor.removeprefix(_PREFIX)
    if len(cursor) > MAX_LENGTH or encoded == cursor or not encoded.isascii():
        raise Failure(ForeignCursor())
    try:
        sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise Failure(ForeignCursor()) from None
    tag, body = sealed[:32], sealed[32:]
    # Nothing of the body is looked at before its tag is known to be ours.
    if not hmac.compare_digest(tag, _tag(key, body)):
        raise Failure(ForeignCursor())
    version, *fields = json.loads(body)
    if version != _VERSION:
        raise Failure(ForeignCursor())
    query_digest, principal_digest, expires_at, by_schema, sight, *place = fields
    tables = tuple((schema, name) for schema, names in by_schema.items() for name in names)
    return CursorState(_read(*place), query_digest, principal_digest, expires_at, tables, sight)


def _by_schema(tables: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The names of tables under that of their schema, which is said once."""
    found: dict[str, list[str]] = {}
    for schema, name in tables:
        found.setdefault(schema, []).append(name)
    return found


def _written(place: Spooled | Reading) -> list[Any]:
    if isinstance(place, Spooled):
        return ["spooled", place.spool_id, place.offset]
    at = place.position
    asked = [place.consistent, place.full_scan, place.instant.isoformat()]
    return ["reading", place.route, place.requests, at.begun, at.rest, *asked]


def _read(kind: str, *fields: Any) -> Spooled | Reading:
    if kind == "spooled":
        return Spooled(*fields)
    route, requests, begun, rest, consistent, full_scan, instant = fields
    position = Position(tuple((number, key) for number, key in begun), rest)
    return Reading(route, requests, position, consistent, full_scan, datetime.fromisoformat(instant))


def _tag(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, b"dynamosql cursor\0" + body, hashlib.sha256).digest()
