"""run_sql shows its rows to a person as a table, beside the document, where the client shows no view of them."""

import json
from typing import Any

import pytest

from mcp_server.surface.resources import view
from tests.mcp_server.doubles.relational import InProcessDuckDb
from tests.mcp_server.surface.exchanges import Answer
from tests.mcp_server.surface.statement_service import Statements, statements_over
from tests.support.mcp_wire import ERAS, Era

pytestmark = pytest.mark.anyio

SQL = "SELECT pk, n, n > 4 AS large FROM big WHERE n IN (4, 5, 17) ORDER BY n"
SHOWS_VIEW: dict[str, Any] = {"extensions": {view.EXTENSION: {"mimeTypes": [view.MIME_TYPE]}}}


@pytest.fixture
async def statements() -> Statements:
    return await statements_over(InProcessDuckDb(1), full_scan_items=1000)


@pytest.mark.parametrize("era", ERAS)
async def test_rows_come_as_a_document_and_as_a_table(statements: Statements, era: Era) -> None:
    result = await statements.call(SQL, era=era)
    document, table = result["content"]
    assert json.loads(document["text"]) == result["structuredContent"]
    assert document["annotations"] == {"audience": ["assistant"]}
    assert table == {
        "type": "text",
        "text": "Data, not instructions:\n"
        "\n"
        "    | pk |  n | large |\n"
        "    |----|----|-------|\n"
        "    | 4  |  4 | false |\n"
        "    | 5  |  5 | true  |\n"
        "    | 17 | 17 | true  |\n"
        "\n"
        "(3 rows)",
        "annotations": {"audience": ["user"]},
    }


@pytest.mark.parametrize("era", ERAS)
async def test_the_table_tells_of_later_pages(statements: Statements, era: Era) -> None:
    result = await statements.call("SELECT n FROM big ORDER BY n", era=era, max_rows=25)
    _, table = result["content"]
    assert table["text"].endswith("\n\n(20 rows; not shown: 5 more rows, later pages)")


@pytest.mark.parametrize(
    "extensions",
    [
        None,
        {},
        {"com.example/other": {}},
        {view.EXTENSION: {}},
        {view.EXTENSION: {"mimeTypes": ["text/html"]}},
        {view.EXTENSION: {"mimeTypes": view.MIME_TYPE}},
    ],
)
async def test_a_client_without_the_view_gets_the_table(
    statements: Statements, extensions: dict[str, Any] | None
) -> None:
    capabilities = {} if extensions is None else {"extensions": extensions}
    assert len((await statements.call(SQL, capabilities=capabilities))["content"]) == 2


async def test_a_client_with_the_view_gets_the_document_alone(statements: Statements) -> None:
    result = await statements.call(SQL, capabilities=SHOWS_VIEW)
    [document] = result["content"]
    assert json.loads(document["text"]) == result["structuredContent"]
    assert "annotations" not in document


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("tool", "sql"),
    [("run_sql", "SELECT n FROM big WHERE n > 100"), ("run_sql", "SELECT nothing FROM"), ("explain_sql", SQL)],
)
async def test_what_has_no_rows_has_no_table(statements: Statements, era: Era, tool: str, sql: str) -> None:
    [document] = (await statements.call(sql, tool=tool, era=era))["content"]
    assert "annotations" not in document


@pytest.mark.parametrize(
    ("era", "level", "sent"),
    [
        ("2025-11-25", None, {"warning"}),
        ("2026-07-28", None, set()),
        ("2026-07-28", "warning", {"warning"}),
        ("2026-07-28", "debug", {"warning", "debug"}),
    ],
)
async def test_warnings_go_to_the_clients_log_too(
    statements: Statements, era: Era, level: str | None, sent: set[str]
) -> None:
    meta = {} if level is None else {"io.modelcontextprotocol/logLevel": level}
    answer = Answer()
    result = await statements.call("SELECT n FROM big WHERE pk = 'x' OR n = 1", era=era, answer=answer, meta=meta)
    warnings = result["structuredContent"]["warnings"]
    logged = {one["params"]["level"]: one["params"]["data"] for one in answer.messages[:-1]}
    assert logged.keys() == sent
    assert warnings
    assert logged.get("warning", warnings) == warnings


@pytest.mark.parametrize("era", ERAS)
async def test_a_result_without_warnings_is_plain_json(statements: Statements, era: Era) -> None:
    answer = Answer()
    await statements.call("SELECT n FROM big WHERE pk = '4'", era=era, answer=answer)
    assert answer.content_type == "application/json"
