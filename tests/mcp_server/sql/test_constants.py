"""Constants that are put together have the very values that DuckDB gives them, or are not taken for constants."""

import random
from collections.abc import Iterator
from datetime import date, datetime

import duckdb
import pytest
from sqlglot import exp

from mcp_server.planning.predicate import Comparison, OneOf, Predicate
from mcp_server.sql.constants import NOT_CONSTANT, constant
from mcp_server.sql.dialect import Dialect, to_sql
from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables

_TEXTS = [
    "''",
    "'U#'",
    "'a'",
    "'Ab c'",
    "'  x '",
    "'ß'",
    "'É\U0001f600e\u0301'",
    "'{}'",
    "'{:03d}'",
    "'a\tb '",
    "'0'",
    "'it''s'",
]
_NUMBERS = ["0", "1", "7", "12", "-3", "(-1)", "1.50", ".5", "10000000000", "1e3", "007", "5 - 2", "2 * 3"]
_OTHERS = [
    "NULL",
    "true",
    "DATE '2024-02-29'",
    "TIMESTAMP '2024-01-02 03:04:05.600'",
    "TIMESTAMPTZ '2024-01-02 00:00:00Z'",
]


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


class _Expressions:
    """Random expressions of constants, most of which DuckDB takes."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def any(self, depth: int = 3) -> str:
        roll = self._dice.random()
        return self.text(depth) if roll < 0.6 else self.number(depth) if roll < 0.9 else self._dice.choice(_OTHERS)

    def number(self, depth: int) -> str:
        if depth == 0 or self._dice.random() < 0.5:
            return self._dice.choice(_NUMBERS)
        left, right = self.number(depth - 1), self.number(depth - 1)
        return self._dice.choice(
            [
                f"({left} {self._dice.choice(['+', '-', '*', '%', '//'])} {right})",
                f"CAST({left} AS BIGINT)",
                f"coalesce({left}, {right})",
                f"CASE WHEN {self.condition(depth - 1)} THEN {left} ELSE {right} END",
                f"nullif({left}, {right})",
            ]
        )

    def condition(self, depth: int) -> str:
        one = self.text if self._dice.random() < 0.5 else self.number
        operator = self._dice.choice(["=", "<>", "<", "<=", ">", ">="])
        return f"{one(depth)} {operator} {one(depth) if self._dice.random() < 0.9 else self.any(depth)}"

    def text(self, depth: int) -> str:
        if depth == 0 or self._dice.random() < 0.2:
            return self._dice.choice(_TEXTS)
        one, two, three = (self.text(depth - 1) for _ in range(3))
        some, other = self.any(depth - 1), self.any(depth - 1)
        number = self.number(1)
        return self._dice.choice(
            [
                f"{one} || {some}",
                f"({some} || {one})",
                f"concat({one}, {some}, {other})",
                f"concat_ws({one}, {some}, {two}, {other})",
                f"CAST({some} AS VARCHAR)",
                f"{self._dice.choice(['lower', 'upper', 'trim', 'ltrim', 'rtrim'])}({one})",
                f"{self._dice.choice(['trim', 'ltrim', 'rtrim'])}({one}, {two})",
                f"replace({one}, {two}, {three})",
                f"{self._dice.choice(['left', 'right'])}({one}, {number})",
                f"substring({one}, {number})",
                f"substring({one}, {number}, {self.number(1)})",
                f"{self._dice.choice(['lpad', 'rpad'])}({one}, {number}, {two})",
                f"format('{{}}#{{}}', {some}, {other})",
                f"format('#{{:03d}}', {number})",
                f"format({one}, {some})",
                f"coalesce({some}, {one})",
                f"ifnull(NULL, {one})",
                f"nullif({one}, {two})",
                f"if({self.condition(depth - 1)}, {one}, {two})",
                f"CASE {one} WHEN {two} THEN {three} WHEN {some} THEN {one} END",
                f"CASE WHEN {self.condition(depth - 1)} THEN {one} WHEN {self.condition(depth - 1)} THEN {some} END",
            ]
        )


def _parsed(sql: str) -> exp.Expr:
    dialect = Dialect()
    statement = dialect.parser().parse(list(dialect.tokenize(f"SELECT {sql}")), sql)[0]
    assert isinstance(statement, exp.Select)
    expression = statement.expressions[0]
    assert isinstance(expression, exp.Expr)
    return expression


@pytest.mark.parametrize("seed", range(2))
def test_a_constant_is_what_duckdb_makes_of_it(seed: int) -> None:
    expressions, compared = _Expressions(seed), 0
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("set timezone = 'UTC'")
        for _ in range(500):
            parsed = _parsed(expressions.any())
            found = constant(parsed)
            if found is NOT_CONSTANT:
                continue
            sql = to_sql(parsed)
            try:
                ((expected,),) = connection.execute(f"SELECT {sql}").fetchall()
            except duckdb.Error:  # then the statement fails, too
                continue
            if isinstance(expected, datetime):
                expected = expected.replace(tzinfo=None)

            assert (found, type(found)) == (expected, type(expected)), sql

            compared += isinstance(expected, str | int)
    assert compared > 150


@pytest.mark.parametrize(
    "sql",
    [
        *("lower('É')", "trim('É')", "'a' || 1.50", "'a' || .5", "format('{:x}', 1)", "format('{}', true)", "-7 % 4"),
        *("coalesce('a', 1)", "CASE WHEN random() > 2 THEN 'a' END", "1 // 0", "substring('abc', -1)"),
        *("lpad('a', 100000, 'b')", f"replace('{'a' * 100}', 'a', '{'b' * 100}')", "1 = '1'"),
    ],
)
def test_what_is_not_certain_is_not_taken_for_a_constant(sql: str) -> None:
    assert constant(_parsed(sql)) is NOT_CONSTANT


@pytest.mark.parametrize(
    ("condition", "predicate"),
    [
        ("status = 'U#' || 1", Comparison("status", "=", "U#1")),
        ("status = concat('U#', 1)", Comparison("status", "=", "U#1")),
        ("status = concat_ws('#', 'U', NULL, 1)", Comparison("status", "=", "U#1")),
        ("status = 'U#' || CAST(1 AS VARCHAR)", Comparison("status", "=", "U#1")),
        ("status = 'D#' || DATE '2024-03-01'", Comparison("status", "=", "D#2024-03-01")),
        ("status = upper('u#' || trim(' 1 '))", Comparison("status", "=", "U#1")),
        ("status = 'U#' || lpad(CAST(7 AS VARCHAR), 3, '0')", Comparison("status", "=", "U#007")),
        ("status = format('U#{:03d}', 7)", Comparison("status", "=", "U#007")),
        ("status = replace('U-1', '-', '#')", Comparison("status", "=", "U#1")),
        ("status = left('U#1-x', 3)", Comparison("status", "=", "U#1")),
        ("status = CASE WHEN 'x' = 'all' THEN 'a' ELSE 'b' END", Comparison("status", "=", "b")),
        ("status IN (lower('A'), 'S#' || 7 % 4)", OneOf("status", ("a", "S#3"))),
        ("id = coalesce(NULL, 3)", Comparison("id", "=", 3)),
        ("placed = coalesce(NULL, DATE '2024-03-01')", Comparison("placed", "=", date(2024, 3, 1))),
    ],
)
def test_what_is_put_together_narrows_as_if_it_were_written_so(
    tables: PlainTables, condition: str, predicate: Predicate
) -> None:
    ((conjunct,),) = (one.conjuncts for one in tables.bind(f"SELECT id FROM orders WHERE {condition}").relations)

    assert conjunct.predicate == predicate


def test_what_compares_with_null_reads_nothing(tables: PlainTables) -> None:
    ((conjunct,),) = (
        one.conjuncts for one in tables.bind("SELECT id FROM orders WHERE status = lower(NULL)").relations
    )

    assert conjunct.never
