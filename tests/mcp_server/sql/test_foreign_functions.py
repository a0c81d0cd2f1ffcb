"""What is proposed for another database's statement gives that database's answer, and leaves alone what is ours."""

import datetime
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from mcp_server.domain.failures import Failure
from mcp_server.sql.gate.parse import parse

ITEM = """(SELECT TIMESTAMP '2024-01-31 14:05:09' AS placed, DATE '2024-03-01' AS due, '2024-01-31T14:05:09Z' AS stamp,
    'open' AS status, 'USER#1#x' AS pk, ['a', 'b', 'c'] AS tags, 12.5 AS total, '{"a": {"b": 7}}' AS doc,
    '7' AS digits, NULL AS nothing, 'yes' AS "odd name")"""

ANSWERS: list[tuple[str, Any]] = [
    # beside what is ours
    ("count(*) FILTER (WHERE \"status\" = 'open' AND date_format(placed, '%Y') = '2024')", 1),
    ("tags[1] || date_format(placed, '%Y')", "a2024"),
    ("log(100) + size(tags)", 5.0),
    ("pk || '-' || nvl2(status, 'x', 'y')", "USER#1#x-x"),
    ("nvl2(\"odd name\", \"odd name\" || '!', '')", "yes!"),
    ('concat(`status`, "status", tags[2], log(10))', "openopenb1.0"),
    # subscripts
    ("tags[OFFSET(0)]", "a"),
    ("tags[SAFE_OFFSET(1)]", "b"),
    ("tags[ORDINAL(1)]", "a"),
    ("tags[safe_ordinal(3)]", "c"),
    ("SPLIT(pk, '#')[OFFSET(0)]", "USER"),
    ("SPLIT(pk, '#')[OFFSET(1)] || tags[1]", "1a"),
    # types
    ("SAFE_CAST(digits AS FLOAT64) / 2", 3.5),
    ("CAST(CAST(stamp AS datetime2) AS DATE)", "2024-01-31"),
    ("(SELECT TRY_CAST(digits AS UNSIGNED) AS money)", 7),
    # formats
    ("TO_CHAR(placed, 'YYYY-MM-DD HH24:MI:SS')", "2024-01-31 14:05:09"),
    ("TO_CHAR(stamp, 'yyyymmdd')", "20240131"),
    ("TO_CHAR(placed, 'Mon DD YYYY')", "Jan 31 2024"),
    ("TO_CHAR(placed, 'YYYY-MM-DD\"T\"HH24:MI')", "2024-01-31T14:05"),
    ("TO_CHAR(placed, '100% YYYY')", None),
    ("TO_CHAR(placed, '% YYYY')", "% 2024"),
    ("TO_CHAR(placed, 'YYYY-Q')", None),
    ("TO_CHAR(placed, 'Month YYYY')", None),
    ("TO_CHAR(placed, 'MON YYYY')", None),
    ("TO_CHAR(total, '999.9')", None),
    ("TO_CHAR(total)", "12.5"),
    ("DATE_FORMAT(placed, 'yyyy-MM-dd HH:mm')", "2024-01-31 14:05"),
    ("DATE_FORMAT(placed, 'yyyy-MM')", "2024-01"),
    ("DATE_FORMAT(placed, '%Y-%m-%d %H:%i:%s')", "2024-01-31 14:05:09"),
    ("DATE_FORMAT(placed, '%M %e')", "January 31"),
    ('DATE_FORMAT(stamp, "%Y")', "2024"),
    ("DATE_FORMAT(placed, '%D')", None),
    ("DATE_FORMAT(placed, '%v')", None),
    ("DATE_FORMAT(placed, status)", None),
    ("FORMAT_DATE('%F', placed)", "2024-01-31"),
    ("FORMAT_TIMESTAMP('%Y/%m %T', placed)", "2024/01 14:05:09"),
    ("FORMAT_DATE('%Q', placed)", None),
    ("FROM_UNIXTIME(1700000000, '%Y')", "2023"),
    ("FROM_UNIXTIME(1700000000, 'yyyy-MM-dd')", "2023-11-14"),
    ("epoch(FROM_UNIXTIME(1700000000))", 1700000000.0),
    ("STR_TO_DATE('31.01.2024', '%d.%m.%Y')", "2024-01-31"),
    ("STR_TO_DATE('31.01.2024 14', '%d.%m.%Y %H')", "2024-01-31 14:00:00"),
    ("TO_DATE('2024-01-31', 'YYYY-MM-DD')", "2024-01-31"),
    ("TO_DATE('31-JAN-2024', 'DD-MON-YYYY')", "2024-01-31"),
    ("TO_DATE('2024-01-31')", "2024-01-31"),
    ("PARSE_DATE('%Y%m%d', '20240131')", "2024-01-31"),
    ("DATE_PARSE('2024-01-31', '%Y-%m-%d')", "2024-01-31 00:00:00"),
    ("TO_TIMESTAMP('31.01.2024', 'DD.MM.YYYY')", "2024-01-31 00:00:00"),
    ("TO_TIMESTAMP('31.01.2024', status)", None),
    # conversions
    ("CONVERT(status USING utf8mb4)", "open"),
    ("CONVERT(varchar(10), placed, 120)", "2024-01-31"),
    ("CONVERT(VARCHAR(7), stamp, 120)", "2024-01"),
    ("CONVERT(char(8), placed, 112)", "20240131"),
    ("CONVERT(varchar(20), placed, 9)", None),
    ("CONVERT(int, digits)", 7),
    ("CONVERT(nvarchar(max), total)", "12.5"),
    # times
    ("DATEADD(month, 1, placed)", "2024-02-29 14:05:09"),
    ("DATEADD(day, -1, due)", "2024-02-29 00:00:00"),
    ("DATE_ADD('hour', 1, placed)", "2024-01-31 15:05:09"),
    ("ADD_MONTHS(due, 1)", "2024-04-01 00:00:00"),
    ("DATE_SUB(due, INTERVAL 1 MONTH)", "2024-02-01 00:00:00"),
    ("DATEDIFF(due, placed)", 30),
    ("DATE_DIFF(due, placed, DAY)", 30),
    ("TIMESTAMPDIFF(HOUR, placed, due)", 705),
    ("TIMESTAMPDIFF(MONTH, placed, due)", None),
    ("TIMESTAMP_DIFF(due, placed, MINUTE)", 42354),
    ("DATE_TRUNC(placed, MONTH)", "2024-01-01 00:00:00"),
    ("DATE_TRUNC(placed, WEEK)", None),
    ("DATETIME_TRUNC(placed, HOUR)", "2024-01-31 14:00:00"),
    ("EOMONTH(due)", "2024-03-31"),
    ("TRUNC(placed, 'MM')", "2024-01-01 00:00:00"),
    ("TRUNC(placed, 'Q') = TRUNC(due, 'YYYY')", True),
    ("TRUNC(placed, 'WW')", None),
    ("MONTHS_BETWEEN(due, placed)", None),
    ("UNIX_TIMESTAMP(due)", 1709251200.0),
    # the rest
    ("SAFE_DIVIDE(total, 0)", None),
    ("coalesce(SAFE_DIVIDE(total, 0), -1)", -1.0),
    ("DIV0(total, 0)", 0.0),
    ("ZEROIFNULL(nothing)", 0),
    ("ISNULL(status, 'x') || ISNULL(nothing)", "opentrue"),
    ("DECODE(status, 'open', 1, 'paid', 2, 3)", 1),
    ("DECODE(status, 'shut', 1, NULL, 2, 3)", 3),
    ("DECODE(status, 'open', 1)", 1),
    ("DECODE(nothing, 'shut', 1, NULL, 2, 3)", 2),
    ("SUBSTRING_INDEX(pk, '#', 1)", "USER"),
    ("SUBSTRING_INDEX(pk, '#', 2)", "USER#1"),
    ("SUBSTRING_INDEX(pk, '#', -1)", "x"),
    ("SUBSTRING_INDEX(pk, '#', -2)", "1#x"),
    ("GET_JSON_OBJECT(doc, '$.a.b') = '7'", True),
    ("JSON_UNQUOTE(JSON_EXTRACT(doc, '$.a.b'))", "7"),
    ("COLLECT_LIST(status)", ["open"]),
    ("COLLECT_LIST(nothing)", None),
    ("COLLECT_SET(status)", ["open"]),
    ("COLLECT_LIST(DISTINCT status)", None),
    ("REGEXP_SUBSTR(pk, '[0-9]+')", "1"),
    ("coalesce(REGEXP_SUBSTR(pk, 'z'), 'none')", "none"),
    ("REGEXP_SUBSTR(pk, '\\d')", None),
    ("REGEXP_CONTAINS(pk, '^USER')", True),
    ("MID(pk, 1, 4)", "USER"),
    ("STD(total)", 0.0),
    ("BEGINS_WITH(pk, 'US' || 'ER')", True),
    ("NOT ATTRIBUTE_NOT_EXISTS(nothing)", False),
    ("SIZE(tags) * 2", 6),
    ("GROUP_CONCAT(DISTINCT status ORDER BY status SEPARATOR '/')", "open"),
    ("epoch(GETUTCDATE()) > 0", True),
]
"""Expressions over the item, and their answers, times as texts; None also where nothing is proposed."""


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _proposed(statement: str) -> str | None:
    with pytest.raises(Failure) as caught:
        parse(statement, None)
    return caught.value.meant.statement if caught.value.meant is not None else None


@pytest.mark.parametrize(("expression", "answer"), ANSWERS)
def test_what_is_proposed_gives_the_right_answer(
    connection: duckdb.DuckDBPyConnection, expression: str, answer: object
) -> None:
    proposed = _proposed(f"SELECT {expression} FROM {ITEM}")
    if proposed is None:
        assert answer is None
    else:
        parse(proposed, None)
        ((given,),) = connection.execute(proposed).fetchall()
        assert (str(given) if isinstance(given, datetime.date) else given) == answer


@pytest.mark.parametrize(
    ("statement", "proposed"),
    [
        (
            'SELECT "a"  , tags[1], b||c FROM t -- as it was\nWHERE getdate() > d',
            'SELECT "a"  , tags[1], b||c FROM t -- as it was\nWHERE now() > d',
        ),
        ("SELECT 'getdate()', getdate()", "SELECT 'getdate()', now()"),
        ("SELECT [a], getdate() FROM t", "SELECT [a], now() FROM t"),
        (
            "SELECT nvl2(getdate(), std(a), size(b)) FROM t",
            "SELECT CASE WHEN now() IS NOT NULL THEN stddev_pop(a) ELSE len(b) END FROM t",
        ),
        (
            "SELECT a FROM (SELECT TOP (2) a FROM t ORDER BY b) x",
            "SELECT a FROM (SELECT a FROM t ORDER BY b LIMIT 2) x",
        ),
        ("SELECT TOP 5 PERCENT a FROM t", None),
        ("SELECT TOP 2 a FROM t UNION SELECT b FROM u", "(SELECT a FROM t LIMIT 2) UNION SELECT b FROM u"),
        ('SELECT `a` FROM t WHERE `b` = "c"', 'SELECT "a" FROM t WHERE "b" = "c"'),
        ('SELECT a FROM t WHERE "b" = d:e', "SELECT a FROM t WHERE \"b\" = (d ->> '$.e')"),
        ("SELECT a FROM t WHERE b[0] = 'c' AND d:e = 1", None),
        ("SELECT a FROM t WHERE safe_add(b, 1) = 2 AND d:e = 1", None),
        ("SELECT getdate(), nosuchfunction(1)", None),
    ],
)
def test_only_what_is_foreign_is_written_otherwise(statement: str, proposed: str | None) -> None:
    assert _proposed(statement) == proposed
