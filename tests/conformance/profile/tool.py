"""How the profile declares tools."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.types import Tool
from pydantic import ConfigDict

from mcp_server.surface.call import Call
from mcp_server.surface.tools.served_tool import Arguments, ServedTool

SCOPES = frozenset({"query"})
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


class Loose(Arguments):
    """Arguments that nobody looks at."""

    model_config = ConfigDict(extra="allow")


def tool(
    name: str,
    call: Callable[[Call, Any], Awaitable[Any]],
    *,
    arguments: type[Arguments] = Arguments,
    input_schema: dict[str, Any] | None = None,
) -> ServedTool:
    """A tool of the profile."""
    definition = Tool(name=name, description=f"Serves the suite's {name}.", input_schema=input_schema or NO_ARGUMENTS)
    return ServedTool(definition, SCOPES, arguments, call)
