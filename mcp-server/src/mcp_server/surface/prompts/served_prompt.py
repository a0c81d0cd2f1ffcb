"""What every prompt of this server is made of."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from mcp.types import GetPromptResult, InputRequiredResult, Prompt

from mcp_server.surface.call import Call
from mcp_server.surface.completion import Complete


@dataclass(frozen=True, slots=True)
class ServedPrompt:
    """A prompt as clients see it, the scopes that its steps need, and what writes its messages."""

    definition: Prompt
    scopes: frozenset[str]
    get: Callable[[Call, Mapping[str, str]], Awaitable[GetPromptResult | InputRequiredResult]]
    completions: Mapping[str, Complete] = field(default_factory=dict)
