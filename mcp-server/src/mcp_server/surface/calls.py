"""What happens when a tool is called, a resource read, a prompt got. Each leaves one line in the log."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import structlog
from mcp import MCPError
from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ReadResourceRequestParams,
    ReadResourceResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

from mcp_server.domain.failures import Failure, FailureCode
from mcp_server.domain.failures.access import MissingScopes
from mcp_server.domain.failures.availability import Defect
from mcp_server.ports.call_notes import NOTES, CallNotes
from mcp_server.surface import reply
from mcp_server.surface.call import Call
from mcp_server.surface.offer import Offer
from mcp_server.surface.resources.served_resource import Read
from mcp_server.surface.tools.served_tool import ServedTool
from mcp_server.surface.wording.failures import worded
from mcp_server.surface.wording.next_call import NextCall, next_call
from shared_kernel.clock import Clock

Begin = Callable[..., Awaitable[Call]]
_NOT_FOUND_BEFORE_2026 = -32002
_log = structlog.get_logger("tools")


class _Line:
    """The log line of a call, written when the block that makes the call ends."""

    __slots__ = ("_call", "_clock", "_notes", "_started", "_token", "_write", "outcome", "rows")

    def __init__(self, clock: Clock, call: Call, write: Callable[..., object]) -> None:
        self._clock, self._call, self._write = clock, call, write
        self.outcome: str | None = None
        self.rows: int | None = None
        self._notes = CallNotes()

    def __enter__(self) -> Self:
        self._started = self._clock.monotonic()
        self._token = NOTES.set(self._notes)
        return self

    def failed(self, failure: Failure) -> None:
        """Takes note of a failure, and says in HTTP too when to call again: not everybody on the way reads JSON-RPC."""
        self.outcome = failure.code.value
        if failure.retry_after_seconds is not None:
            self._call.advise_retry(failure.retry_after_seconds)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        NOTES.reset(self._token)
        principal, facts = self._call.principal, self._notes.fields()
        if self._notes.statement is not None:
            facts["rows"] = self.rows
        if isinstance(error, asyncio.CancelledError):
            facts["cancelled_by"] = self._call.cancelled_by
        seconds = self._clock.monotonic() - self._started - (self._notes.asked_seconds or 0.0)
        self._write(
            outcome=self.outcome or _outcome_of(error),
            ms=round(max(0.0, seconds) * 1000, 1),
            tenant=principal.tenant,
            user_id=principal.subject,
            client_id=principal.client_id,
            grant=principal.grant,
            address=self._call.address,
            **facts,
        )


def _outcome_of(error: BaseException | None) -> str:
    if isinstance(error, MCPError):
        return "protocol_error"
    return FailureCode.INTERNAL_ERROR.value if isinstance(error, Exception) else "cancelled"


class Calls:
    """Serves the calls of an offer."""

    def __init__(self, offer: Offer, begin: Begin, clock: Clock) -> None:
        self._offer, self._begin, self._clock = offer, begin, clock
        self._tools = {tool.definition.name: tool for tool in offer.tools}

    async def tool(self, context: ServerRequestContext[Any], params: CallToolRequestParams) -> HandlerResult:
        """What the tool answers. A failure is a result that says so; only an unknown tool is a protocol error."""
        tool = self._tools.get(params.name)
        if tool is None:
            raise MCPError(code=INVALID_PARAMS, message="Unknown tool")
        call = await self._begin(context, answers=params.input_responses, state=params.request_state)
        with _Line(self._clock, call, lambda **more: _log.info("tool_call", tool=params.name, **more)) as line:
            try:
                result = await _called(tool, call, params.arguments or {})
            except Failure as failure:
                line.failed(failure)
                following = self._following(failure, call, params)
                withheld = self._withheld(call)
                return reply.failure(failure, call.request_id, following, mark=self._offer.mark, withheld=withheld)
            except MCPError:
                raise
            except Exception:
                line.outcome = FailureCode.INTERNAL_ERROR.value
                _log.exception("tool_crashed", tool=params.name)
                return reply.failure(Failure(Defect()), call.request_id, mark=self._offer.mark)
            line.outcome = "input_required" if isinstance(result, InputRequiredResult) else "ok"
            if isinstance(result, BaseModel):
                return result
            line.rows = result.get("row_count")
            return reply.Written(self._offer.mark(result), tool.for_person(call, result))

    async def resource(
        self, context: ServerRequestContext[Any], params: ReadResourceRequestParams
    ) -> ReadResourceResult | InputRequiredResult:
        """A resource's contents. Whatever is not there for the caller is not found."""
        uri, call = params.uri, await self._begin(context, answers=params.input_responses, state=params.request_state)
        read = self._reading(uri, call)
        if read is None:
            raise _not_found(call, uri)
        with _Line(self._clock, call, lambda **more: _log.info("resource_read", uri=uri, **more)) as line:
            try:
                found = await read()
            except Failure as failure:
                line.failed(failure)
                raise _resource_failed(failure, call, uri) from None
            line.outcome = "input_required" if isinstance(found, InputRequiredResult) else "ok"
            return found if isinstance(found, InputRequiredResult) else ReadResourceResult(contents=list(found))

    async def prompt(
        self, context: ServerRequestContext[Any], params: GetPromptRequestParams
    ) -> GetPromptResult | InputRequiredResult:
        """A prompt's messages."""
        prompt = self._offer.prompt(params.name)
        if prompt is None:
            raise MCPError(code=INVALID_PARAMS, message="Unknown prompt")
        call = await self._begin(context, answers=params.input_responses, state=params.request_state)
        _check_scopes(prompt.scopes, call)
        given = params.arguments or {}
        for argument in prompt.definition.arguments or ():
            if argument.required and not given.get(argument.name):
                raise MCPError(code=INVALID_PARAMS, message=f"The argument {argument.name} is required")
        with _Line(self._clock, call, lambda **more: _log.info("prompt_got", prompt=params.name, **more)) as line:
            try:
                result = await prompt.get(call, given)
            except Failure as failure:
                line.failed(failure)
                words = worded(failure)
                raise MCPError(code=INVALID_PARAMS, message=f"{words.message} {words.next_action}") from None
            line.outcome = "input_required" if isinstance(result, InputRequiredResult) else "ok"
            return result

    def _following(self, failure: Failure, call: Call, params: CallToolRequestParams) -> NextCall | None:
        """The call that helps, if the caller may make it."""
        following = next_call(failure, params.name, params.arguments or {})
        tool = self._tools.get(following.tool) if following is not None else None
        return following if tool is not None and tool.scopes <= call.principal.scopes else None

    def _withheld(self, call: Call) -> dict[str, frozenset[str]]:
        """The tools that the caller may not call, with the scopes that they need."""
        return {name: tool.scopes for name, tool in self._tools.items() if not tool.scopes <= call.principal.scopes}

    def _reading(self, uri: str, call: Call) -> Callable[[], Awaitable[Read]] | None:
        resource = self._offer.resource(uri)
        if resource is not None:
            _check_scopes(resource.scopes, call)
            return lambda: resource.read(call)
        of_family = self._offer.template(uri)
        if of_family is None:
            return None
        template, variables = of_family
        _check_scopes(template.scopes, call)
        return lambda: template.read(call, variables)


async def _called(tool: ServedTool, call: Call, arguments: dict[str, Any]) -> Any:
    # The guard has checked this; it is checked again where the work is done, so that one hole is not enough.
    if not tool.scopes <= call.principal.scopes:
        raise Failure(MissingScopes(tuple(sorted(tool.scopes))))
    return await tool.call(call, tool.arguments.decode(arguments))


def _check_scopes(scopes: frozenset[str], call: Call) -> None:
    if not scopes <= call.principal.scopes:
        raise MCPError(code=INVALID_PARAMS, message=f"This needs the scopes {' '.join(sorted(scopes))}")


def _resource_failed(failure: Failure, call: Call, uri: str) -> MCPError:
    if failure.code in {FailureCode.UNKNOWN_SCHEMA, FailureCode.UNKNOWN_TABLE, FailureCode.ACCESS_DENIED}:
        return _not_found(call, uri)
    words = worded(failure)
    data = {"code": failure.code.value, "next_action": words.next_action, "request_id": call.request_id}
    return MCPError(code=INTERNAL_ERROR, message=words.message, data=data)


def _not_found(call: Call, uri: str) -> MCPError:
    # MCP 2026-07-28, Resources: "Resource not found: -32602"; the revisions before had a code of their own.
    modern = call.context.protocol_version in MODERN_PROTOCOL_VERSIONS
    code = INVALID_PARAMS if modern else _NOT_FOUND_BEFORE_2026
    return MCPError(code=code, message="Resource not found", data={"uri": uri})
