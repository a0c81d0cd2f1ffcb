"""optimize_query: the same answer for fewer read units."""

from collections.abc import Mapping

from mcp.types import GetPromptResult, PromptArgument

from mcp_server.engine.browsing import BrowsingService
from mcp_server.surface.call import Call
from mcp_server.surface.completion import schema_names
from mcp_server.surface.prompts import message
from mcp_server.surface.prompts.served_prompt import ServedPrompt
from shared_kernel import scope

_DESCRIPTION = "Makes a query read less, without changing its answer."
_SQL = PromptArgument(name="sql", description="The query.", required=True)
_STEPS = """\
1. Call explain_sql. See access, residual_filters and rejected_indexes of every scan: they say what keeps an index away.
2. Rewrite it so that conditions with = or IN meet a hashKey, and ranges a sortKey. The answer must stay the same.
3. Call explain_sql for the rewritten query, and compare the estimates.
4. Show me both, what each would read, and why. If nothing helps, say which index would."""


def optimize_query(browsing: BrowsingService) -> ServedPrompt:
    """The prompt over a BrowsingService."""

    async def get(_call: Call, given: Mapping[str, str]) -> GetPromptResult:
        schema = f'Its schema is "{given["schema"]}".\n' if given.get("schema") else ""
        text = f"Make this query cheaper:\n\n```sql\n{given['sql']}\n```\n\n{schema}{_STEPS}"
        return message.messages(_DESCRIPTION, text)

    return ServedPrompt(
        message.prompt("optimize_query", "Make a query cheaper", _DESCRIPTION, [_SQL, message.SCHEMA]),
        frozenset({scope.QUERY}),
        get,
        {"schema": schema_names(browsing)},
    )
