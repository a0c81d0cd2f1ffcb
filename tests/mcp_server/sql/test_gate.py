"""Nothing passes the gate but one query made of known syntax and known functions."""

import time
from pathlib import Path

import duckdb
import pytest
from sqlglot import exp

from mcp_server.domain.failures import Failure, FailureCode, Position
from mcp_server.domain.failures.functions import DottedCall, UnknownFunction
from mcp_server.domain.failures.texts import NestedTooDeeply
from mcp_server.sql.dialect import MAX_DOTTED_CALLS
from mcp_server.sql.gate.allow_list import check
from mcp_server.sql.gate.allowed_functions import PUBLIC_FUNCTIONS
from mcp_server.sql.gate.checks import looks_at
from mcp_server.sql.gate.parse import MAX_BYTES, TableName, parse
from mcp_server.sql.trees import nodes

_LINES = (Path(__file__).parent / "refused.sql").read_text(encoding="utf-8").splitlines()
REFUSED = [tuple(line.rsplit("; -- ", 1)) for line in _LINES if not line.startswith("--")]


def _refusal(text: str) -> Failure:
    with pytest.raises(Failure) as caught:
        parse(text, None)
    return caught.value


@pytest.mark.parametrize(("statement", "code"), REFUSED)
def test_refused(statement: str, code: str) -> None:
    assert _refusal(statement).code == code


@pytest.mark.parametrize("statement", [statement for statement, code in REFUSED if code == "statement_not_allowed"])
def test_hiding_a_statement_helps_nothing(statement: str) -> None:
    """Not behind a comment, not in brackets, not after a query, not in a CTE."""
    for hidden in (f"-- x\n{statement}", f"({statement})", f"SELECT 1; {statement}", f"WITH x AS ({statement}) FROM x"):
        assert _refusal(hidden).code in ("statement_not_allowed", "syntax_error", "syntax_not_supported"), hidden


def test_a_kind_with_a_check_is_looked_at() -> None:
    """A check cannot be written without its kind, and also looks at the kinds that are derived from that."""

    def alias(node: exp.Expr, text: str) -> None: ...
    def function(node: exp.Expr, text: str) -> None: ...

    checks = [(exp.Alias, alias), (exp.Func, function)]

    assert [looks_at(kind, checks) for kind in (exp.Alias, exp.PivotAlias, exp.Table, exp.Sum)] == [
        (alias,),
        (alias,),
        (),
        (function,),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT x(1), lower(y(2)) FROM t",
        "SELECT lower(x(1)), y(2) FROM t",
        "SELECT x(1) FROM t UNION SELECT lower(y(2)) FROM t",
    ],
)
def test_of_several_things_that_are_not_allowed_the_last_is_told(statement: str) -> None:
    assert _refusal(statement).fact == UnknownFunction("y", ())


def test_a_chain_of_calls_is_not_parsed_to_its_end() -> None:
    """The parser's time grows with the square of its length, and none of the calls is allowed."""
    assert isinstance(_refusal("SELECT " + "f(a)." * MAX_DOTTED_CALLS + "g(b) FROM t").fact, DottedCall)
    assert isinstance(_refusal("SELECT " + "f(a)." * (MAX_DOTTED_CALLS + 1) + "g(b) FROM t").fact, NestedTooDeeply)
    assert parse("SELECT s.x, * FROM s.t, " + ", ".join(["main.range(3)"] * (MAX_DOTTED_CALLS + 1)), None)


def test_a_tree_of_too_many_levels_is_refused() -> None:
    assert isinstance(_refusal("SELECT " + " + ".join(["a"] * 302) + " FROM t").fact, NestedTooDeeply)
    assert parse("SELECT " + " + ".join(["a"] * 290) + " FROM t", None)


@pytest.mark.parametrize("text", [";", ";;", "-- nothing", "/* nothing */ ;"])
def test_a_statement_of_nothing_is_refused(text: str) -> None:
    assert _refusal(text).code == "statement_not_allowed"


def test_what_looks_like_a_statement_in_from_names_a_table() -> None:
    statement = parse("SELECT * FROM (SHOW TABLES), (ATTACH '/tmp/x.db')", None)

    assert statement.tables == {TableName(None, "SHOW"), TableName(None, "ATTACH")}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1;",
        "SELECT 1 ; ; ",
        "/* a */ SELECT 1 -- b",
        "((SELECT 1))",
        "VALUES (1, 2)",
        "FROM t",
        "TABLE t",
        "from t select a",
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r WHERE a < 9) SELECT * FROM r",
        "SELECT CURRENT_DATE(), CURRENT_TIMESTAMP(), current_date, now()",
        "SELECT user FROM t",
        "SELECT repeat('x', 10), lpad(a, 5, '0'), range(10), generate_series(1, 10, 2) FROM t",
        "SELECT format('*** {} ***', a), format('{:*^10}', a), printf('%s * %5d', a, 1) FROM t",
        "SELECT format('Order 20261128: {}', a), printf('20261128%% of %s', a), format('{{20261128}} {:5}', a) FROM t",
        "SELECT * FROM generate_series(DATE '2024-01-01', DATE '2024-12-31', INTERVAL 1 DAY) s(d)",
        "SELECT * FROM generate_series(DATE '2024-01-01', DATE '2024-01-01' + INTERVAL 1 MONTH, INTERVAL 1 DAY)",
        "SELECT * FROM generate_series(TIMESTAMP '2024-01-01', date_trunc('day', DATE '2024-03-05'), INTERVAL 1 HOUR)",
        "SELECT * FROM generate_series(current_date - 30, current_date, INTERVAL 1 DAY) AS days(day)",
        "SELECT * FROM generate_series(date_trunc('month', now()), now() + INTERVAL 1 MONTH, INTERVAL 1 HOUR)",
        "SELECT * FROM range(DATE '2020-01-01', today(), INTERVAL 1 DAY)",
        'SELECT \'DROP TABLE t; --\', "select" FROM "drop"',
    ],
)
def test_let_through(statement: str) -> None:
    assert parse(statement, None).expression.sql(dialect="duckdb")


@pytest.mark.slow
def test_every_listed_function_is_one_and_is_let_through() -> None:
    """A name that the parser knows by another one must be on the list under that name too."""
    known = {name for (name,) in duckdb.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()}
    syntax = {"array_max", "array_min", "coalesce", "current_time", "current_timestamp", "date", "extract", "grouping",
              "grouping_id", "iff", "ifnull", "localtime", "localtimestamp", "nvl", "percentile_cont",
              "percentile_disc"}  # fmt: skip
    assert known | syntax >= PUBLIC_FUNCTIONS
    sized = {"repeat", "lpad", "rpad", "printf", "format", "range", "generate_series"}
    for name in PUBLIC_FUNCTIONS - sized:
        outcomes: list[FailureCode | None] = []
        for arguments in ("", "a", "a, b", "a, b, c", "'day', a, b"):
            try:
                parse(f"SELECT {name}({arguments}) FROM t", None)
            except Failure as failure:
                outcomes.append(failure.code)
            else:
                outcomes.append(None)
        assert FailureCode.FUNCTION_NOT_ALLOWED not in outcomes, name
        assert None in outcomes, name
    for call in ("repeat('x', 2)", "lpad('x', 2)", "rpad('x', 2)", "printf('%d', 1)", "format('{}', 1)", "range(9)",
                 "generate_series(1, 9)"):  # fmt: skip
        assert parse(f"SELECT {call}", None)


def test_no_listed_function_reaches_outside() -> None:
    outside = (
        *(
            "read_",
            "duckdb_",
            "pragma",
            "query",
            "getvariable",
            "current_setting",
            "getenv",
            "sleep",
            "nextval",
            "has_",
        ),
        *("write_", "json_serialize", "json_execute", "json_deserialize", "pg_", "inet_", "glob"),
    )
    assert not [name for name in PUBLIC_FUNCTIONS if name.startswith(outside)]


def test_syntax_that_nobody_has_thought_of_is_refused() -> None:
    class Novelty(exp.Expression):
        pass

    query = exp.select(Novelty())
    with pytest.raises(Failure) as caught:
        check(query, nodes(query), "SELECT novelty")

    assert caught.value.code is FailureCode.SYNTAX_NOT_SUPPORTED


class TestPositions:
    def test_of_a_function_and_a_near_name(self) -> None:
        failure = _refusal("SELECT a,\n  coutn(*) FROM t")

        assert failure.position == Position(2, 3)
        assert failure.fact == UnknownFunction("coutn", ("count", "cot"))

    def test_of_a_syntax_error(self) -> None:
        assert _refusal("SELECT a FROM t\nWHERE a = = 1").position == Position(2, 11)

    def test_of_an_open_text(self) -> None:
        assert _refusal("SELECT 'abc").position is not None

    def test_of_a_second_statement(self) -> None:
        assert _refusal("SELECT 1;\nSELECT 2").position == Position(1, 9)


class TestText:
    @pytest.mark.parametrize("text", ["", "  \n ", "\t"])
    def test_nothing_is_no_statement(self, text: str) -> None:
        assert _refusal(text).code is FailureCode.INVALID_ARGUMENT

    @pytest.mark.parametrize("character", ["\0", "\x01", "\x1b", "\x0b"])
    def test_control_characters(self, character: str) -> None:
        failure = _refusal(f"SELECT 'a{character}b'")

        assert failure.code is FailureCode.SYNTAX_ERROR
        assert failure.position == Position(1, 10)

    def test_lone_surrogates(self) -> None:
        assert _refusal("SELECT '\ud800'").code is FailureCode.INVALID_ARGUMENT

    def test_length(self) -> None:
        assert parse("SELECT 1 --" + "x" * (MAX_BYTES - 11), None)
        assert _refusal("SELECT 1 --" + "x" * (MAX_BYTES - 10)).code is FailureCode.INVALID_ARGUMENT
        assert _refusal("SELECT 1 --" + "é" * (MAX_BYTES // 2)).code is FailureCode.INVALID_ARGUMENT


@pytest.mark.slow
@pytest.mark.parametrize(
    "nested",
    [
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT " + "abs(" * 3000 + "1" + ")" * 3000,
        "SELECT " + "(SELECT " * 3000 + "1" + ")" * 3000,
        "SELECT " + "NOT " * 5000 + "true",
        "SELECT " + "- " * 5000 + "1",
        "SELECT " + "+".join(["1"] * 5000),
        "SELECT " + "[" * 5000 + "]" * 5000,
        "SELECT " + "case when a then " * 1000 + "1" + " end" * 1000 + " FROM t",
        "SELECT x" + "::int" * 5000 + " FROM t",
        "SELECT " + "{'a':" * 3000 + "1" + "}" * 3000,
        "SELECT 1" + " UNION ALL SELECT 1" * 2000,
        "SELECT x" + "[1]" * 5000 + " FROM t",
        "SELECT " + "f(x)." * 5000 + "y",
        "SELECT x" + "[1].f(1)" * 5000,
        "SELECT * FROM " + "(" * 5000 + "t" + ")" * 5000,
        "SELECT x FROM t WHERE " + " OR ".join(f"x = {number}" for number in range(3000)),
    ],
    ids=range(16),
)
def test_depth_is_bounded_and_quick(nested: str) -> None:
    """In processor time, which other processes do not spend."""
    started = time.thread_time()

    failure = _refusal(nested)

    assert failure.code in (FailureCode.SYNTAX_ERROR, FailureCode.INVALID_ARGUMENT)
    assert time.thread_time() - started < 10


@pytest.mark.parametrize("opening", ["(", "abs(", "(SELECT ", "[", "case when a then (", "cast(("])
def test_the_parsers_time_does_not_explode(opening: str) -> None:
    """It tries some readings twice at each level; bounded nesting keeps that harmless."""
    started = time.thread_time()
    with pytest.raises(Failure):
        parse("SELECT " + opening * 25 + "@ FROM", None)

    assert time.thread_time() - started < 5
