"""A parameter means what the literal means, wherever it stands; DuckDB runs both, and the text as it was sent."""

from collections.abc import Iterator

import duckdb
import pytest

from mcp_server.sql.dialect import to_sql
from mcp_server.sql.gate.parameters import Parameters
from mcp_server.sql.gate.parse import parse

EXPRESSIONS: list[tuple[str, list[str | int | float]]] = [
    ("date_trunc({}, ts)", ["month"]),
    ("date_part({}, ts)", ["year"]),
    ("date_diff({}, d, ts)", ["day"]),
    ("d + INTERVAL ({}) DAY", [3]),
    ("d + {} * INTERVAL 1 DAY", [3]),
    ("d + {}", [3]),
    ("date_add(d, {})", [5]),
    ("d > {}", ["2024-01-01"]),
    ("strftime(ts, {})", ["%Y"]),
    ("epoch_ms({})", [1000]),
    ("make_date({}, 1, 2)", [2024]),
    ("l[{}]", [2]),
    ("l[{}]", [-1]),
    ("l[{} + 1]", [1]),
    ("l[{}:{}]", [2, 3]),
    ("s[{}]", [2]),
    ("s[{}:{}]", [2, 4]),
    ("st[{}]", ["k"]),
    ("j[{}]", ["a"]),
    ("list_extract(l, {})", [1]),
    ("list_slice(l, {}, {})", [1, 2]),
    ("list_contains(l, {})", [2]),
    ("array_position(l, {})", [2]),
    ("[{}, 2]", [1]),
    ("struct_extract(st, {})", ["k"]),
    ("j->{}", ["a"]),
    ("j->>{}", ["$.a.b[0]"]),
    ("j->'a'->'b'->{}", [0]),
    ("json_extract(j, {})", ["$.a.b"]),
    ("round(x, {})", [2]),
    ("n % {}", [4]),
    ("n // {}", [2]),
    ("n / {}", [2]),
    ("n ** {}", [2]),
    ("-n + {}", [-4]),
    ("n - {}", [-4]),
    ("{} - n", [-4]),
    ("quantile_cont(n, {})", [0.5]),
    ("nth_value(s, {}) OVER ()", [1]),
    ("lag(n, {}) OVER ()", [1]),
    ("string_agg(s, {})", [","]),
    ("substr(s, {}, {})", [2, 3]),
    ("substring(s FROM {} FOR {})", [2, 3]),
    ("left(s, {})", [2]),
    ("split_part(s, {}, {})", ["c", 1]),
    ("lpad(s, {}, {})", [8, "*"]),
    ("trim({} FROM s)", ["a"]),
    ("position({} IN s)", ["c"]),
    ("regexp_extract(s, {}, {})", ["(b)(c)", 2]),
    ("regexp_replace(s, {}, {})", ["b", "x"]),
    ("s LIKE {} ESCAPE {}", ["a!_%", "!"]),
    ("s SIMILAR TO {}", ["abc.*"]),
    ("CASE n WHEN {} THEN {} END", [7, "y"]),
    ("n BETWEEN {} AND {}", [1, 9]),
    ("n IN ({}, {})", [7, 8]),
    ("nullif(n, {})", [7]),
    ("{}::INT", ["12"]),
    ("CAST({} AS DATE)", ["2024-01-01"]),
]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connected:
        connected.execute(
            """CREATE TABLE t AS SELECT DATE '2024-05-17' AS d, TIMESTAMP '2024-05-17 11:22:33' AS ts, 'abcdef' AS s,
            3.14159 AS x, 7 AS n, [1, 2, 3] AS l, '{"a": {"b": [5, 6]}}'::JSON AS j, {'k': 1, 'm': 2} AS st"""
        )
        yield connected


@pytest.mark.parametrize(("expression", "values"), EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_a_parameter_means_what_the_literal_means(
    connection: duckdb.DuckDBPyConnection, expression: str, values: list[str | int | float]
) -> None:
    def result(sql: str, parameters: Parameters = None) -> object:
        return connection.execute(to_sql(parse(sql, parameters).expression.copy())).fetchall()

    literals = f"SELECT {expression.format(*map(_literal, values))} AS r FROM t"
    slots = f"SELECT {expression.format(*(f'${place}' for place in range(1, len(values) + 1)))} AS r FROM t"
    expected = connection.execute(literals).fetchall()
    assert result(literals) == expected
    assert result(slots, values) == expected


def _literal(value: str | float) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"({value})" if value < 0 else str(value)
