"""Cursors are opaque, bound and expiring."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.engine.cursors import Cursors
from mcp_server.planning.cursor import Binding, CursorState, Reading, Spooled, digest
from mcp_server.planning.pinned import LONGEST_COLUMNS
from mcp_server.planning.plan import Pin
from mcp_server.planning.streaming import Key, Position

KEY = b"k" * 32
BINDING = Binding(digest("SELECT 1", "[]"), digest("default", "usr_1"))
TABLES = (("shop", "orders"), ("shop", "people"), ("annex", "orders"))
STATE = CursorState(Spooled("spool-1", 100), expires_at=1_000, tables=TABLES, sight="sight")
AT: Key = {"pk": {"B": "AQI="}, "n": {"N": "12345678901234567890.5"}}
NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
PIN = Pin("Query", "by_day", "digest", ("pk", "n", "\N{GREEK SMALL LETTER ALPHA}"))
SCAN = Pin("Scan", None, "")
READING = Reading(PIN, "route", 3, Position(((0, AT), (2, None)), 3), consistent=True, full_scan=False, instant=NOW)


LARGEST = {"pk": 2048, "sk": 1024, "gpk": 2048, "gsk": 1024}


def _sealed(state: CursorState = STATE) -> str:
    return Cursors(KEY).seal(state, BINDING)


def _opened(cursor: str, *, key: bytes = KEY, now: float = 0, binding: Binding = BINDING) -> CursorState:
    return Cursors(key).open(cursor, binding, now=now)


def _bytes(cursor: str) -> bytes:
    encoded = cursor.removeprefix("cur3_")
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


@pytest.mark.parametrize(
    "state",
    [STATE, *(replace(STATE, place=one) for one in (READING, replace(READING, left=3), replace(READING, pin=SCAN)))],
)
def test_a_sealed_cursor_opens(state: CursorState) -> None:
    assert _opened(_sealed(state)) == state


def test_the_longest_keys_of_eight_segments_fit() -> None:
    """API reference: 2,048 bytes of a partition key and 1,024 of a sort key, of a table and of an index."""
    at: Key = {name: {"S": "\N{GREEK SMALL LETTER ALPHA}" * (size // 2)} for name, size in LARGEST.items()}
    pin = replace(PIN, index="i" * 255, columns=("c" * LONGEST_COLUMNS,))
    place = replace(READING, pin=pin, requests=8, position=Position(tuple((number, at) for number in range(8)), 8))
    state = replace(STATE, place=place)
    assert _opened(_sealed(state)) == state


def test_nothing_can_be_read_in_it_and_it_is_short() -> None:
    secret = "ssn-078-05-1120"
    position = Position(((0, {"pk": {"S": secret}, "n": {"N": "7"}}),), 1)
    cursor = _sealed(replace(STATE, place=replace(READING, position=position)))
    for text in (secret, "pk", "reading", "orders", "people", "2026-01-02"):
        assert text.encode() not in _bytes(cursor)
    assert len(cursor) < 320


def test_cursors_of_neighbouring_places_have_nothing_in_common() -> None:
    one, other = (_bytes(_sealed(replace(STATE, place=Spooled("spool-1", offset)))) for offset in (100, 101))
    assert sum(left == right for left, right in zip(one, other, strict=True)) < len(one) // 4


def test_it_expires() -> None:
    with pytest.raises(Failure) as caught:
        _opened(_sealed(), now=1_000)

    assert caught.value.code is FailureCode.CURSOR_EXPIRED


@pytest.mark.parametrize(
    "other",
    [replace(BINDING, query=digest("SELECT 2", "[]")), replace(BINDING, owner=digest("default", "usr_2"))],
    ids=["statement", "principal"],
)
def test_it_serves_no_other(other: Binding) -> None:
    with pytest.raises(Failure) as caught:
        _opened(_sealed(), binding=other)

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_an_expired_cursor_of_somebody_else_is_only_invalid() -> None:
    with pytest.raises(Failure) as caught:
        _opened(_sealed(), now=2_000, binding=replace(BINDING, owner="x"))

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_every_changed_bit_is_noticed() -> None:
    sealed = _bytes(_sealed())
    for place in range(len(sealed)):
        forged = bytearray(sealed)
        forged[place] ^= 1
        with pytest.raises(Failure) as caught:
            _opened(f"cur3_{base64.urlsafe_b64encode(bytes(forged)).decode().rstrip('=')}")
        assert caught.value.code is FailureCode.CURSOR_INVALID


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 200])
def test_bytes_of_any_length_are_invalid(length: int) -> None:
    with pytest.raises(Failure) as caught:
        _opened(f"cur3_{base64.urlsafe_b64encode(bytes(length)).decode().rstrip('=')}")

    assert caught.value.code is FailureCode.CURSOR_INVALID


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "cur3_", "cur3_!!!", "cur3_é", "cur3_AAAA", "cur3_" + "A" * 100_000, "cur3_A", "cur1_AAAA", "\0"],
)
def test_garbage_is_invalid(cursor: str) -> None:
    with pytest.raises(Failure) as caught:
        _opened(cursor)

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_one_that_was_signed_only_has_expired() -> None:
    with pytest.raises(Failure) as caught:
        _opened("cur2_AAAA")

    assert caught.value.code is FailureCode.CURSOR_EXPIRED


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Failure) as caught:
        _opened(_sealed(), key=b"l" * 32)

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_digests_keep_their_parts_apart() -> None:
    assert digest("a", "b") != digest("ab") != digest("a,b")
    assert digest("a", "bc") != digest("ab", "c")
