"""Randomness that is asked for in advance, and given out once."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared_kernel.entropy import SystemEntropy


def test_no_thread_gets_what_another_got() -> None:
    entropy = SystemEntropy()
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(entropy.bytes, [12] * 20_000))
    assert len(set(given)) == len(given)
    assert {len(each) for each in given} == {12}


def test_a_forked_process_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = SystemEntropy()
    parent.bytes(1)
    child = SystemEntropy()
    child._advance, child._given, child._process = parent._advance, parent._given, parent._process
    following = parent.bytes(16)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert child.bytes(16) != following


@pytest.mark.parametrize("bits", [96, 128, 256, 100_000])
def test_tokens_hold_their_bits_and_need_no_encoding(bits: int) -> None:
    entropy = SystemEntropy()
    tokens = {entropy.token(bits) for _ in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", token) and len(token) * 6 >= bits for token in tokens)
