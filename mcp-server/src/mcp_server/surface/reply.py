"""How results and failures look on the wire."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec

from mcp_server.domain.failures import Failure
from mcp_server.surface.marked import Mark
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.next_call import NextCall
from mcp_server.surface.wording.withheld import without_tools


class Written(dict[str, Any]):
    """The CallToolResult of a document, as every revision has it; msgspec can encode it.

    The document is written as JSON once, for the structured content and for the text block that says the same to
    clients which read only text. The SDK would check, copy and dump it value by value, to the same end. `for_person`
    is a second text block, which shows the document to a person; the first is then for the model.
    """

    def __init__(self, document: Mapping[str, Any], for_person: str | None = None) -> None:
        written = msgspec.json.encode(document)
        text: dict[str, Any] = {"type": "text", "text": written.decode()}
        content = [text]
        if for_person is not None:
            text["annotations"] = {"audience": ["assistant"]}
            content.append({"type": "text", "text": for_person, "annotations": {"audience": ["user"]}})
        super().__init__(content=content, structuredContent=msgspec.Raw(written))


def failure(
    failed: Failure,
    request_id: str,
    following: NextCall | None = None,
    *,
    mark: Mark = dict,
    withheld: Mapping[str, frozenset[str]] = MappingProxyType({}),
) -> Written:
    """The CallToolResult of a failed call, in words that a model can act on; `following` is the call that helps.

    `withheld` are the tools that the caller may not call, with the scopes that they need.
    """
    words = worded(failed)
    advice = words.next_action if failed.meant is not None else without_tools(words.next_action, withheld)
    document: dict[str, Any] = {
        "code": failed.code.value,
        "message": words.message,
        "next_action": advice,
        "request_id": request_id,
    }
    if following is not None:
        document["next_call"] = {"tool": following.tool, "arguments": following.arguments}
    if failed.position is not None:
        document["position"] = {"line": failed.position.line, "column": failed.position.column}
    if failed.retry_after_seconds is not None:
        document["retry_after_seconds"] = failed.retry_after_seconds
    result = Written(mark(document))
    result["isError"] = True
    return result


def timestamp(seconds: float) -> str:
    """A time in seconds since the epoch as ISO 8601 in UTC, to the second."""
    return f"{datetime.fromtimestamp(int(seconds), UTC).isoformat().removesuffix('+00:00')}Z"
