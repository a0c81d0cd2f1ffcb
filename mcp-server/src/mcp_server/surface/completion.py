"""Suggestions for the argument that a person is typing."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from mcp.types import Completion

from mcp_server.engine.browsing import BrowsingService
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


def schema_names(browsing: BrowsingService) -> Complete:
    """The schemas that a principal can query."""

    async def complete(call: Call, _given: Mapping[str, str]) -> Sequence[str]:
        return [schema.name for schema in browsing.list_schemas(call.principal) if schema.active]

    return complete


def table_names(browsing: BrowsingService) -> Complete:
    """The tables of the schema that was filled in, else of the principal's default schema."""

    async def complete(call: Call, given: Mapping[str, str]) -> Sequence[str]:
        return await browsing.table_names(call.principal, given.get("schema") or None)

    return complete
