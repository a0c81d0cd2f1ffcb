"""One span for each message: what the client asked for, by the names of OpenTelemetry's conventions for MCP."""

from collections.abc import Callable, Collection
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.types import CallToolResult

from shared_kernel.spans import Value, span, traced

_CALLERS = ("traceparent", "tracestate")


class Spans(ServerMiddleware[Any]):
    """In place of the SDK's own middleware, which tells the texts of exceptions too.

    Where `_meta` has a `traceparent`, the span goes on from that (MCP 2026-07-28, Base protocol, `_meta`).
    """

    def __init__(self, tools: Collection[str], is_served: Callable[[str], bool]) -> None:
        self._tools, self._is_served = tools, is_served

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """See ServerMiddleware."""
        if not traced():
            return await call_next(ctx)
        # A client may invent any method and tool, and put a secret there.
        method = ctx.method if self._is_served(ctx.method) else "other"
        attributes: dict[str, Value] = {"mcp.method.name": method, "mcp.protocol.version": ctx.protocol_version}
        name, target = method, (ctx.params or {}).get("name")
        if method == "tools/call" and isinstance(target, str) and target in self._tools:
            attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": target}
            name = f"{method} {target}"
        meta: dict[str, Any] = dict(ctx.meta or {})
        caller = {key: meta[key] for key in _CALLERS if isinstance(meta.get(key), str)}
        with span(name, attributes, caller) as tell:
            result = await call_next(ctx)
            match result:
                case CallToolResult(is_error=True) | {"isError": True}:
                    tell({"error.type": "tool_error"})
            return result
