"""A pattern of LIKE or GLOB as a regular expression matches what DuckDB says it does, in no more than linear time."""

import time

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.sql.lowering.patterns import glob_pieces, matching, pattern_pieces

ALPHABET = st.sampled_from("aAbB%_.é\n")
TEXTS = st.text(ALPHABET, max_size=8)


@given(TEXTS, TEXTS, st.sampled_from(["", "b"]), st.booleans())
def test_like_matches_as_in_duckdb(text: str, pattern: str, escape: str, ignore_case: bool) -> None:
    escape = "" if ignore_case else escape
    pieces = pattern_pieces(pattern, escape)
    if pieces is None:  # it ends in its escape character, which DuckDB refuses
        return
    operator = "ILIKE" if ignore_case else "LIKE"
    expected = duckdb.execute(f"SELECT ? {operator} ? ESCAPE ?", [text, pattern, escape]).fetchone()
    assert expected == (matching(pieces, ignore_case=ignore_case).fullmatch(text) is not None,)


@given(TEXTS, st.text(st.sampled_from("aAb*?.é\n%_"), max_size=8))
def test_glob_matches_as_in_duckdb(text: str, pattern: str) -> None:
    pieces = glob_pieces(pattern)
    assert pieces is not None
    expected = duckdb.execute("SELECT ? GLOB ?", [text, pattern]).fetchone()
    assert expected == (matching(pieces, ignore_case=False).fullmatch(text) is not None,)


@pytest.mark.parametrize("ignore_case", [False, True])
def test_no_pattern_takes_long(ignore_case: bool) -> None:
    pieces = pattern_pieces("%a" * 29 + "%b", "")
    assert pieces is not None
    pattern = matching(pieces, ignore_case=ignore_case)
    started = time.perf_counter()
    assert pattern.fullmatch("a" * 40) is None
    assert time.perf_counter() - started < 0.1
