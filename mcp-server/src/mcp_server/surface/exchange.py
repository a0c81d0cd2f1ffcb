"""The MCP endpoint's transport: one POST holds one JSON-RPC message, its response the reply, in both protocol eras.

The SDK's server decides and answers, without the SDK's HTTP transports: each exchange stands alone, and their sessions
and streams would cost more than the calls themselves. A reply is plain JSON. Only a slow call of a client that reads
event streams becomes one, so that no proxy takes the silence for a dead connection.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import modern_error_data, serve_one
from mcp.server.streamable_http import check_accept_headers
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
)
from mcp.shared.message import ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp.types import DEFAULT_NEGOTIATED_VERSION, INTERNAL_ERROR, INVALID_REQUEST
from mcp_types import HEADER_MISMATCH
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request

from mcp_server.access.bearer import MESSAGE_KEY
from shared_kernel.asgi import Receive, Scope, Send

SILENCE_SECONDS = 15.0
"""How long a response may stay silent; then it begins as an event stream, and a ping follows each such time."""

_JSON = [(b"content-type", b"application/json")]
_EVENT_STREAM = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
_Reply = tuple[int, dict[str, Any]]


class Exchange:
    """Serves single messages to an MCP server. The guard has left the message in the scope's state."""

    def __init__(self, server: Server[Any], *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._server, self._silence_seconds = server, silence_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one POST."""
        message: dict[str, Any] = scope["state"][MESSAGE_KEY]
        request = Request(scope)
        reads_json, reads_streams = check_accept_headers(request)
        response = _Response(send, streams=reads_streams)
        if not reads_json:
            await response.end(*_error(message, 406, INVALID_REQUEST, "The Accept header must admit application/json"))
        elif "id" not in message:
            await self._take_notification(request, send, response)
        else:
            await self._answer(message, request, receive, response)

    async def _take_notification(self, request: Request, send: Send, response: "_Response") -> None:
        """Acknowledges a notification. None has an effect: each exchange stands alone."""
        version = request.headers.get(MCP_PROTOCOL_VERSION_HEADER)
        rejection = None if _is_handshake(version) else unsupported_protocol_version_rejection(version or "")
        if rejection is not None:
            await response.end(*_rejected({}, rejection))
            return
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, message: dict[str, Any], request: Request, receive: Receive, response: "_Response") -> None:
        """Answers a request, unless its client goes away, which cancels it."""
        reply: _Reply | None = None
        try:
            with anyio.CancelScope() as call:
                attending = asyncio.create_task(self._attend(receive, response, call))
                try:
                    reply = await self._reply(message, request)
                finally:
                    attending.cancel()
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                text = "The server stopped before it had an answer. Call again."
                await response.end(*_error(message, 503, INTERNAL_ERROR, text))
            raise
        if reply is not None:
            await response.end(*reply)

    async def _reply(self, message: dict[str, Any], request: Request) -> _Reply:
        version = request.headers.get(MCP_PROTOCOL_VERSION_HEADER)
        params = message.get("params")
        if params is not None and not isinstance(params, dict):
            return _error(message, 400, INVALID_REQUEST, "Invalid request: params must be an object")
        if _is_handshake(version):
            connection = Connection.from_envelope(version or DEFAULT_NEGOTIATED_VERSION, None, None)
            return await self._serve(message, request, connection, {})
        duplicated = find_duplicated_routing_header(request.headers.items())
        if duplicated is not None:
            return _error(message, 400, HEADER_MISMATCH, f"{duplicated} header appears more than once")
        route = classify_inbound_request(message, headers=request.headers)
        if isinstance(route, InboundLadderRejection):
            return _rejected(message, route)
        connection = Connection.from_envelope(route.protocol_version, route.client_info, route.client_capabilities)
        return await self._serve(message, request, connection, ERROR_CODE_HTTP_STATUS)

    async def _serve(self, message: dict[str, Any], request: Request, connection: Connection, statuses: Any) -> _Reply:
        """The server's reply; `statuses` maps JSON-RPC error codes to HTTP's, where the revision does."""
        context = _RequestContext(request, message["id"])
        try:
            result = await serve_one(
                self._server,
                context,
                message["method"],
                message.get("params"),
                connection=connection,
                lifespan_state={},
            )
        except Exception as error:  # becomes the error that the protocol has for it; the SDK logs what nobody foresaw
            data = modern_error_data(error)
            return _error(message, statuses.get(data.code, 200), data.code, data.message, data.data)
        return 200, {"jsonrpc": "2.0", "id": message["id"], "result": result}

    async def _attend(self, receive: Receive, response: "_Response", call: anyio.CancelScope) -> None:
        """Cancels the call once its client has gone, and until then breaks the silence."""
        while True:
            try:
                async with asyncio.timeout(self._silence_seconds):
                    while (await receive())["type"] != "http.disconnect":
                        pass
            except TimeoutError:
                await response.ping()
            else:
                call.cancel()
                return


class _Response:
    """The HTTP response to a request: one JSON document, or an event stream once it was pinged."""

    def __init__(self, send: Send, *, streams: bool) -> None:
        self._send, self._streams, self._begun = send, streams, False

    async def ping(self) -> None:
        """Breaks the silence, if the client reads event streams."""
        if not self._streams:
            return
        if not self._begun:
            await self._send({"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM})
            self._begun = True
        await self._send({"type": "http.response.body", "body": b": ping\r\n\r\n", "more_body": True})

    async def end(self, status: int, document: dict[str, Any]) -> None:
        """Sends the reply."""
        body = msgspec.json.encode(document)
        if self._begun:
            body = b"event: message\r\ndata: " + body + b"\r\n\r\n"
        else:
            headers = [*_JSON, (b"content-length", str(len(body)).encode())]
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


@dataclass
class _RequestContext:
    """The SDK's DispatchContext of one exchange, over which the server can send nothing but the reply."""

    request: Request
    request_id: str | int
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)
    can_send_request: bool = field(default=False, init=False)

    @property
    def transport(self) -> TransportContext:
        """What kind of transport it is."""
        return TransportContext(kind="streamable-http", can_send_request=False, headers=self.request.headers)

    @property
    def message_metadata(self) -> ServerMessageMetadata:
        """Hands the HTTP request to handlers."""
        return ServerMessageMetadata(request_context=self.request)

    async def send_raw_request(
        self, method: str, _params: object, _options: CallOptions | None = None
    ) -> dict[str, Any]:
        """There is no way back to the client."""
        raise NoBackChannelError(method)

    async def notify(self, _method: str, _params: object, _options: CallOptions | None = None) -> None:
        """Notifications are dropped."""

    async def progress(self, _progress: float, _total: float | None = None, _message: str | None = None) -> None:
        """Progress is not reported."""


def _is_handshake(version: str | None) -> bool:
    """Whether a request belongs to a revision with a handshake; those before 2025-06-18 send no version."""
    return version is None or version in HANDSHAKE_PROTOCOL_VERSIONS


def _rejected(message: dict[str, Any], rejection: InboundLadderRejection) -> _Reply:
    status = ERROR_CODE_HTTP_STATUS.get(rejection.code, 400)
    return _error(message, status, rejection.code, rejection.message, rejection.data)


def _error(message: dict[str, Any], status: int, code: int, text: str, data: Any = None) -> _Reply:
    error: dict[str, Any] = {"code": code, "message": text}
    if data is not None:
        error["data"] = data
    return status, {"jsonrpc": "2.0", "id": message.get("id"), "error": error}
