"""How results and failures look on the wire."""

import json
from datetime import UTC, datetime
from typing import Any

from mcp.types import CallToolResult, TextContent

from mcp_server.domain.failures import Failure

_FAILURE_PROPERTIES: dict[str, Any] = {
    "code": {"type": "string", "description": "Only of a failed call: what went wrong, one of a closed set of codes."},
    "message": {"type": "string", "description": "Only of a failed call: what happened."},
    "next_action": {"type": "string", "description": "Only of a failed call: what to do about it."},
    "position": {
        "type": "object",
        "description": "Only of a failed call: the place in the SQL text, counted from 1.",
        "properties": {"line": {"type": "integer"}, "column": {"type": "integer"}},
        "required": ["line", "column"],
    },
    "request_id": {"type": "string", "description": "Only of a failed call: what to quote to the operator."},
}


def output_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """The schema of everything a tool answers with: its result, which has all of `properties`, or a failure.

    Failures are structured content too, and some clients hold that against the output schema even when `isError` is
    set; so the schema admits them.
    """
    return {
        "type": "object",
        "properties": {**properties, **_FAILURE_PROPERTIES},
        "anyOf": [{"required": list(properties)}, {"required": ["code", "message", "next_action", "request_id"]}],
    }


def success(document: dict[str, Any]) -> CallToolResult:
    """A result; the text block says the same in compact JSON, for clients that read only text."""
    return CallToolResult(content=[_text(document)], structured_content=document)


def failure(failed: Failure, request_id: str) -> CallToolResult:
    """A failed call, in words the model can act on."""
    document: dict[str, Any] = {
        "code": failed.code.value,
        "message": failed.message,
        "next_action": failed.next_action,
        "request_id": request_id,
    }
    if failed.position is not None:
        document["position"] = {"line": failed.position.line, "column": failed.position.column}
    return CallToolResult(content=[_text(document)], structured_content=document, is_error=True)


def timestamp(seconds: float) -> str:
    """A time in seconds since the epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(document: dict[str, Any]) -> TextContent:
    return TextContent(
        type="text", text=json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    )
