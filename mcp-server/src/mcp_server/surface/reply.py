"""How results and failures look on the wire."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from mcp.types import CallToolResult, TextContent

from mcp_server.domain.failures import Failure


def success(document: Mapping[str, Any]) -> CallToolResult:
    """A result; the text block says the same in compact JSON, for clients that read only text."""
    return CallToolResult(content=[_text(document)], structured_content=dict(document))


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
    if failed.retry_after_seconds is not None:
        document["retry_after_seconds"] = failed.retry_after_seconds
    return CallToolResult(content=[_text(document)], structured_content=document, is_error=True)


def timestamp(seconds: float) -> str:
    """A time in seconds since the epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(document: Mapping[str, Any]) -> TextContent:
    return TextContent(type="text", text=msgspec.json.encode(document).decode())
