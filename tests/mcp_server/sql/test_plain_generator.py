"""The generator that writes plain nodes at once writes what DuckDB's own does."""

import random
from typing import Any

import pytest
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, UnsupportedError
from sqlglot.generators.duckdb import DuckDBGenerator

from mcp_server.sql.dialect import Dialect, to_sql
from mcp_server.sql.plain_generator import PlainGenerator
from tests.mcp_server.planning.typed_tables import RANDOM_TABLES
from tests.mcp_server.sql.test_plain_parser import TEXTS as PLAIN
from tests.mcp_server.sql.test_same_results import STATEMENTS
from tests.mcp_server.sql.test_tpch_plans import QUERIES
from tests.support.random_sql.statements import Statements

_OWN = {name: getattr(DuckDBGenerator, name, None) for name in vars(PlainGenerator) if not name.startswith("__")}
_SLOW = type("SlowGenerator", (Dialect.Generator,), {name: method for name, method in _OWN.items() if method})
"""The same generator without the short ways."""

OPTIONS = [
    {"identify": True, "comments": False},
    {"identify": False, "comments": False},
    {"identify": True, "comments": True},
    {"identify": True, "comments": False, "pretty": True},
]

TEXTS = [
    'SELECT a, t.b, s.t.c, t."d""e", upper(t.a), count(*), "f\n" FROM s.t AS t, u, (SELECT 1) AS v (x)',
    "SELECT a FROM t WHERE a = 1 AND (b = 2 OR c = 3) AND NOT d IS NULL OR e < 4 AND f = (g = h) OR i = j = k",
    "SELECT a + b + c - (d - e) * f / 2, a || 'it''s' || b, a IS NOT NULL, (a IS NULL) IS NULL, a ^ 2, a % 2 FROM t",
    "SELECT CAST(a AS DATE), a::DECIMAL(10, 2), a::INT[], a::VARCHAR, a::TIMESTAMPTZ, a::STRUCT(x INT), a::INT FROM t",
    "SELECT a FROM t JOIN u ON t.a = u.a LEFT JOIN v USING (a), LATERAL (SELECT 1), unnest(b) AS w(x), (t, u)",
    "SELECT DISTINCT a FROM t GROUP BY ROLLUP (a), b QUALIFY rank() OVER (ORDER BY a) = 1 ORDER BY a DESC",
    "SELECT a FROM t WINDOW w AS (ORDER BY b) ORDER BY ALL LIMIT 3 OFFSET 2",
    "WITH x AS (SELECT 1 AS a) (SELECT a FROM x ORDER BY a LIMIT 1) UNION ALL BY NAME SELECT /* of */ 2 -- b\n",
    "SELECT * EXCLUDE (a), t.* REPLACE (b AS c), [1, 2][1], {'a': 1}, x -> x + 1, CASE WHEN a THEN b END FROM t",
    "SELECT a FROM t PIVOT (sum(b) FOR c IN (1, 2))",
]


def _texts(generator: type[Any], tree: exp.Expr) -> list[str]:
    found = []
    for options in OPTIONS:
        writing = generator(dialect=Dialect(), unsupported_level=ErrorLevel.RAISE, **options)
        try:
            found.append(writing.generate(tree))
        except UnsupportedError as error:
            found.append(str(error))
    return found


def _check(text: str) -> None:
    try:
        trees = Dialect().parse(text)
    except ParseError:
        return
    for tree in trees:
        assert tree is None or _texts(Dialect.Generator, tree) == _texts(_SLOW, tree)


@pytest.mark.parametrize("text", [*TEXTS, *PLAIN])
def test_texts_are_those_of_the_generator(text: str) -> None:
    _check(text)


def test_statements() -> None:
    statements = Statements(random.Random("generator"), RANDOM_TABLES, names=["j"])
    for text in (*STATEMENTS, *(statements.next() for _ in range(100)), *(path.read_text("utf-8") for path in QUERIES)):
        _check(text)


def test_conditions_nested_to_the_right() -> None:
    column = exp.column("a")
    tree = exp.And(this=column, expression=exp.And(this=column, expression=exp.Or(this=column, expression=column)))

    assert to_sql(tree, quoted=False) == "a AND a AND a OR a"


def test_a_long_chain_of_conditions_fits_the_stack() -> None:
    assert to_sql(exp.and_(*["a"] * 290), quoted=False) == " AND ".join(["a"] * 290)
