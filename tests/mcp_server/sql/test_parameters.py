"""Parameters are values, never text."""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.sql.dialect import to_sql
from mcp_server.sql.gate.parse import parse


def _value(text: str, parameters: Sequence[Any] | Mapping[str, Any] | None) -> tuple[Any, ...]:
    row = duckdb.execute(to_sql(parse(text, parameters).expression)).fetchone()
    assert row is not None
    return tuple(row)


@pytest.mark.parametrize(
    ("text", "parameters", "row"),
    [
        ("SELECT ?, ?", ["a", 1], ("a", 1)),
        ("SELECT ?::INT, ? :: BIGINT", ["7", 8], (7, 8)),
        ("SELECT $2,$1,$2", ["a", "b"], ("b", "a", "b")),
        ("SELECT ?2, ?1", ["a", "b"], ("b", "a")),
        ("SELECT $a, :b, :a", {"a": 1, "b": "x"}, (1, "x", 1)),
        ("SELECT $date, :limit, :select", {"date": 1, "limit": 2, "select": 3}, (1, 2, 3)),
        ("SELECT 5-?, - ?", [-3, -2], (8, 2)),
        ("SELECT 2 ** ?", [-1], (0.5,)),
        ("SELECT ? IS NULL, ?", [None, True], (True, True)),
        ("SELECT ?", [12345678901234567890123456789], (12345678901234567890123456789,)),
        ("SELECT ? = 1.5, ? = 1e300", [1.5, 1e300], (True, True)),
        ("SELECT [10, 20, 30][:2], [10, 20][1:1]", None, ([10, 20], [10])),
        ("SELECT 1 WHERE 'a' IN (?, ?) LIMIT ?", ["a", "b", 1], (1,)),
        ("SELECT {'k': :v}.k, x: 5", {"v": 9}, (9, 5)),
        ("SELECT '?', ':a', '$1', \"$1\" FROM (SELECT 3 AS \"$1\") -- ? :a", None, ("?", ":a", "$1", 3)),
        ("SELECT 1 WHERE 2 BETWEEN :low AND :high", {"low": 1, "high": 3}, (1,)),
    ],
)
def test_values(text: str, parameters: Sequence[Any] | Mapping[str, Any] | None, row: tuple[Any, ...]) -> None:
    assert _value(text, parameters) == row


@pytest.mark.parametrize(
    "hostile",
    ["'; DROP TABLE t; --", "' OR 1=1", "\\'", "$1", "?", ":a", "a\nb", "é\U0001f600", "' || version() || '", ""],
)
def test_hostile_texts_stay_texts(hostile: str) -> None:
    assert _value("SELECT ?", [hostile]) == (hostile,)
    assert _value("SELECT :x", {"x": hostile}) == (hostile,)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("SELECT ?", None),
        ("SELECT ?", []),
        ("SELECT ?", [1, 2]),
        ("SELECT 1", [1]),
        ("SELECT 1", {"a": 1}),
        ("SELECT $2", [1]),
        ("SELECT $0", [1]),
        ("SELECT $a", [1]),
        ("SELECT ?", {"a": 1}),
        ("SELECT $1", {"1": 1}),
        ("SELECT $a", {"A": 1}),
        ("SELECT $a, $b", {"a": 1}),
        ("SELECT ?, $1", [1]),
        ("SELECT ?", [[1]]),
        ("SELECT ?", [{"a": 1}]),
        ("SELECT ?", [float("nan")]),
        ("SELECT ?", [float("inf")]),
        ("SELECT ?", [10**38]),
        ("SELECT ?", ["a\0b"]),
    ],
)
def test_what_does_not_match_is_refused(text: str, parameters: Sequence[Any] | Mapping[str, Any] | None) -> None:
    with pytest.raises(Failure) as caught:
        parse(text, parameters)

    assert caught.value.code is FailureCode.INVALID_PARAMETERS


def test_a_parameter_names_no_table() -> None:
    with pytest.raises(Failure) as caught:
        parse("SELECT * FROM ?", ["t"])

    assert caught.value.code in (FailureCode.SYNTAX_ERROR, FailureCode.SYNTAX_NOT_SUPPORTED)


def test_sizes_count_with_their_parameters() -> None:
    with pytest.raises(Failure) as caught:
        parse("SELECT repeat('x', ?)", [10**9])

    assert caught.value.code is FailureCode.FUNCTION_NOT_ALLOWED
