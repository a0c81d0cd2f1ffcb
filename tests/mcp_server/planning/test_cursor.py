"""Cursors are opaque, bound and expiring."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.planning.cursor import CursorState, Reading, Spooled, digest, open_, seal
from mcp_server.planning.streaming import Key, Position

KEY = b"k" * 32
STATE = CursorState(
    *(Spooled("spool-1", 100), digest("SELECT 1", "[]"), digest("default", "usr_1")),
    expires_at=1_000,
    tables=(("shop", "orders"), ("shop", "people"), ("annex", "orders")),
    sight="sight",
)
AT: Key = {"pk": {"B": "AQI="}, "n": {"N": "12345678901234567890.5"}}
NOW = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
READING = Reading("route", 3, Position(((0, AT), (2, None)), 3), consistent=True, full_scan=False, instant=NOW)


LARGEST = {"pk": 2048, "sk": 1024, "gpk": 2048, "gsk": 1024}


def _opened(cursor: str, *, key: bytes = KEY, now: float = 0, state: CursorState = STATE) -> CursorState:
    return open_(key, cursor, now=now, query_digest=state.query_digest, principal_digest=state.principal_digest)


@pytest.mark.parametrize("state", [STATE, replace(STATE, place=READING)], ids=["spooled", "reading"])
def test_a_sealed_cursor_opens(state: CursorState) -> None:
    assert _opened(seal(KEY, state)) == state


def test_the_longest_keys_of_eight_segments_fit() -> None:
    """API reference: 2,048 bytes of a partition key and 1,024 of a sort key, of a table and of an index."""
    at: Key = {name: {"S": "\N{GREEK SMALL LETTER ALPHA}" * (size // 2)} for name, size in LARGEST.items()}
    place = replace(READING, requests=8, position=Position(tuple((number, at) for number in range(8)), 8))
    state = replace(STATE, place=place)
    assert _opened(seal(KEY, state)) == state


def test_it_expires() -> None:
    with pytest.raises(Failure) as caught:
        _opened(seal(KEY, STATE), now=1_000)

    assert caught.value.code is FailureCode.CURSOR_EXPIRED


@pytest.mark.parametrize(
    "other",
    [
        replace(STATE, query_digest=digest("SELECT 2", "[]")),
        replace(STATE, principal_digest=digest("default", "usr_2")),
    ],
    ids=["statement", "principal"],
)
def test_it_serves_no_other(other: CursorState) -> None:
    with pytest.raises(Failure) as caught:
        _opened(seal(KEY, STATE), state=other)

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_an_expired_cursor_of_somebody_else_is_only_invalid() -> None:
    with pytest.raises(Failure) as caught:
        _opened(seal(KEY, STATE), now=2_000, state=replace(STATE, principal_digest="x"))

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_every_changed_bit_is_noticed() -> None:
    prefix, encoded = seal(KEY, STATE).split("_", 1)
    sealed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    for place in range(len(sealed)):
        forged = bytearray(sealed)
        forged[place] ^= 1
        with pytest.raises(Failure) as caught:
            _opened(f"{prefix}_{base64.urlsafe_b64encode(bytes(forged)).decode().rstrip('=')}")
        assert caught.value.code is FailureCode.CURSOR_INVALID


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "cur2_", "cur2_!!!", "cur2_é", "cur2_AAAA", "cur2_" + "A" * 100_000, "cur2_A", "cur1_AAAA", "\0"],
)
def test_garbage_is_invalid(cursor: str) -> None:
    with pytest.raises(Failure) as caught:
        _opened(cursor)

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Failure) as caught:
        _opened(seal(KEY, STATE), key=b"l" * 32)

    assert caught.value.code is FailureCode.CURSOR_INVALID


def test_digests_keep_their_parts_apart() -> None:
    assert digest("a", "b") != digest("ab") != digest("a,b")
    assert digest("a", "bc") != digest("ab", "c")
