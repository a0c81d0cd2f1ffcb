"""Suggestions for the argument that a person is typing."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from mcp.types import Completion

from mcp_server.surface.call import Call

MOST_VALUES = 100
"""MCP, Completion: "Maximum 100 items per response"."""

Complete = Callable[[Call, Mapping[str, str]], Awaitable[Sequence[str]]]
"""All that an argument may be, given the arguments that are filled in already."""


def suggestions(candidates: Sequence[str], typed: str) -> Completion:
    """Those that begin with what was typed, in any case, then those that hold it further on."""
    wanted = typed.lower()
    beginning = [name for name in candidates if name.lower().startswith(wanted)]
    containing = [name for name in candidates if wanted in name.lower() and not name.lower().startswith(wanted)]
    values = [*beginning, *containing]
    return Completion(values=values[:MOST_VALUES], total=len(values), has_more=len(values) > MOST_VALUES)
