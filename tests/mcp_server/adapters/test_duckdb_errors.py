"""Each kind of error that a statement can cause is told apart, so that it has a remedy of its own."""

import json

import pytest

from mcp_server.adapters.duckdb import errors, protocol
from mcp_server.adapters.duckdb.database import Database
from mcp_server.domain.failures.values import Trouble
from mcp_server.ports.relational import EvaluationError

TABLE = "WITH t AS (SELECT * FROM (VALUES (1, 'x'), (1, 'x')) v(a, s)) "


@pytest.fixture(scope="module")
def database() -> Database:
    return Database(256)


@pytest.mark.parametrize(
    ("sql", "trouble"),
    [
        ("SELECT CAST(s AS INTEGER) FROM t", Trouble.CONVERSION),
        ("SELECT s::DATE FROM t", Trouble.CONVERSION),
        ("SELECT s = 1 FROM t", Trouble.CONVERSION),
        ("SELECT a + s FROM t", Trouble.TYPES),
        ("SELECT sum(s) FROM t", Trouble.TYPES),
        ("SELECT date_trunc('day', a) FROM t", Trouble.TYPES),
        ("SELECT year('2024-01-01') FROM t", Trouble.TYPES),
        ("SELECT json_group_array(a) FILTER (WHERE a > 0) FROM t", Trouble.MACRO),
        ("SELECT a FROM t GROUP BY s", Trouble.GROUPING),
        ("SELECT a FROM t WHERE sum(a) > 1", Trouble.NESTED_AGGREGATE),
        ("SELECT sum(sum(a)) FROM t", Trouble.NESTED_AGGREGATE),
        ("SELECT a FROM t WHERE row_number() OVER () = 1", Trouble.NESTED_WINDOW),
        ("SELECT a % (a - 1) FROM t", Trouble.DIVISION_BY_ZERO),
        ("SELECT a::TINYINT * 127::TINYINT * 2::TINYINT FROM t", Trouble.OVERFLOW),
        ("SELECT strptime(s, '%Y') FROM t", Trouble.TIME_FORMAT),
        ("SELECT strptime(s, '%q') FROM t", Trouble.TIME_FORMAT),
        ("SELECT json_extract('{' || s, '$.a') FROM t", Trouble.JSON),
        ("SELECT a.x FROM t", Trouble.NO_STRUCT),
        ("SELECT unnest(a) FROM t", Trouble.UNNEST),
        ("SELECT 1 UNION SELECT 1, 2", Trouble.SET_OPERATION),
        ("SELECT regexp_matches(s, '(') FROM t", Trouble.PATTERN),
        ("SELECT (SELECT a FROM t UNION ALL SELECT 2) FROM t", Trouble.SEVERAL_ROWS),
    ],
)
def test_errors_are_told_apart(database: Database, sql: str, trouble: Trouble) -> None:
    answer = bytearray()
    request = {"statement": TABLE + sql, "inputs": [], "row_limit": 10, "byte_limit": 1 << 20}
    database.run(request, [], [], answer.extend)
    kind = b""
    while kind != protocol.ERROR:
        kind, length = protocol.HEADER.unpack_from(answer)
        payload = bytes(answer[protocol.HEADER.size : protocol.HEADER.size + length])
        del answer[: protocol.HEADER.size + length]
    error = json.loads(payload)
    failure = errors.failure(error["kind"], error["message"], None)
    assert isinstance(failure, EvaluationError)
    assert failure.fact.trouble is trouble
    assert not {"LINE", "{", "position"} & set(failure.fact.told.split())
    assert len(failure.fact.told) < 250
