"""The parser that reads plain parts in one step makes the trees of DuckDB's own, and refuses with its errors."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser

from mcp_server.sql.dialect import Dialect
from mcp_server.sql.gate.parse import parse
from mcp_server.sql.plain_parser import PlainParser
from tests.mcp_server.planning.typed_tables import RANDOM_TABLES
from tests.mcp_server.sql.test_same_results import STATEMENTS
from tests.mcp_server.sql.test_tpch_plans import QUERIES
from tests.support.random_sql.statements import Statements

EDITS = 2_000

_SLOW = type(
    "SlowParser",
    (Dialect.Parser,),
    {name: getattr(DuckDBParser, name) for name in vars(PlainParser) if hasattr(DuckDBParser, name)},
)
"""The same parser without the short ways."""

TEXTS = [
    "SELECT a, t.b AS x, 'c' AS \"Y\", 1.5 FROM s.t, u AS v, w x WHERE a = b AND t.a <> 1 OR 'x' < \"B\"",
    "SELECT sum(a), count(*), sum(a) / sum(t.b), (1 - a) * b, lower(upper(a)) || 'x' FROM t GROUP BY a",
    "SELECT a FROM t WHERE d BETWEEN date '1995-01-01' AND date '1996-12-31' AND d < date 'x' + interval '3' month",
    "SELECT CASE WHEN a = 'x' THEN b ELSE 0 END, CASE a WHEN 1 THEN 2 END FROM t ORDER BY a DESC NULLS LAST, t.b",
    "SELECT a FROM t JOIN u ON t.a = u.a LEFT JOIN v USING (a) CROSS JOIN w WHERE EXISTS (SELECT 1 FROM u)",
    "WITH x AS (SELECT a FROM t) SELECT a FROM x WHERE a IN (SELECT b FROM u) UNION ALL (SELECT 1) EXCEPT SELECT 2",
    "SELECT a -- of a\n, /* b */ b /* its */ AS c, -- then\n d FROM t /* one */, u -- two\n WHERE a = /* c */ 1",
    "SELECT sum(any_value(a)), first(a IGNORE NULLS), max(a) FILTER (WHERE b = 1), rank() OVER (ORDER BY a) FROM t",
    "SELECT if(a, b, c), any, map, prior, lambda, f(lambda, x), list_transform(a, lambda x : x + 1) FROM t",
    "SELECT a < < b, a << b, a > > b, a ^ 2, sum(a) ^ 2, -a, NOT a = b, a IS NULL = b, a = b IS NULL FROM t",
    "SELECT a left, a end, a asc, 'a' 'b', date 5, date, a::date, t.a[1], {'a': b}.a, a AT TIME ZONE 'UTC' FROM t",
    "SELECT a FROM t TABLESAMPLE 10%, u AS v (x), unnest(a) AS b, LATERAL (SELECT 1), (SELECT 2) AS c; SELECT 1",
    "SELECT a FROM start WITH, t AS start",
    "DELETE a FROM asc",
    "SELECT a b c FROM t",
    "SELECT (a, b), (), (SELECT a) FROM (t) WHERE (a = 1",
    "SELECT",
    "",
]

PIECES = [
    *"abt1,().[]{}<>=^+-*/%:;?@~",
    *("select", "from", "where", "group by", "order by", "having", "limit", "offset", "union", "join", "left", "cross"),
    *("on", "using", "as", "and", "or", "not", "in", "is", "null", "between", "like", "exists", "case", "when", "then"),
    *("else", "end", "asc", "desc", "with", "lateral", "window", "start", "at time zone", "nearest", "prior", "lambda"),
    *(
        "any",
        "map",
        "if",
        "date",
        "interval",
        "'x'",
        '"q"',
        "1.5",
        "$1",
        "::",
        "||",
        "->",
        "<>",
        "<=",
        "/* c */",
        "--c\n",
    ),
    *("sum(", "any_value(", "first(", "cast(", "over", "filter", "ignore nulls", "distinct", "all", "array", "values"),
]


def _shape(part: object) -> object:
    """All there is to a node, but for what refers to another: its parts in their order, comments and places."""
    if isinstance(part, exp.Expr):
        parts = [(name, _shape(value)) for name, value in part.args.items()]
        held = (part.arg_key, part.index, type(part.parent))
        return type(part), parts, part.comments, part._meta, held
    return [_shape(one) for one in part] if isinstance(part, list) else (type(part), part)


def _parsed(kind: type[Any], text: str) -> object:
    dialect = Dialect()
    try:
        return [_shape(tree) for tree in kind(dialect=dialect).parse(dialect.tokenize(text), text)]
    except ParseError as error:
        return error.errors


def _is_same(text: str) -> bool:
    """Whether both parsers parse a text, which they do alike."""
    try:
        ours = _parsed(Dialect.Parser, text)
    except TokenError:
        return False
    assert ours == _parsed(_SLOW, text), text
    return bool(ours) and not isinstance(ours[0], dict)  # type: ignore[index]


@pytest.mark.parametrize("text", TEXTS)
def test_trees_and_errors_are_those_of_the_parser(text: str) -> None:
    _is_same(text)


def test_statements_and_what_slips_of_the_pen_make_of_them() -> None:
    drawn = random.Random("parser")
    statements = Statements(drawn, RANDOM_TABLES, names=["j"])
    files = [text for path in Path(__file__).parent.glob("*.sql") for text in path.read_text("utf-8").split("\n\n")]
    texts = [*STATEMENTS, *TEXTS, *files, *(path.read_text("utf-8") for path in QUERIES)]
    texts += [statements.next() for _ in range(100)]
    parsed = {_is_same(text) for text in texts}
    for _ in range(EDITS):
        words = re.findall(r"\w+|'[^']*'|\s+|--[^\n]*\n|.", drawn.choice(texts))[:300]
        for _ in range(drawn.randrange(1, 4)):
            place = drawn.randrange(len(words) + 1)
            words[place : place + drawn.randrange(2)] = [f" {drawn.choice(PIECES)} "][: drawn.randrange(3)]
        parsed.add(_is_same("".join(words)))

    assert parsed == {True, False}


def test_plain_parts_are_not_searched_for_what_they_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def searched(*_: object, **__: object) -> None:
        pytest.fail("went down to the type of an operand")

    monkeypatch.setattr(DuckDBParser, "_parse_type", searched)

    assert parse(
        "SELECT a, t.b AS x, sum(a) AS y FROM t, s.u AS v JOIN w ON v.a = w.a "
        "WHERE t.a = 'x' AND b <> 1.5 AND d < date '1995-01-01' AND c BETWEEN 1 AND 2 OR (a = b AND c * (1 - d) > 3) "
        "GROUP BY a, t.b HAVING sum(a) >= 3 ORDER BY a",
        None,
    )


@pytest.mark.parametrize(
    ("opening", "closing"), [("(", ")"), ("(1 + ", ")"), ("CASE WHEN a THEN ", " END"), ("CAST(", " AS INT)")]
)
def test_fifty_levels_fit_the_stack(opening: str, closing: str) -> None:
    assert parse("SELECT " + opening * 50 + "a" + closing * 50 + " FROM t", None)
