"""A statement of another dialect, or with a misspelt word, is refused together with the statement that would do."""

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from mcp_server.adapters.duckdb.errors import tidy
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.texts import NotANumber
from mcp_server.domain.schema import Column, ColumnType, TypeKind
from mcp_server.sql.binding.bind import bind
from mcp_server.sql.gate.parse import meant_instead, parse
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.next_call import NextCall, call_of
from tests.mcp_server.sql.plain_tables import PlainTables, plain_tables

REWORDED = [
    ("SELECT `id` FROM `orders`", "DuckDB", 'SELECT "id" FROM "orders"'),
    ("SELECT TOP 3 id FROM orders", "DuckDB", "SELECT id FROM orders LIMIT 3"),
    ("SELECT [id] FROM [orders]", "DuckDB", 'SELECT "id" FROM "orders"'),
    ("SELECT id FROM orders MINUS SELECT id FROM items", "DuckDB", "SELECT id FROM orders EXCEPT SELECT id FROM items"),
    (
        "SELECT to_char(placed, 'YYYY-MM') FROM orders",
        "DuckDB",
        "SELECT strftime(CAST(placed AS TIMESTAMP), '%Y-%m') FROM orders",
    ),
    ("SELECT curdate()", "DuckDB", "SELECT current_date"),
    ("SELECT getdate()", "DuckDB", "SELECT now()"),
    ("SELECT unix_timestamp()", "DuckDB", "SELECT epoch(now())"),
    ("SELECT group_concat(status SEPARATOR '/') FROM orders", "DuckDB", "SELECT string_agg(status, '/') FROM orders"),
    ("SELECT id FROM orders WHERE begins_with(status, 'o')", "DuckDB", "WHERE starts_with(status, 'o')"),
    ("SELECT id FROM orders WHERE attribute_exists(status)", "DuckDB", "WHERE (status IS NOT NULL)"),
    ("SELECT size(tags) FROM items", "DuckDB", "SELECT len(tags) FROM items"),
    ("SELECT date_sub(current_date, INTERVAL 30 DAY)", "DuckDB", "SELECT (current_date - INTERVAL 30 DAY)"),
    (
        "SELECT date_trunc(placed, MONTH) FROM orders",
        "DuckDB",
        "SELECT date_trunc('month', CAST(placed AS TIMESTAMP)) FROM orders",
    ),
    ("SELECT id FROM items WHERE info:color::string = 'red'", "Snowflake", "CAST(info ->> '$.color' AS TEXT) = 'red'"),
    ("SELECT id FROM items WHERE info:color = 'red'", "Snowflake", "WHERE (info ->> '$.color') = 'red'"),
    ("SELEC 1", "Did you mean", "SELECT 1"),
    ("SELCT id FORM orders", "Did you mean", "SELECT"),
    ("SELECT id FORM orders", "Did you mean", "SELECT id FROM orders"),
    ("SELECT id FROM orders WEHRE id = 1", "Did you mean", "SELECT id FROM orders WHERE id = 1"),
    ("SELECT id FROM orders OREDR BY id", "Did you mean", "SELECT id FROM orders ORDER BY id"),
]

TOOLS = [
    ("SHOW TABLES", "list_tables"),
    ("SHOW DATABASES", "list_schemas"),
    ("SHOW SCHEMAS", "list_schemas"),
    ("SHOW COLUMNS FROM orders", "describe_table"),
    ("DESCRIBE orders", "describe_table"),
    ("DESC orders", "describe_table"),
    ("EXPLAIN SELECT 1", "explain_sql"),
    ("SELECT * FROM information_schema.tables", "list_tables"),
    ("SELECT column_name FROM INFORMATION_SCHEMA.COLUMNS", "describe_table"),
]


@pytest.fixture(scope="module")
def tables() -> Iterator[PlainTables]:
    yield from plain_tables()


def _refusal(text: str) -> Failure:
    with pytest.raises(Failure) as caught:
        parse(text, None)
    return caught.value


def _advice(text: str) -> str:
    return worded(_refusal(text)).next_action


def _statement(failure: Failure) -> str | None:
    return failure.meant.statement if failure.meant is not None else None


@pytest.mark.parametrize(("statement", "named", "reworded"), REWORDED)
def test_the_refusal_holds_the_statement_that_would_do(
    tables: PlainTables, statement: str, named: str, reworded: str
) -> None:
    """What is suggested passes the gate and runs in DuckDB."""
    failure = _refusal(statement)

    assert failure.code in (FailureCode.SYNTAX_ERROR, FailureCode.FUNCTION_NOT_ALLOWED)
    advice = worded(failure).next_action
    assert named in advice
    assert reworded in advice
    if ": " in advice:
        suggested = advice.split(": ", 1)[1]
        assert _statement(failure) == suggested
        assert parse(suggested, None)
        tables.connection.sql(suggested).to_arrow_table()


def test_hints_to_the_optimizer_are_left_out() -> None:
    failure = _refusal("SELECT id FROM orders o WITH (NOLOCK) WHERE id = 1")
    assert _statement(failure) == "SELECT id FROM orders o WHERE id = 1"


@pytest.mark.parametrize(("statement", "tool"), TOOLS)
def test_statements_that_look_things_up_name_the_tool(statement: str, tool: str) -> None:
    assert tool in _advice(statement)


@pytest.mark.parametrize(
    ("statement", "call"),
    [
        ("SHOW TABLES", NextCall("list_tables")),
        ("show schemas", NextCall("list_schemas")),
        ("SHOW COLUMNS FROM orders", NextCall("describe_table", {"table_name": "orders"})),
        ("DESCRIBE orders", NextCall("describe_table", {"table_name": "orders"})),
        ('desc table shop."my-orders"', NextCall("describe_table", {"table_name": 'shop."my-orders"'})),
        ("SUMMARIZE shop.orders;", NextCall("describe_table", {"table_name": "shop.orders"})),
        ("SHOW CREATE TABLE orders", NextCall("describe_table", {"table_name": "orders"})),
        ("PRAGMA table_info('my-orders')", NextCall("describe_table", {"table_name": '"my-orders"'})),
        ("PRAGMA table_info", None),
        ("PIVOT orders ON status USING count(*)", None),
        ("USE shop", None),
        ("DESCRIBE SELECT 1", None),
        ("DESCRIBE", None),
        ("SHOW COLUMNS", None),
        ("SHOW COLUMNS orders", None),
        ("DESCRIBE a.b.c", None),
        ("EXPLAIN SELECT 1", NextCall("explain_sql", {"sql": "SELECT 1"})),
        (
            "EXPLAIN ANALYZE WITH a AS (SELECT 1) FROM a",
            NextCall("explain_sql", {"sql": "WITH a AS (SELECT 1) FROM a"}),
        ),
        ("EXPLAIN", None),
        ("SELECT * FROM information_schema.tables", NextCall("list_tables")),
    ],
)
def test_the_call_of_the_tool_is_told_with_its_arguments(statement: str, call: NextCall | None) -> None:
    assert call_of(_refusal(statement).fact) == call


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("SELECT statsu FROM orders", "SELECT status FROM orders"),
        ('SELECT o."Statuss" FROM orders AS o', "SELECT o.status FROM orders AS o"),
        (
            "SELECT 'statsu', id\nFROM orders\nWHERE statsu = 'ü'",
            "SELECT 'statsu', id\nFROM orders\nWHERE status = 'ü'",
        ),
        ("SELECT id FROM orders o WHERE oo.id = 1", "SELECT id FROM orders o WHERE o.id = 1"),
        ('SELECT id FROM orders WHERE status = "open now"', "SELECT id FROM orders WHERE status = 'open now'"),
        ("SELECT id FROM orders WHERE status = “open”", "SELECT id FROM orders WHERE status = 'open'"),
        ("SELECT statsu FROM orders ORDER BY statsu", None),
        ("SELECT nothing_like_it FROM orders", None),
    ],
)
def test_a_misspelt_name_is_refused_together_with_the_statement_that_is_meant(
    tables: PlainTables, statement: str, meant: str | None
) -> None:
    """Where it stands once, and one name is near."""
    with pytest.raises(Failure) as caught:
        tables.bind(statement)

    assert _statement(caught.value) == meant
    if meant is not None:
        tables.bind(meant)
    if caught.value.code is FailureCode.UNKNOWN_COLUMN:
        assert call_of(caught.value.fact) == NextCall("describe_table", {"table_name": "demo.orders"})


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("SELECT id FROM orders WHERE status IS MISSING", "SELECT id FROM orders WHERE status IS NULL"),
        ("SELECT id FROM orders WHERE status IS NOT MISSING", "SELECT id FROM orders WHERE status IS NOT NULL"),
        ("SELECT id FROM orders WHERE placed < SYSDATE", "SELECT id FROM orders WHERE placed < now()"),
        (
            "SELECT datepart(month, placed) FROM orders",
            "SELECT date_part('month', CAST(placed AS TIMESTAMP)) FROM orders",
        ),
        (
            "SELECT DATE_PART(year, placed) y FROM orders",
            "SELECT date_part('year', CAST(placed AS TIMESTAMP)) y FROM orders",
        ),
        (
            "SELECT date_diff(DATE '2024-03-01', placed, DAY) FROM orders",
            "SELECT date_diff('day', CAST(placed AS TIMESTAMP), CAST(DATE '2024-03-01' AS TIMESTAMP)) FROM orders",
        ),
        ("SELECT id FROM orders WHERE ROWNUM <= 3", "SELECT id FROM orders LIMIT 3"),
        ("SELECT id FROM orders WHERE ROWNUM < 3 AND id > 1;", "SELECT id FROM orders WHERE id > 1 LIMIT 2;"),
        ("SELECT id FROM orders WHERE id > 1 AND rownum <= 3", "SELECT id FROM orders WHERE id > 1 LIMIT 3"),
        (
            "SELECT max(id) FROM (SELECT id FROM orders WHERE rownum <= 3) x",
            "SELECT max(id) FROM (SELECT id FROM orders LIMIT 3) x",
        ),
        ("SELECT max(id) FROM orders WHERE rownum <= 3", None),
        ("SELECT id FROM orders WHERE rownum <= 3 ORDER BY id", None),
        ("SELECT id FROM orders WHERE rownum <= 3 OR id = 1", None),
        ("SELECT id FROM orders WHERE rownum = 2", None),
        ("SELECT id FROM (SELECT id FROM orders ORDER BY id) WHERE rownum <= 3", None),
        ("SELECT month FROM orders", None),
    ],
)
def test_a_word_of_another_dialect_that_is_no_column_is_written_otherwise(
    tables: PlainTables, statement: str, meant: str | None
) -> None:
    with pytest.raises(Failure) as caught:
        tables.bind(statement)

    assert caught.value.code is FailureCode.UNKNOWN_COLUMN
    assert _statement(caught.value) == meant
    if meant is not None:
        tables.run(tables.bind(meant), narrowed=False).fetchall()


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("SELECT status + '-' + label FROM t", "SELECT status || '-' || label FROM t"),
        ("SELECT 'a: ' + id + t.label, id + 1 FROM t", "SELECT 'a: ' || id || t.label, id + 1 FROM t"),
        ("SELECT label + (id + 1) FROM t", None),
        ("SELECT label + 1 FROM t", None),
        ("SELECT '2024-01-01' + label FROM t", None),
        ("SELECT id FROM t WHERE label = 'x' && id = 1", "SELECT id FROM t WHERE label = 'x' AND id = 1"),
        ("SELECT id FROM t WHERE label && id", "SELECT id FROM t WHERE label AND id"),
        ("SELECT tags && id FROM t", None),
        ("SELECT element_at(tags, 1) FROM t", "SELECT tags[1] FROM t"),
        ("SELECT element_at(tags, 0) FROM t", None),
        ("SELECT element_at(label, 1) FROM t", None),
        ("SELECT list_sum(id), 'a' + id FROM t", None),
    ],
)
def test_what_duckdb_refuses_of_another_dialect_is_written_otherwise(statement: str, meant: str | None) -> None:
    """Only what it blames; all else stays."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT 1 AS id, 'x' AS label, 'open' AS status, ['a'] AS tags")
    with pytest.raises(duckdb.Error) as told:
        connection.execute(parse(statement, None).text)

    found = meant_instead(statement, tidy(str(told.value)))
    assert (found.statement if found is not None else None) == meant


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        (
            "SELECT status, count(*) AS cnt FROM orders GROUP BY status HAVING cntt > 1",
            "SELECT status, count(*) AS cnt FROM orders GROUP BY status HAVING cnt > 1",
        ),
        (
            "SELECT status FROM orders GROUP BY status HAVING max(totl) > 1",
            "SELECT status FROM orders GROUP BY status HAVING max(total) > 1",
        ),
        ("SELECT status, count(*) AS n FROM orders GROUP BY status HAVING zzzz > 1", None),
    ],
)
def test_a_name_in_having_that_nothing_has_is_unknown(tables: PlainTables, statement: str, meant: str | None) -> None:
    with pytest.raises(Failure) as caught:
        tables.bind(statement)
    assert caught.value.code is FailureCode.UNKNOWN_COLUMN
    assert _statement(caught.value) == meant
    if meant is not None:
        tables.run(tables.bind(meant), narrowed=False).fetchall()


@pytest.mark.parametrize(
    "having", ["N > 1", "max(total) > 1", "status = 'open'", "count(*) > (SELECT min(id) FROM items WHERE id > 1)"]
)
def test_what_having_may_name_is_let_through(tables: PlainTables, having: str) -> None:
    tables.bind(f"SELECT status, count(*) AS n FROM orders GROUP BY status HAVING {having}")


def test_having_may_name_a_merged_column(tables: PlainTables) -> None:
    tables.bind("SELECT max(id) FROM parts JOIN items USING (id) GROUP BY parent HAVING max(id) > 0")


def test_an_ambiguous_column_comes_with_the_names_it_may_have(tables: PlainTables) -> None:
    with pytest.raises(Failure) as caught:
        tables.bind('SELECT ID FROM orders JOIN items AS "my items" ON true')
    assert worded(caught.value).next_action == 'Write it as "my items".ID or orders.ID.'


@pytest.mark.parametrize("written", ["a-b", "[a-b]", "A-B"])
def test_a_name_with_a_hyphen_is_told_whole(tables: PlainTables, written: str) -> None:
    """`a-b` is a difference; neither its first half nor another column is meant."""
    with pytest.raises(Failure) as caught:
        tables.bind(f'SELECT {written} FROM "odd-table"')
    assert _statement(caught.value) == 'SELECT "a-b" FROM "odd-table"'


@pytest.mark.parametrize(
    ("name", "meant"),
    [("city", "address.city"), ("LAT", "address.geo.lat"), ("sku", None), ("zip", None)],
)
def test_the_field_of_a_map_is_told_by_its_name(tables: PlainTables, name: str, meant: str | None) -> None:
    """Even where a column is called almost like it: `cite`. Elements of lists are told in words."""
    number, text = ColumnType(TypeKind.DOUBLE), ColumnType(TypeKind.VARCHAR)
    geo = ColumnType(TypeKind.STRUCT, fields=(("lat", number),))
    address = ColumnType(TypeKind.STRUCT, fields=(("city", text), ("geo", geo)))
    lines = ColumnType(TypeKind.LIST, element=ColumnType(TypeKind.STRUCT, fields=(("sku", text),)))
    columns = (("cite", text), ("address", address), ("lines", lines))
    table = replace(tables.tables["orders"], columns=tuple(Column(*one, frozenset()) for one in columns))
    statement = parse(f"SELECT {name} FROM orders", None)
    with pytest.raises(Failure) as caught:
        bind(statement, "demo", dict.fromkeys(statement.tables, table))
    assert _statement(caught.value) == (f"SELECT {meant} FROM orders" if meant else None)
    if name == "sku":
        assert worded(caught.value).next_action == "Did you mean unnest(lines).sku?"


@pytest.mark.parametrize("written", ["0x1F", "5kg", "1a"])
def test_what_is_no_number_is_refused(written: str) -> None:
    """DuckDB reads a number and an alias. In MySQL it is something else again, which is not proposed."""
    failure = _refusal(f"SELECT {written}")
    assert failure.fact == NotANumber(written)
    assert failure.meant is None


@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        ("SELECT * FROM JSON_TABLE(x, '$[*]' COLUMNS (a VARCHAR PATH '$.a'))", "unnest(list)"),
        ("SELECT jsonb_array_elements(x)", "unnest(list)"),
        ("SELECT to_char(placed, 'YYYY-Q') FROM orders", "strftime"),
        ("SELECT str_to_date(status, '%X') FROM orders", "strptime"),
        ("SELECT initcap(status) FROM orders", "upper(left(text, 1))"),
        ("SELECT months_between(placed, placed) FROM orders", "date_diff('month'"),
        ("SELECT date(placed, '-30 days') FROM orders", "x - INTERVAL 3 DAY"),
        ("SELECT id FROM orders LIMIT 1 BY status", "QUALIFY"),
        ("SELECT any(tags) FROM items", "x = ANY(list)"),
        ("SELECT trunc(placed, 'SYEAR') FROM orders", "date_trunc"),
        ("SELECT decode(encode('a'), 'latin1')", "CASE"),
        ("SELECT INTERVAL 1 FORTNIGHT", "INTERVAL 3 DAY"),
    ],
)
def test_what_is_done_otherwise_here_is_told(statement: str, advice: str) -> None:
    failure = _refusal(statement)
    assert advice in worded(failure).next_action
    assert failure.meant is None


def test_where_several_tables_are_read_none_is_told(tables: PlainTables) -> None:
    with pytest.raises(Failure) as caught:
        tables.bind("SELECT nothing_like_it FROM orders, items")

    assert call_of(caught.value.fact) is None


@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        ('SELECT id FROM orders WHERE status = "open"', "'open'"),
        ("SELECT id FROM orders WHERE ROWNUM <= 3", "LIMIT"),
        ("SELECT sysdate FROM orders", "now()"),
        ("SELECT id FROM orders WHERE status IS MISSING", "IS NULL"),
    ],
)
def test_a_name_that_is_no_column_is_explained(tables: PlainTables, statement: str, advice: str) -> None:
    with pytest.raises(Failure) as caught:
        tables.bind(statement)

    assert caught.value.code is FailureCode.UNKNOWN_COLUMN
    assert advice in worded(caught.value).next_action


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("SELECT lowr(status) || 'lowr(x)' FROM orders", "SELECT lower(status) || 'lowr(x)' FROM orders"),
        ("SELECT Coutn(*) FROM orders", "SELECT count(*) FROM orders"),
        ("SELECT uper(status), UPER(status) FROM orders", "SELECT upper(status), upper(status) FROM orders"),
        ("SELECT subsrting(status, 1) FROM orders", "SELECT substring(status, 1) FROM orders"),
        ("SELECT log3(id) FROM orders", None),
        ("SELECT json_objects('a', id) FROM orders", "SELECT json_object('a', id) FROM orders"),
        ("SELECT lowr(status), nosuchfunction(1) FROM orders", None),
    ],
)
def test_a_misspelt_function_is_refused_together_with_the_statement_that_is_meant(
    statement: str, meant: str | None
) -> None:
    assert _statement(_refusal(statement)) == meant


def test_what_cannot_be_reworded_keeps_its_own_advice() -> None:
    assert _advice("SELECT nosuchfunction(1)") == "Use another function."
    assert _advice("SELECT coutn(*) FROM orders") == "Did you mean count or cot?"
    assert _advice("SELECT a FROM t WHERE = = 1") == "Correct the syntax; the dialect is DuckDB's."


def test_statements_that_write_are_never_reworded() -> None:
    for statement in ("DELETE FROM orders", "INSERT INTO orders VALUES (1)", "UPDATE orders SET id = 1"):
        assert "In DuckDB" not in _advice(statement)


def test_escape_strings_are_those_of_duckdb() -> None:
    """Every byte after a backslash, alone and before a digit."""
    for code in range(1, 128):
        for tail in ("", "1", "4a"):
            literal = f"E'x\\{chr(code)}{tail}'"
            if chr(code) == "'" and not tail:
                continue
            try:
                (expected,) = duckdb.execute(f"SELECT {literal}").fetchall()[0]
            except duckdb.Error:
                expected = None
            try:
                found = parse(f"SELECT {literal}", None).expression.expressions[0].this
            except Failure:
                found = None
            if chr(code) in "\t\n\r" or code >= 32:
                assert found == expected, literal
