"""Tools after which lists count as changed: as if the caller had come with a token of other scopes."""

from dataclasses import replace

from mcp.types import CallToolResult

from mcp_server.surface.call import Call
from mcp_server.surface.subscriptions import Subscriptions
from mcp_server.surface.tools.served_tool import Arguments, ServedTool
from tests.conformance.profile.content import result, text
from tests.conformance.profile.tool import tool


def changing_tools(subscriptions: Subscriptions) -> tuple[ServedTool, ...]:
    """The tools, over the streams that they tell."""

    async def change(call: Call, _arguments: Arguments) -> CallToolResult:
        await subscriptions.notice(replace(call.principal, scopes=call.principal.scopes | {"more"}))
        return result(text("Changed."))

    return tool("test_trigger_tool_change", change), tool("test_trigger_prompt_change", change)
