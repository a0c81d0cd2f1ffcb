"""One database serves many statements: what each of them leaves behind, which is nothing."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mcp_server.adapters.duckdb import protocol
from mcp_server.adapters.duckdb.database import Database

SCHEMA = pa.schema([("c0", pa.int64()), ("c1", pa.string())])
STATE = {
    "tables": "SELECT database_name, table_name FROM duckdb_tables()",
    "views": "SELECT database_name, view_name FROM duckdb_views() WHERE NOT internal",
    "columns": "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal",
    "indexes": "SELECT index_name FROM duckdb_indexes()",
    "sequences": "SELECT sequence_name FROM duckdb_sequences()",
    "types": "SELECT type_name FROM duckdb_types() WHERE NOT internal",
    "functions": "SELECT function_name FROM duckdb_functions() WHERE NOT internal",
    "schemas": "SELECT database_name, schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name <> 'main'",
    "databases": "SELECT database_name, path FROM duckdb_databases() WHERE NOT internal",
    "prepared statements": "SELECT name FROM duckdb_prepared_statements()",
    "variables": "SELECT name FROM duckdb_variables()",
    "secrets": "SELECT name FROM duckdb_secrets()",
    "settings": "SELECT name, value FROM duckdb_settings()",
    "search path": "SELECT current_schema(), current_database(), current_schemas(true)",
    "time zone": "SELECT current_setting('TimeZone')",
}
"""What a statement could see of an earlier one, by the tables that DuckDB itself keeps of it."""


class Frames:
    """The frames of an answer."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.writes = 0

    def send(self, data: memoryview) -> None:
        self.received += data
        self.writes += 1

    def payloads(self, kind: bytes) -> list[bytes]:
        found, at = [], 0
        while at < len(self.received):
            this, length = protocol.HEADER.unpack_from(self.received, at)
            at += protocol.HEADER.size
            if this == kind:
                found.append(bytes(self.received[at : at + length]))
            at += length
        return found


@pytest.fixture(scope="module")
def database() -> Database:
    return Database(256)


def stream(rows: int) -> bytes:
    """An IPC stream of that many rows."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(pa.record_batch([range(rows), ["x" * 50] * rows], schema=SCHEMA))
    return sink.getvalue()


def run(database: Database, statement: str, *inputs: dict[str, Any]) -> list[tuple[Any, ...]] | str:
    """The rows of a statement, or the kind of its error. An input has `rows`, and may be `inline` or `materialise`."""
    frames = Frames()
    streams = [stream(item["rows"]) for item in inputs]
    request = {
        "statement": statement,
        "inputs": [
            {
                "name": f"r{number}",
                "materialise": item.get("materialise", False),
                "views": [{"name": view, "columns": ["c1", "c0"]} for view in item.get("views", ())],
                "inline": len(streams[number]) if item.get("inline") else None,
            }
            for number, item in enumerate(inputs)
        ],
        "row_limit": 10_000,
        "byte_limit": 1 << 24,
    }
    inline = [memoryview(data) for item, data in zip(inputs, streams, strict=True) if item.get("inline")]
    files = [io.BytesIO(data) for item, data in zip(inputs, streams, strict=True) if not item.get("inline")]
    database.run(request, inline, files, frames.send)
    if errors := frames.payloads(protocol.ERROR):
        return str(json.loads(errors[0])["kind"])
    with pa.ipc.open_stream(b"".join(frames.payloads(protocol.DATA))) as reader:
        table = reader.read_all()
    return [tuple(row.values()) for row in table.to_pylist()]


LOOK = "SELECT " + ", ".join(f"(SELECT to_json(list(t)) FROM ({statement}) t)" for statement in STATE.values())


def state(database: Database) -> dict[str, Any]:
    """All of it, in one statement."""
    rows = run(database, LOOK)
    assert isinstance(rows, list), rows
    return dict(zip(STATE, rows[0], strict=True))


INLINE = {"rows": 10, "inline": True}
EFFECTS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "an input that travels inside the request": ("SELECT count(*) FROM r0", [INLINE]),
    "its views": ("SELECT count(*) FROM v, v AS w", [INLINE | {"views": ["v"]}]),
    "a stream": ("SELECT count(*) FROM r0", [{"rows": 1000}]),
    "a stream that is not read to its end": ("SELECT * FROM r0 LIMIT 1", [{"rows": 100_000}]),
    "a result that is cut": ("SELECT * FROM r0", [{"rows": 100_000}]),
    "a stream that nobody reads": ("SELECT 1", [{"rows": 1000}]),
    "a materialised stream": ("SELECT count(*) FROM r0, r0 AS b", [{"rows": 1000, "materialise": True}]),
    "its views too": ("SELECT count(*) FROM v", [{"rows": 1000, "materialise": True, "views": ["v", "w"]}]),
    "a pivot, which makes a type": ("PIVOT r0 ON c1 USING sum(c0)", [{"rows": 100, "materialise": True}]),
    "a macro-like CTE": ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t WHERE n < 50) FROM t", []),
    "a large aggregate": ("SELECT max(n) FROM (SELECT i % 200000, count(*) n FROM range(400000) t(i) GROUP BY 1)", []),
    "a large sort": ("SELECT count(*) FROM (SELECT * FROM range(300000) t(i) ORDER BY hash(i) LIMIT 200000)", []),
    "a seed": ("SELECT setseed(0.5)", []),
    "an error of a value": ("SELECT 'a'::INTEGER", []),
    "an error of an input's value": ("SELECT sum(c1::INTEGER) FROM r0", [{"rows": 1000, "materialise": True}]),
    "an error of a name": ("SELECT nope FROM r0", [INLINE]),
    "an error of memory": ("SELECT string_agg(repeat('x', 100000), '') FROM range(10000)", []),
    "a table of the database": ("CREATE TABLE t AS SELECT 1", []),
    "a temporary table": ("CREATE TEMP TABLE t AS SELECT 1", []),
    "a view": ("CREATE VIEW v AS SELECT 1", []),
    "a macro": ("CREATE MACRO f(x) AS x", []),
    "a sequence": ("CREATE SEQUENCE s", []),
    "a type": ("CREATE TYPE e AS ENUM ('a')", []),
    "a schema": ("CREATE SCHEMA s", []),
    "a prepared statement": ("PREPARE p AS SELECT 1", []),
    "a variable": ("SET VARIABLE x = 1", []),
    "a setting": ("SET TimeZone = 'Asia/Tokyo'", []),
    "a search path": ("SET search_path = 'temp'", []),
    "an attached database": ("ATTACH ':memory:' AS other", []),
    "a secret": ("CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')", []),
    "a transaction": ("BEGIN TRANSACTION", []),
    "several at once": ("CREATE TEMP TABLE t AS SELECT 1; SELECT 1", []),
}


@pytest.mark.slow
@pytest.mark.parametrize("effect", EFFECTS)
def test_nothing_of_a_statement_stays(database: Database, effect: str) -> None:
    statement, inputs = EFFECTS[effect]
    before = state(database)
    run(database, statement, *inputs)
    assert state(database) == before


def test_nothing_of_an_interrupted_statement_stays(database: Database) -> None:
    before = state(database)
    endless = "SELECT count(*) FROM v, range(100000000000) t(i) WHERE (i * c0) % 13 = 1"
    answers: list[Any] = []
    inputs = {"rows": 1000, "materialise": True, "views": ["v"]}
    running = threading.Thread(target=lambda: answers.append(run(database, endless, inputs)))
    running.start()
    while running.is_alive():
        database.interrupt()
        running.join(0.05)
    assert answers == ["InterruptException"]
    assert state(database) == before
    assert run(database, "SELECT count(*) FROM v") == "CatalogException"


@pytest.mark.slow
def test_all_statements_together_leave_nothing(database: Database) -> None:
    before = state(database)
    for _ in range(3):
        for statement, inputs in EFFECTS.values():
            run(database, statement, *inputs)
    assert state(database) == before
    assert run(database, "SELECT sum(memory_usage_bytes) < 16 << 20 FROM duckdb_memory()") == [(True,)]


def test_an_input_is_gone_with_its_statement(database: Database) -> None:
    for inputs in ([INLINE], [{"rows": 5}], [{"rows": 5, "materialise": True, "views": ["v"]}]):
        assert isinstance(run(database, "SELECT count(*) FROM r0", *inputs), list)
        assert run(database, "SELECT count(*) FROM r0") == "CatalogException"
        assert run(database, "SELECT count(*) FROM v") == "CatalogException"


def test_a_temporary_name_would_be_seen_by_the_statement_that_made_it(database: Database) -> None:
    """Shows that the state above is able to hold what the tests say is not there."""
    root = database._root.cursor()
    for effect in ("a temporary table", "a macro", "a sequence", "a prepared statement", "a variable"):
        root.execute(EFFECTS[effect][0])
    names = ("tables", "functions", "sequences", "prepared statements", "variables")
    assert all(root.execute(STATE[name]).fetchall() for name in names)


def test_a_small_input_can_be_read_twice(database: Database) -> None:
    assert run(database, "SELECT count(*) FROM r0, r0 AS b", INLINE) == [(100,)]
    assert run(database, "SELECT count(*) FROM r0, r0 AS b", {"rows": 10}) == "InvalidInputException"


def test_a_small_answer_is_one_write(database: Database) -> None:
    frames = Frames()
    database.run({"statement": "SELECT 1", "inputs": [], "row_limit": 5, "byte_limit": 99}, [], [], frames.send)
    assert frames.writes == 1


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


@pytest.mark.slow
def test_memory_returns(database: Database) -> None:
    """Fifty rounds of statements of some 60 MiB leave the process where fifteen have brought it.

    What the allocator keeps goes up and down by as much, so the least of the last rounds counts.
    """
    statement = "SELECT max(n) FROM (SELECT i % 1000000, count(*) n FROM range(1000000) t(i) GROUP BY 1)"
    sizes = []
    for _ in range(50):
        run(database, statement)
        run(database, "SELECT count(*) FROM r0, r0 AS b WHERE r0.c0 = b.c0", {"rows": 50_000, "materialise": True})
        sizes.append(resident_mib())
    assert min(sizes[-15:]) < max(sizes[:15]) + 64
