"""Every DuckDB type that a result can have, as DuckDB itself delivers it, becomes JSON."""

import functools
import json
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.values import IntegerTooLong, UnshowableType
from mcp_server.engine.rows import json_rows
from mcp_server.ports.relational import Result, ResultColumn

EVERYTHING = 1 << 30


@functools.cache
def engine() -> duckdb.DuckDBPyConnection:
    """One for all tests: to open it takes as long as a hundred statements."""
    connection = duckdb.connect()
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


def result_of(statement: str) -> Result:
    with engine().cursor() as connection:
        relation = connection.sql(statement)
        columns = tuple(
            ResultColumn(name, str(type_)) for name, type_ in zip(relation.columns, relation.types, strict=True)
        )
        return Result(columns, relation.to_arrow_table(), complete=True)


def value_of(expression: str) -> Any:
    # Around it, rows of NULL in a slice: offsets and validity are where nested conversions go wrong.
    result = result_of(f"SELECT CASE i WHEN 1 THEN {expression} END AS v FROM range(4) t(i)")
    rows = json_rows(result, 1, 2, EVERYTHING)
    assert [row[0] for row in json_rows(result, 2, 5, EVERYTHING)] == [None, None]
    assert rows[1] == [None]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    return rows[0][0]


@pytest.mark.complaint(9)
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true", True),
        ("1::TINYINT", 1),
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("-9007199254740992", "-9007199254740992"),
        ("18446744073709551615::UBIGINT", "18446744073709551615"),
        ("12::HUGEINT", 12),
        ("(-170141183460469231731687303715884105727)::HUGEINT", "-170141183460469231731687303715884105727"),
        ("123456789012345678901234567890123456789012::BIGNUM", "123456789012345678901234567890123456789012"),
        ("(-5)::BIGNUM", -5),
        ("0::BIGNUM", 0),
        ("repeat('9', 4300)::BIGNUM", "9" * 4300),
        ("1.50::DECIMAL(10,2)", "1.50"),
        ("7::DECIMAL(38,0)", "7"),
        ("0::DECIMAL(38,20)", "0.00000000000000000000"),
        ("0.1::DOUBLE", 0.1),
        ("1e300", 1e300),
        ("'nan'::DOUBLE", "NaN"),
        ("'inf'::DOUBLE", "Infinity"),
        ("'-inf'::DOUBLE", "-Infinity"),
        ("'ü\U0001f600'", "ü\U0001f600"),
        ("'\\x00\\xFF'::BLOB", "AP8="),
        ("'101'::BIT", "101"),
        ("'a'::ENUM('a', 'b')", "a"),
        ("'{\"a\": 1.10}'::JSON", '{"a": 1.10}'),
        ("'e7a1b2c3-0000-4000-8000-000000000001'::UUID", "e7a1b2c3-0000-4000-8000-000000000001"),
        ("DATE '2024-02-29'", "2024-02-29"),
        ("DATE '0001-01-01'", "0001-01-01"),
        ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)"),
        ("DATE '12345-06-07'", "12345-06-07"),
        ("DATE 'infinity'", "infinity"),
        ("DATE '-infinity'", "-infinity"),
        ("TIME '01:02:03.5'", "01:02:03.5"),
        ("TIME '24:00:00'", "24:00:00"),
        ("TIMESTAMP '2024-01-01 00:00:00'", "2024-01-01T00:00:00"),
        ("TIMESTAMP '1969-12-31 23:59:59.999999'", "1969-12-31T23:59:59.999999"),
        ("TIMESTAMP '0044-03-15 (BC) 12:00:00'", "0044-03-15T12:00:00 (BC)"),
        ("TIMESTAMP 'infinity'", "infinity"),
        ("TIMESTAMP '-infinity'", "-infinity"),
        ("TIMESTAMPTZ '2024-01-01 02:00:00+02'", "2024-01-01T00:00:00+00:00"),
        ("TIMESTAMP_S '2024-01-01 00:00:01'", "2024-01-01T00:00:01"),
        ("TIMESTAMP_MS '2024-01-01 00:00:00.25'", "2024-01-01T00:00:00.25"),
        ("TIMESTAMP_NS '2024-01-01 00:00:00.000000001'", "2024-01-01T00:00:00.000000001"),
        ("INTERVAL '14 months 3 days 04:05:06.7'", "P1Y2M3DT4H5M6.7S"),
        ("INTERVAL '-1 day'", "P-1D"),
        ("INTERVAL '-0.5 seconds'", "PT-0.5S"),
        ("INTERVAL '0 days'", "PT0S"),
        ("[1, NULL, 9007199254740993]", [1, None, "9007199254740993"]),
        ("[]::INTEGER[]", []),
        ("[[1], [], NULL, [2, 3]]", [[1], [], None, [2, 3]]),
        ("['x', 'y']::VARCHAR[2]", ["x", "y"]),
        ("[DATE '2024-01-01']", ["2024-01-01"]),
        ("[12::HUGEINT]", [12]),
        ("{'a': 1.5::DECIMAL(3,1), 'b': [{'c': NULL}]}", {"a": "1.5", "b": [{"c": None}]}),
        ("MAP {'k': 1, 'l': NULL}", {"k": 1, "l": None}),
        ("MAP {1: 'x'}", [{"key": 1, "value": "x"}]),
        ("MAP {}::MAP(VARCHAR, INTEGER)", {}),
        ("[MAP {'k': [1]}]", [{"k": [1]}]),
    ],
)
def test_values(expression: str, expected: Any) -> None:
    assert value_of(expression) == expected
    assert type(value_of(expression)) is type(expected)


@pytest.mark.parametrize("expression", ["'12:00:00+02'::TIMETZ", "union_value(a := 1)"])
def test_types_that_json_cannot_tell_are_refused(expression: str) -> None:
    with pytest.raises(Failure) as raised:
        json_rows(result_of(f"SELECT {expression} AS v"), 0, 1, EVERYTHING)
    assert isinstance(raised.value.fact, UnshowableType)


def test_a_null_column_and_equal_names() -> None:
    assert json_rows(result_of("SELECT NULL AS a, 1 AS a, 2 AS a"), 0, 5, EVERYTHING) == [[None, 1, 2]]


def test_no_rows() -> None:
    assert json_rows(result_of("SELECT 1 AS a, [1] AS b, MAP {1: 2} AS c WHERE false"), 0, 5, EVERYTHING) == []


def test_a_page_is_cut_by_rows_and_by_bytes() -> None:
    result = result_of("SELECT i, repeat('x', 100) AS t FROM range(50) r(i)")
    assert [row[0] for row in json_rows(result, 48, 10, EVERYTHING)] == [48, 49]
    by_bytes = json_rows(result, 0, 50, 1000)
    assert 1 <= len(by_bytes) < 10
    assert len(json.dumps(by_bytes, separators=(",", ":"))) <= 1000
    with pytest.raises(Failure) as raised:
        json_rows(result, 0, 50, 50)
    assert raised.value.code is FailureCode.RESULT_TOO_LARGE


def test_chunked_tables() -> None:
    table = pa.concat_tables([pa.table({"a": [[1], None]}), pa.table({"a": [[2, 3]]})])
    result = Result((ResultColumn("a", "BIGINT[]"),), table, complete=True)
    assert json_rows(result, 1, 2, EVERYTHING) == [[None], [[2, 3]]]


@pytest.mark.parametrize("expression", ["v", "-v", "[v]", "{'a': v}", "[NULL, {'a': [v]}]"])
def test_an_integer_beyond_what_is_converted_fails_with_a_remedy(expression: str) -> None:
    result = result_of(f"SELECT {expression} AS wide FROM (SELECT repeat('9', 4301)::BIGNUM AS v)")
    with pytest.raises(Failure) as caught:
        json_rows(result, 0, 10, EVERYTHING)
    assert caught.value.fact == IntegerTooLong("wide", 4300)
