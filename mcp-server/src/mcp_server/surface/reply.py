"""How results and failures look on the wire."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from mcp_server.domain.failures import Failure, NextCall

_COMPLETE = {"resultType": "complete"}  # required since 2026-07-28; the SDK leaves it out for revisions before


def success(document: Mapping[str, Any]) -> dict[str, Any]:
    """The CallToolResult of a result; the text block says the same in compact JSON, for clients that read only text.

    It is a plain dict, since the SDK would walk a model's rows once more than those.
    """
    return {**_COMPLETE, "content": [_text(document)], "structuredContent": document}


def failure(failed: Failure, request_id: str, following: NextCall | None = None) -> dict[str, Any]:
    """The CallToolResult of a failed call, in words that a model can act on; `following` is the call that helps."""
    document: dict[str, Any] = {
        "code": failed.code.value,
        "message": failed.message,
        "next_action": failed.next_action,
        "request_id": request_id,
    }
    if following is not None:
        document["next_call"] = {"tool": following.tool, "arguments": following.arguments}
    if failed.position is not None:
        document["position"] = {"line": failed.position.line, "column": failed.position.column}
    if failed.retry_after_seconds is not None:
        document["retry_after_seconds"] = failed.retry_after_seconds
    return {**_COMPLETE, "content": [_text(document)], "structuredContent": document, "isError": True}


def timestamp(seconds: float) -> str:
    """A time in seconds since the epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(document: Mapping[str, Any]) -> dict[str, str]:
    return {"type": "text", "text": msgspec.json.encode(document).decode()}
