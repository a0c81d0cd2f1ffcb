"""Cursors are opaque, bound and expiring."""

import base64
from dataclasses import replace

import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.planning.cursor import CursorState, digest, open_, seal

KEY = b"k" * 32
STATE = CursorState("spool-1", 100, digest("SELECT 1", "[]"), digest("default", "usr_1"), expires_at=1_000)


def _opened(cursor: str, *, key: bytes = KEY, now: float = 0, state: CursorState = STATE) -> CursorState:
    return open_(key, cursor, now=now, query_digest=state.query_digest, principal_digest=state.principal_digest)


def test_a_sealed_cursor_opens() -> None:
    assert _opened(seal(KEY, STATE)) == STATE


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
    "cursor", ["", "x", "cur1_", "cur1_!!!", "cur1_é", "cur1_AAAA", "cur1_" + "A" * 5000, "cur1_A", "\0"]
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
