"""What a principal sees of an offer: every list holds only what its token's scopes allow, always in the same order."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp.types import (
    INVALID_PARAMS,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    PromptReference,
)

from mcp_server.domain.failures import Failure
from mcp_server.surface.call import Call
from mcp_server.surface.completion import suggestions
from mcp_server.surface.offer import Offer
from mcp_server.surface.resources import view

Begin = Callable[..., Awaitable[Call]]


class Lists:
    """Serves the lists, each on one page, and the completions."""

    def __init__(self, offer: Offer, begin: Begin) -> None:
        self._offer, self._begin = offer, begin

    async def tools(self, context: ServerRequestContext[Any], params: PaginatedRequestParams) -> ListToolsResult:
        """The tools that the caller may call."""
        scopes = await self._scopes(context, params)
        shown = [tool.definition for tool in self._offer.tools if tool.scopes <= scopes]
        if not _may_show(context):
            shown = [tool.model_copy(update={"meta": None}) if tool.meta is not None else tool for tool in shown]
        return ListToolsResult(tools=shown)

    async def resources(
        self, context: ServerRequestContext[Any], params: PaginatedRequestParams
    ) -> ListResourcesResult:
        """The resources that the caller may read."""
        scopes = await self._scopes(context, params)
        return ListResourcesResult(resources=[one.definition for one in self._offer.resources if one.scopes <= scopes])

    async def templates(
        self, context: ServerRequestContext[Any], params: PaginatedRequestParams
    ) -> ListResourceTemplatesResult:
        """The families of resources of which the caller may read some."""
        scopes = await self._scopes(context, params)
        shown = [template.definition for template in self._offer.templates if template.scopes <= scopes]
        return ListResourceTemplatesResult(resource_templates=shown)

    async def prompts(self, context: ServerRequestContext[Any], params: PaginatedRequestParams) -> ListPromptsResult:
        """The prompts whose steps the caller may take."""
        scopes = await self._scopes(context, params)
        return ListPromptsResult(
            prompts=[prompt.definition for prompt in self._offer.prompts if prompt.scopes <= scopes]
        )

    async def completions(self, context: ServerRequestContext[Any], params: CompleteRequestParams) -> CompleteResult:
        """Suggestions for an argument; none where a failure keeps them away, since nobody asked for the failure."""
        reference = params.ref.name if isinstance(params.ref, PromptReference) else params.ref.uri
        completed = self._offer.completed(reference)
        if completed is None:
            raise MCPError(code=INVALID_PARAMS, message="Unknown prompt or resource template")
        call = await self._begin(context)
        complete = completed.completions.get(params.argument.name)
        if complete is None or not completed.scopes <= call.principal.scopes:
            return CompleteResult(completion=Completion(values=[], total=0, has_more=False))
        given = dict(params.context.arguments or {}) if params.context is not None else {}
        try:
            candidates = await complete(call, given)
        except Failure:
            candidates = ()
        return CompleteResult(completion=suggestions(candidates, params.argument.value))

    async def _scopes(self, context: ServerRequestContext[Any], params: PaginatedRequestParams) -> frozenset[str]:
        if params.cursor is not None:
            raise MCPError(code=INVALID_PARAMS, message="Unknown cursor")
        return (await self._begin(context)).principal.scopes


def _may_show(context: ServerRequestContext[Any]) -> bool:
    """Whether the client may be a host of MCP Apps: one of the handshake revisions said so in another exchange."""
    capabilities = context.session.client_capabilities
    return capabilities is None or view.shows(capabilities)
