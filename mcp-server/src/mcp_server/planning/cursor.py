"""What a cursor stands for, and its bytes: where the next page starts, in a spooled result or in a table."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mcp_server.planning.plan import Pin
from mcp_server.planning.streaming import Position

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A place in a kept result: `offset` is the next page's first row, counted from 0."""

    spool_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A place in a read that goes on: how it was begun, by which route (see `streaming.route`), how far.

    It was begun in so many `requests`; `consistent` and `full_scan` are what the first page was asked with, `instant`
    the time of UTC that it was made at. Of the rows of its LIMIT, if it has one, so many are `left`.
    """

    pin: Pin
    route: str
    requests: int
    position: Position
    consistent: bool
    full_scan: bool
    instant: datetime
    left: int | None = None


@dataclass(frozen=True, slots=True)
class CursorState:
    """What a cursor stands for.

    `expires_at` is in seconds since the epoch. `tables` are those that the statement names, as `(schema, name)`, and
    `sight` says what the cursor's owner saw of them: later pages are only for an owner who still sees the same.
    """

    place: Spooled | Reading
    expires_at: int
    tables: tuple[tuple[str, str], ...]
    sight: str


@dataclass(frozen=True, slots=True)
class Binding:
    """What a cursor is sealed for: statement and parameters, and its owner, as digests."""

    query: str
    owner: str


def digest(*parts: str) -> str:
    """A collision-free digest of some texts, for a `Binding`."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def written(state: CursorState) -> bytes:
    """The bytes of a state."""
    fields = [state.expires_at, _by_schema(state.tables), state.sight, *_written(state.place)]
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def read(body: bytes) -> CursorState:
    """The state of such bytes."""
    expires_at, by_schema, sight, *place = json.loads(body)
    tables = tuple((schema, name) for schema, names in by_schema.items() for name in names)
    return CursorState(_read(*place), expires_at, tables, sight)


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
    asked = [place.consistent, place.full_scan, (place.instant - _EPOCH) // _MICROSECOND]
    pin = [place.pin.access, place.pin.index, place.pin.keys, place.pin.columns]
    left = [place.left] if place.left is not None else []
    return ["reading", *pin, place.route, place.requests, at.begun, at.rest, *asked, *left]


def _read(kind: str, *fields: Any) -> Spooled | Reading:
    if kind == "spooled":
        return Spooled(*fields)
    access, index, keys, columns, route, requests, begun, rest, consistent, full_scan, instant, *left = fields
    pin = Pin(access, index, keys, tuple(columns) if columns is not None else None)
    position = Position(tuple((number, key) for number, key in begun), rest)
    return Reading(pin, route, requests, position, consistent, full_scan, _EPOCH + instant * _MICROSECOND, *left)
