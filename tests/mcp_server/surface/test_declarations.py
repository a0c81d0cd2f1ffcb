"""What the tools declare: schemas that every client's strict mode takes, and arguments decoded as declared."""

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mcp_server.app.serving import product
from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.engine.limits import Limits
from mcp_server.surface.resources import view
from mcp_server.surface.tools.served_tool import ServedTool
from mcp_server.surface.wording.failures import worded
from shared_kernel import scope
from tests.mcp_server.surface.exchanges import PRINCIPAL, Exchanges
from tests.support.mcp_wire import MODERN, Era, message

OFFER = product(
    cast("Any", SimpleNamespace(browsing=None, queries=None, usage=None, limits=Limits())), cast("Any", None)
)
TOOLS = {tool.definition.name: tool for tool in OFFER.tools}
KEYWORDS = {"type", "description", "enum", "items", "properties", "required", "additionalProperties"}


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all those within it."""
    yield schema
    parts = [*schema.get("properties", {}).values(), schema.get("items")]
    for part in parts:
        if part is not None:
            yield from schemas(part)


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_input_schemas_use_only_what_every_strict_mode_takes(tool: ServedTool) -> None:
    """No unions, lists of types, references, bounds or defaults; objects are closed, and nothing is without a type."""
    for schema in schemas(tool.definition.input_schema):
        assert set(schema) <= KEYWORDS
        assert isinstance(schema["type"], str)
        assert schema["type"] != "array" or "items" in schema
        if schema["type"] == "object":
            assert schema["additionalProperties"] is False


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_output_schemas_have_neither_lists_of_types_nor_unions(tool: ServedTool) -> None:
    """Ajv in strict mode warns of lists."""
    assert tool.definition.output_schema is not None
    for schema in schemas(tool.definition.output_schema):
        assert set(schema) <= KEYWORDS
        assert isinstance(schema.get("type", ""), str)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("era", "extensions"),
    [(MODERN, {view.EXTENSION: {"mimeTypes": [view.MIME_TYPE]}}), (MODERN, {}), ("2025-11-25", {})],
    ids=["with the view", "without the view", "handshake"],
)
async def test_the_listing_is_small(era: Era, extensions: dict[str, Any]) -> None:
    """It takes room in every conversation: the whole reply, as it is sent."""
    document, headers = message(era, 1, "tools/list", {})
    if era == MODERN:
        document["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {"extensions": extensions}
    principal = replace(PRINCIPAL, scopes=frozenset(scope.RESOURCE_SCOPES))
    answer = await Exchanges(OFFER).post(document, headers, principal=principal)
    [reply] = answer.messages
    assert [tool["name"] for tool in reply["result"]["tools"]] == list(TOOLS)
    assert len(answer.body) < 8_000


def test_null_and_an_empty_string_leave_an_optional_argument_out() -> None:
    """Clients in strict mode make a model fill in every argument."""
    decoded = TOOLS["run_sql"].arguments.decode(
        {
            "sql": "SELECT 1",
            "schema_name": None,
            "parameters": None,
            "max_rows": None,
            "cursor": "",
            "consistent_read": None,
            "allow_full_scan": None,
            "max_read_units": None,
        }
    )
    assert decoded == TOOLS["run_sql"].arguments.decode({"sql": "SELECT 1"})
    assert decoded.model_dump()["max_rows"] == 100


@pytest.mark.parametrize("parameters", [[], ["a", 1, 1.5, True, None], {"who": "c1"}])
def test_parameters_are_a_list_or_an_object(parameters: Any) -> None:
    decoded = TOOLS["run_sql"].arguments.decode({"sql": "SELECT 1", "parameters": parameters})
    assert decoded.model_dump()["parameters"] == parameters


def test_a_whole_number_may_be_written_with_a_fraction() -> None:
    """JSON Schema: 10.0 is an integer."""
    decoded = TOOLS["run_sql"].arguments.decode({"sql": "SELECT 1", "max_rows": 10.0, "max_read_units": 2})
    assert decoded.model_dump()["max_rows"] == 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "sql is required."),
        ({"sql": None}, "sql is required."),
        ({"sql": ""}, "sql: string should have at least 1 character."),
        ({"sql": 1}, "sql: input should be a valid string."),
        ({"sql": "SELECT 1", "parameters": "c1"}, "parameters: must be a list of values."),
        ({"sql": "SELECT 1", "max_rows": 0}, "max_rows: input should be greater than or equal to 1."),
        ({"sql": "SELECT 1", "max_rows": 1001}, "max_rows: input should be less than or equal to 1000."),
        ({"sql": "SELECT 1", "max_rows": True}, "max_rows: input should be a valid integer."),
        ({"sql": "SELECT 1", "max_read_units": 0}, "max_read_units: input should be greater than 0."),
        ({"sql": "SELECT 1", "allow_full_scan": "yes"}, "allow_full_scan: input should be a valid boolean."),
        ({"query": "SELECT 1", "sql": "SELECT 1"}, "There is no argument query. This tool takes sql, schema_name, "),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_an_argument_that_does_not_fit_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(Failure) as caught:
        TOOLS["run_sql"].arguments.decode(arguments)
    assert caught.value.code is FailureCode.INVALID_ARGUMENT
    assert worded(caught.value).message.startswith(message)


def test_a_tool_without_arguments_says_so() -> None:
    with pytest.raises(Failure) as caught:
        TOOLS["list_schemas"].arguments.decode({"schema": "demo"})
    assert worded(caught.value).message == "There is no argument schema. This tool takes no arguments."
