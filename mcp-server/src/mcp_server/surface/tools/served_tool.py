"""What every tool of this server is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from mcp.types import Tool as ToolDefinition
from mcp.types import ToolAnnotations

from mcp_server.domain.principal import Principal
from mcp_server.surface import reply

Arguments = dict[str, Any]
"""The arguments of a call; they satisfy the tool's input schema."""


@dataclass(frozen=True, slots=True)
class ServedTool:
    """A tool as clients see it, the scopes it needs, and what it does: arguments to result document, or Failure."""

    definition: ToolDefinition
    scopes: frozenset[str]
    call: Callable[[Principal, Arguments], Awaitable[dict[str, Any]]]


def define(
    name: str,
    *,
    title: str,
    description: str,
    properties: dict[str, Any],
    required: tuple[str, ...] = (),
    result: dict[str, Any],
) -> ToolDefinition:
    """The definition of a tool that only reads.

    `properties` and `required` describe its arguments, `result` the properties of its result, all of which it has.
    """
    return ToolDefinition(
        name=name,
        title=title,
        description=description,
        input_schema={
            "type": "object",
            "properties": properties,
            "required": list(required),
            "additionalProperties": False,
        },
        output_schema=reply.output_schema(result),
        annotations=ToolAnnotations(
            title=title, read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
