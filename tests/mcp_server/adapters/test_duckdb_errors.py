"""Each kind of error that a statement can cause is told with a remedy of its own."""

import json

import pytest

from mcp_server.adapters.duckdb import errors, protocol
from mcp_server.adapters.duckdb.database import Database
from mcp_server.ports.relational import EvaluationError

TABLE = "WITH t AS (SELECT * FROM (VALUES (1, 'x'), (1, 'x')) v(a, s)) "


@pytest.fixture(scope="module")
def database() -> Database:
    return Database(256)


@pytest.mark.parametrize(
    ("sql", "remedy"),
    [
        ("SELECT CAST(s AS INTEGER) FROM t", "TRY_CAST"),
        ("SELECT s::DATE FROM t", "TRY_CAST"),
        ("SELECT s = 1 FROM t", "TRY_CAST"),
        ("SELECT a + s FROM t", "CAST(x AS TYPE)"),
        ("SELECT sum(s) FROM t", "CAST(x AS TYPE)"),
        ("SELECT date_trunc('day', a) FROM t", "CAST(x AS TYPE)"),
        ("SELECT year('2024-01-01') FROM t", "CAST(x AS TYPE)"),
        ("SELECT json_group_array(a) FILTER (WHERE a > 0) FROM t", "subquery"),
        ("SELECT a FROM t GROUP BY s", "any_value()"),
        ("SELECT a FROM t WHERE sum(a) > 1", "HAVING"),
        ("SELECT sum(sum(a)) FROM t", "subquery"),
        ("SELECT a FROM t WHERE row_number() OVER () = 1", "QUALIFY"),
        ("SELECT a % (a - 1) FROM t", "NULLIF"),
        ("SELECT a::TINYINT * 127::TINYINT * 2::TINYINT FROM t", "wider type"),
        ("SELECT strptime(s, '%Y') FROM t", "try_strptime"),
        ("SELECT strptime(s, '%q') FROM t", "format"),
        ("SELECT json_extract('{' || s, '$.a') FROM t", "json_valid"),
        ("SELECT a.x FROM t", "->>"),
        ("SELECT unnest(a) FROM t", "UNNEST"),
        ("SELECT 1 UNION SELECT 1, 2", "same number"),
        ("SELECT regexp_matches(s, '(') FROM t", "RE2"),
        ("SELECT (SELECT a FROM t UNION ALL SELECT 2) FROM t", "one row"),
    ],
)
def test_an_error_is_told_with_its_remedy(database: Database, sql: str, remedy: str) -> None:
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
    assert remedy in failure.next_action
    assert not {"LINE", "{", "position"} & set(failure.message.split())
    assert len(failure.message) < 250
