"""What one exchange offers the SDK's server: the request it serves, and the ways back to the client meanwhile."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import MCPError
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp.types import INTERNAL_ERROR, REQUEST_TIMEOUT
from starlette.requests import Request

from mcp_server.domain.principal import Principal
from mcp_server.ports.call_notes import NOTES
from mcp_server.surface.back_channel import BackChannel, TooManyQuestions
from mcp_server.surface.response import Response

ANSWER_SECONDS = 300.0
"""How long a client, and the person before it, may take to answer a question."""


@dataclass(slots=True)
class Dispatch:
    """The SDK's DispatchContext of one exchange. Without a back channel the client can be asked nothing."""

    request: Request
    request_id: str | int
    principal: Principal
    response: Response
    progress_token: str | int | None = None
    back_channel: BackChannel | None = None
    _cancel_requested: anyio.Event | None = None

    @property
    def cancel_requested(self) -> anyio.Event:
        """Never set: whoever cancels a call here cancels its task."""
        self._cancel_requested = self._cancel_requested or anyio.Event()
        return self._cancel_requested

    @property
    def can_send_request(self) -> bool:
        """Whether the client can be asked."""
        return self.back_channel is not None and self.response.streams

    @property
    def transport(self) -> TransportContext:
        """What kind of transport it is."""
        can_ask = self.can_send_request
        return TransportContext(kind="streamable-http", can_send_request=can_ask, headers=self.request.headers)

    @property
    def message_metadata(self) -> ServerMessageMetadata:
        """Hands the HTTP request to handlers."""
        return ServerMessageMetadata(request_context=self.request)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, options: CallOptions | None = None
    ) -> dict[str, Any]:
        """The client's result. Raises MCPError, and NoBackChannelError where the client cannot be asked."""
        if self.back_channel is None or not self.response.streams:
            raise NoBackChannelError(method)
        loop, notes = asyncio.get_running_loop(), NOTES.get()
        began = loop.time()
        try:
            with self.back_channel.question(self.principal) as (identifier, answer):
                await self.response.message(_message(method, params, id=identifier))
                async with asyncio.timeout((options or {}).get("timeout") or ANSWER_SECONDS):
                    message = await answer
        except TimeoutError:
            # MCP, Timeouts: "the sender SHOULD issue a cancellation notification for that request"
            await self.notify("notifications/cancelled", {"requestId": identifier, "reason": "No answer came in time"})
            raise MCPError(code=REQUEST_TIMEOUT, message="The client did not answer in time") from None
        except TooManyQuestions:
            raise MCPError(code=INTERNAL_ERROR, message="Too many questions are open") from None
        finally:
            if notes is not None:
                notes.asked_seconds = (notes.asked_seconds or 0.0) + loop.time() - began
        if isinstance(message.get("result"), dict):
            result: dict[str, Any] = message["result"]
            return result
        error = message.get("error")
        text = error.get("message") if isinstance(error, dict) else None
        raise MCPError(code=INTERNAL_ERROR, message=str(text or "The client answered with an error"))

    async def notify(self, method: str, params: Mapping[str, Any] | None, _options: CallOptions | None = None) -> None:
        """Sends a notification ahead of the reply, if the client reads event streams."""
        await self.response.message(_message(method, params))

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Reports progress to a client that asked for it."""
        if self.progress_token is None:
            return
        params: dict[str, Any] = {"progressToken": self.progress_token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        await self.notify("notifications/progress", params)


def _message(method: str, params: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
    document: dict[str, Any] = {"jsonrpc": "2.0", **more, "method": method}
    if params is not None:
        document["params"] = dict(params)
    return document
