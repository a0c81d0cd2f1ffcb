"""Places of words of which the syntax tree keeps none."""

from typing import Any

import pytest

from mcp_server.domain.failures import Failure, Position
from mcp_server.sql.gate.parse import parse
from mcp_server.sql.word_places import place_of_ordinal, place_of_set_operation, place_of_window


@pytest.mark.parametrize(
    ("sql", "parameters", "place"),
    [
        ("SELECT a FROM t WHERE b = $1", None, Position(1, 27)),
        ("SELECT a FROM t\nWHERE b = ?1\n  AND c = ?2", [1], Position(3, 11)),
        ("SELECT a FROM t WHERE b = ? AND c = ?", [1], Position(1, 37)),
        ("SELECT '?' FROM t WHERE b = :low /* ? */ AND c = :high", {"low": 1}, Position(1, 50)),
        ("SELECT a FROM t WHERE b = $1 AND c = $2", [1, [2]], Position(1, 38)),
        ("SELECT a FROM t WHERE b = 'FOR' FOR UPDATE", None, Position(1, 33)),
        ("SELECT a FROM t\n/* FOR UPDATE */ FOR  SHARE", None, Position(2, 18)),
    ],
)
def test_a_refusal_has_the_place_of_the_word(sql: str, parameters: Any, place: Position) -> None:
    with pytest.raises(Failure) as failed:
        parse(sql, parameters)
    assert failed.value.position == place


@pytest.mark.parametrize(
    ("sql", "number", "place"),
    [
        ("SELECT a FROM t ORDER BY 5", 5, Position(1, 26)),
        ("SELECT a, abs(5) FROM t GROUP BY a,\n 5", 5, Position(2, 2)),
        ("SELECT a FROM t ORDER BY '5', 7", 7, Position(1, 31)),
        ("SELECT 1, 5 FROM t ORDER BY 5", 5, None),
        ("SELECT a FROM t", 5, None),
    ],
)
def test_an_ordinal_is_placed_where_there_is_one_number_that_it_can_be(
    sql: str, number: int, place: Position | None
) -> None:
    assert place_of_ordinal(sql, number) == place


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT 1 UNION SELECT 1, 2", Position(1, 10)),
        ("SELECT a FROM t -- UNION\n EXCEPT SELECT a, b FROM t", Position(2, 2)),
        ("SELECT a FROM t UNION SELECT b FROM t UNION ALL SELECT a, c FROM t", Position(1, 56)),
        ("SELECT a FROM t UNION SELECT * FROM t UNION ALL SELECT a, c FROM t", Position(1, 56)),
        ("SELECT a FROM t UNION SELECT * FROM t UNION SELECT b FROM t", None),
    ],
)
def test_a_set_operation_is_placed_where_its_sides_differ(sql: str, place: Position | None) -> None:
    assert place_of_set_operation(sql, parse(sql, None).expression) == place


def test_a_window_is_placed_where_it_is_first_named() -> None:
    sql = "SELECT sum(a) OVER v, sum(a) OVER W FROM t WINDOW v AS ()"
    query = parse(sql, None).expression
    assert place_of_window(sql, query, "w") == Position(1, 35)
    assert place_of_window(sql, query, "x") is None
