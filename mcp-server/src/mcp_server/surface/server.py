"""The MCP server of an offer: the handlers of every method, on one page."""

from typing import Any

from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.types import (
    CallToolRequestParams,
    CompleteRequestParams,
    EmptyResult,
    GetPromptRequestParams,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ServerCapabilities,
    SetLevelRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.surface.call import Call, principal_of
from mcp_server.surface.calls import Calls
from mcp_server.surface.instructions import instructions
from mcp_server.surface.lists import Lists
from mcp_server.surface.log_levels import LogLevels
from mcp_server.surface.offer import Offer
from mcp_server.surface.resources import view
from mcp_server.surface.sessions import Sessions
from mcp_server.surface.spans import Spans
from mcp_server.surface.subscriptions import Subscriptions
from shared_kernel.clock import Clock

_LISTS_TTL_MS = 5 * 60 * 1000
_CONTENT_TTL_MS = 60 * 1000
_CACHEABLE: tuple[CacheableMethod, ...] = (
    "server/discover",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
)
STATE_SECONDS = 600.0
"""How long a client, and the person before it, may take over the questions of an InputRequiredResult."""


class _Server(Server[Any]):
    """The SDK's server, which promises only what ours tells: of changed lists, never of a single resource."""

    def get_capabilities(
        self, *arguments: Any, protocol_version: str | None = None, **named: Any
    ) -> ServerCapabilities:
        """What a client may use; in the handshake revisions a method for single resources may be served."""
        declared = super().get_capabilities(*arguments, protocol_version=protocol_version, **named)
        if declared.resources is not None and protocol_version in MODERN_PROTOCOL_VERSIONS:
            declared.resources.subscribe = False
        return declared


class Surface:
    """An offer as an MCP server; `state_key` seals what clients keep: states between rounds, session ids."""

    def __init__(
        self,
        offer: Offer,
        subscriptions: Subscriptions,
        *,
        title: str,
        version: str,
        state_key: bytes,
        clock: Clock,
        log_levels: LogLevels | None = None,
    ) -> None:
        self.offer = offer
        self.subscriptions = subscriptions
        self.sessions = Sessions(state_key)
        self.log_levels = log_levels or LogLevels(clock)
        lists, calls = Lists(offer, self.begin), Calls(offer, self.begin, clock)
        server = _Server(
            "dynamosql",
            title=title,
            version=version,
            description="Read-only SQL over Amazon DynamoDB",
            instructions=instructions(offer),
            get_tool_input_schema=offer.mirrored_schema if offer.mirrors_arguments else None,
            # What a principal sees depends on its scopes and its tenant, so no cache may share it.
            cache_hints={
                **{method: CacheHint(_LISTS_TTL_MS, "private") for method in _CACHEABLE},
                "resources/read": CacheHint(_CONTENT_TTL_MS, "private"),
            },
        )
        tools = [tool.definition.name for tool in offer.tools]
        server.middleware[:] = [Spans(tools, lambda method: server.get_request_handler(method) is not None)]
        if offer.resource(view.URI) is not None:
            server.extensions[view.EXTENSION] = {}
        security = RequestStateSecurity(keys=[state_key], ttl=STATE_SECONDS, bind_principal=_bound_to)
        server.middleware.append(RequestStateBoundary(security, default_audience=title))
        server.add_request_handler("tools/list", PaginatedRequestParams, lists.tools)
        server.add_request_handler("tools/call", CallToolRequestParams, calls.tool)
        if offer.resources or offer.templates:
            server.add_request_handler("resources/list", PaginatedRequestParams, lists.resources)
            server.add_request_handler("resources/templates/list", PaginatedRequestParams, lists.templates)
            server.add_request_handler("resources/read", ReadResourceRequestParams, calls.resource)
        if offer.prompts:
            server.add_request_handler("prompts/list", PaginatedRequestParams, lists.prompts)
            server.add_request_handler("prompts/get", GetPromptRequestParams, calls.prompt)
        if offer.prompts or offer.templates:
            server.add_request_handler("completion/complete", CompleteRequestParams, lists.completions)
        server.add_request_handler("logging/setLevel", SetLevelRequestParams, self._set_log_level)
        server.add_request_handler("subscriptions/listen", SubscriptionsListenRequestParams, self._listen)
        for method in offer.methods:
            server.add_request_handler(method.method, method.params, method.handle)
        self.server = server

    async def begin(self, context: ServerRequestContext[Any], *, answers: Any = None, state: str | None = None) -> Call:
        """The call that a request makes."""
        principal = principal_of(context)
        await self.subscriptions.notice(principal)
        return Call(context, principal, self.log_levels, answers, state)

    async def _set_log_level(self, context: ServerRequestContext[Any], params: SetLevelRequestParams) -> EmptyResult:
        await self.log_levels.set(principal_of(context), params.level)
        return EmptyResult()

    async def _listen(
        self, context: ServerRequestContext[Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        return await self.subscriptions.listen(context, params, principal_of(context))


def _bound_to(context: ServerRequestContext[Any]) -> str:
    principal = principal_of(context)
    return f"{principal.tenant}\n{principal.subject}\n{principal.client_id}"
