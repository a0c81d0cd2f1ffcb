"""A call of a statement leaves one line in the log, which says all of it, and a record of the tables it read."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from mcp_server.engine.course import statement_digest
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.surface.statement_service import Statements, statements_over

pytestmark = pytest.mark.anyio

WHO = {"tenant": "acme", "user_id": "usr_ann", "client_id": "cli", "grant": "gid"}
COUNT = "SELECT count(n) FROM big WHERE n < 5"
NOTHING_READ = {"items_read": 0, "pages_read": 0, "bytes_read": 0, "read_units": 0.0}


@pytest.fixture
async def statements() -> Statements:
    return await statements_over(InProcessDuckDb(1), full_scan_items=1000)


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as captured:
        yield captured


async def test_a_call_is_one_line_with_what_it_read(
    statements: Statements, logs: list[MutableMapping[str, Any]]
) -> None:
    await statements.call(COUNT)
    audited, line = logs
    assert audited == {
        "event": "tables_read",
        "log_level": "info",
        "tables": ("shop.big",),
        "statement": statement_digest(COUNT),
        **WHO,
    }
    assert line == {
        "event": "tool_call",
        "log_level": "info",
        "tool": "run_sql",
        "outcome": "ok",
        "ms": line["ms"],
        "statement": statement_digest(COUNT),
        "tables": ("shop.big",),
        "rows": 1,
        "items_read": 5,
        "pages_read": 1,
        "bytes_read": line["bytes_read"],
        "read_units": 0.5,
        "plan_ms": line["plan_ms"],
        "exec_ms": line["exec_ms"],
        "child": None,
        "address": None,
        **WHO,
    }
    assert line["bytes_read"] > 0


@pytest.mark.parametrize(
    ("sql", "arguments", "outcome", "tables"),
    [
        ("SELECT FROM WHERE", {}, "syntax_error", ()),
        ("SELECT 1 FROM nowhere", {}, "unknown_table", ("shop.nowhere",)),
        ("SELECT 1 FROM big", {"parameters": [1]}, "invalid_parameters", ()),
        ("SELECT 1", {"schema_name": "nowhere"}, "unknown_schema", ()),
    ],
)
async def test_a_statement_that_fails_before_it_reads_has_the_same_line(
    sql: str,
    arguments: dict[str, Any],
    outcome: str,
    tables: tuple[str, ...],
    statements: Statements,
    logs: list[MutableMapping[str, Any]],
) -> None:
    result = await statements.call(sql, **arguments)
    assert result["isError"]
    (line,) = (line for line in logs if line["event"] == "tool_call")
    expected = {"outcome": outcome, "statement": statement_digest(sql), "tables": tables, "rows": None, **NOTHING_READ}
    assert {name: line[name] for name in expected} == expected
    assert not [line for line in logs if line["event"] == "tables_read"]


async def test_a_statement_that_needed_a_sample_says_so_apart_from_what_it_read(
    statements: Statements, logs: list[MutableMapping[str, Any]]
) -> None:
    statements.service.clock.time += statements.service.catalog.stale_after_seconds
    await statements.call(COUNT)
    _audited, line = logs
    assert (line["pages_read"], line["read_units"]) == (1, 0.5)
    assert (line["sample_requests"], line["sample_items"], line["sample_read_units"]) == (1, 30, 0.5)


async def test_a_warning_that_quotes_a_sample_is_on_record(
    statements: Statements, logs: list[MutableMapping[str, Any]]
) -> None:
    """Also where the statement reads nothing, of which there would be no record at all."""
    await statements.call("SELECT pk FROM big WHERE false")
    assert [line["event"] for line in logs] == ["tool_call"]
    logs.clear()
    result = await statements.call("SELECT count(*) FILTER (WHERE pk = '007') FROM big WHERE false")
    assert "there are" in result["structuredContent"]["warnings"][0]
    shown, _line = logs
    assert shown == {"event": "values_shown", "log_level": "info", "tables": ("shop.big",), **WHO}


async def test_what_a_failed_statement_read_is_in_its_line(logs: list[MutableMapping[str, Any]]) -> None:
    statements = await statements_over(InProcessDuckDb(1), full_scan_items=1000, read_pages=0)
    await statements.call("SELECT max(n) FROM big")
    audited, line = logs
    assert audited["event"] == "tables_read"
    assert (line["event"], line["outcome"]) == ("tool_call", "budget_exceeded")
    assert (line["items_read"], line["read_units"], line["rows"]) == (30, 0.5, None)


async def test_an_explanation_has_a_line_with_its_tables_and_no_time_of_running(
    statements: Statements, logs: list[MutableMapping[str, Any]]
) -> None:
    await statements.call(COUNT, tool="explain_sql")
    (line,) = logs
    assert (line["event"], line["tool"], line["outcome"]) == ("tool_call", "explain_sql", "ok")
    assert (line["statement"], line["tables"]) == (statement_digest(COUNT), ("shop.big",))
    assert (line["exec_ms"], line["rows"]) == (None, None)
    assert line["plan_ms"] >= 0


async def test_a_call_that_asks_first_is_one_line_per_request(logs: list[MutableMapping[str, Any]]) -> None:
    """Its statement is planned twice, to be refused while it reads and to be explained."""
    statements = await statements_over(InProcessDuckDb(1), full_scan_items=20)
    result = await statements.call("SELECT count(*) FROM big", capabilities={"elicitation": {}})
    assert result["resultType"] == "input_required"
    _audited, line = logs
    assert (line["outcome"], line["tables"], line["read_units"]) == ("input_required", ("shop.big",), 0.5)


async def test_a_later_page_names_its_statement_and_tables_and_reads_nothing(
    statements: Statements, logs: list[MutableMapping[str, Any]]
) -> None:
    ordered = "SELECT n FROM big ORDER BY n"
    first = await statements.call(ordered, max_rows=10)
    logs.clear()
    await statements.call(ordered, max_rows=10, cursor=first["structuredContent"]["next_cursor"])
    (line,) = logs
    expected = {"outcome": "ok", "statement": statement_digest(ordered), "tables": ("shop.big",), "rows": 10}
    expected |= {"plan_ms": None, **NOTHING_READ}
    assert {name: line[name] for name in expected} == expected
