"""The MCP endpoint's transport: one POST holds one JSON-RPC message, its response the reply, in both protocol eras.

The SDK's server decides and answers, without the SDK's HTTP transports: each exchange stands alone, and their sessions
and streams would cost more than the calls themselves. A reply is plain JSON. It becomes an event stream only for a
client that reads those, and only if something precedes the reply: a notification, a question, or a ping once the call
is slow, so that no proxy takes the silence for a dead connection.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.runner import modern_error_data
from mcp.server.streamable_http import check_accept_headers
from mcp.shared.inbound import (
    ERROR_CODE_HTTP_STATUS,
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    InboundLadderRejection,
    classify_inbound_request,
    find_duplicated_routing_header,
    unsupported_protocol_version_rejection,
    validate_mcp_param_headers,
)
from mcp.types import DEFAULT_NEGOTIATED_VERSION, INTERNAL_ERROR, INVALID_REQUEST
from mcp_types import HEADER_MISMATCH
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.requests import Request

from mcp_server.access.bearer import MESSAGE_KEY, PRINCIPAL_KEY
from mcp_server.ports.relay import Relay
from mcp_server.surface.back_channel import ANSWER_BYTES, BackChannel, Taken
from mcp_server.surface.call import CANCELLED_BY_KEY, SHOWS_FORMS_KEY
from mcp_server.surface.dispatch import Dispatch
from mcp_server.surface.response import Response
from mcp_server.surface.runner import Runner, connection
from mcp_server.surface.sessions import FIRST_WITH_FORMS, Sessions
from mcp_server.surface.sessions import HEADER as SESSION_HEADER
from shared_kernel.asgi import Receive, Scope, Send, answer_headers
from shared_kernel.entropy import Entropy

SILENCE_SECONDS = 15.0
"""How long a response may stay silent; then it begins as an event stream, and a ping follows each such time."""
REQUEST_CANCELLED = -32800
"""JSON-RPC has no code for it, MCP neither; this is the Language Server Protocol's."""

_NO_LIFESPAN: dict[str, Any] = {}
_Reply = tuple[int, dict[str, Any]]
_READ = frozenset(
    {
        b"accept",
        SESSION_HEADER.encode(),
        *(name.encode() for name in (MCP_PROTOCOL_VERSION_HEADER, MCP_METHOD_HEADER, MCP_NAME_HEADER)),
    }
)


class Exchange:
    """Serves single messages to an MCP server. The guard has left message and principal in the scope's state."""

    def __init__(
        self,
        server: Server[Any],
        *,
        sessions: Sessions,
        entropy: Entropy,
        silence_seconds: float = SILENCE_SECONDS,
        relay: Relay | None = None,
    ) -> None:
        self._server, self._silence_seconds = server, silence_seconds
        self._sessions, self._entropy = sessions, entropy
        self.back_channel = BackChannel(entropy, relay)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one POST."""
        message: dict[str, Any] = scope["state"][MESSAGE_KEY]
        request, headers = Request(scope), _Headers.of(scope)
        reads_json, reads_streams = _accepted(headers.first.get("accept", ""))
        response = Response(scope, send, streams=reads_streams)
        if not reads_json:
            await response.end(*_error(message, 406, INVALID_REQUEST, "The Accept header must admit application/json"))
        elif self._is_of_no_session(message, request, headers):
            # MCP, Session Management: the client "MUST start a new session" then.
            await response.end(*_error(message, 404, INVALID_REQUEST, "Session not found"))
        elif "method" not in message:
            await self._take_answer(message, request, headers, send, response)
        elif "id" not in message:
            await self._take_notification(message, request, headers, send, response)
        else:
            await self._answer(message, request, headers, receive, response)

    def _is_of_no_session(self, message: dict[str, Any], request: Request, headers: "_Headers") -> bool:
        """Whether a message of a handshake revision names a session that does not exist; most name none.

        Of one that does, the request's state says whether the client can be asked.
        """
        session = headers.first.get(SESSION_HEADER)
        if session is None or not _is_handshake(headers.version) or message.get("method") == "initialize":
            return False
        if not self._sessions.is_of(request.scope["state"][PRINCIPAL_KEY], session):
            return True
        reads_streams = _accepted(headers.first.get("accept", ""))[1]
        request.scope["state"][SHOWS_FORMS_KEY] = reads_streams and (headers.version or "") >= FIRST_WITH_FORMS
        return False

    def _begin_session(self, message: dict[str, Any], reply: dict[str, Any], request: Request) -> None:
        """Gives a client that shows forms a session with its handshake."""
        if reply.get("result", {}).get("protocolVersion", "") >= FIRST_WITH_FORMS:
            principal = request.scope["state"][PRINCIPAL_KEY]
            session = self._sessions.begin(principal, message["params"]["capabilities"], self._entropy)
            if session is not None:
                answer_headers(request.scope).append((SESSION_HEADER.encode(), session.encode()))

    async def _take_answer(
        self, message: dict[str, Any], request: Request, headers: "_Headers", send: Send, response: Response
    ) -> None:
        """Takes the answer to a question that a call of a handshake revision has asked."""
        taken = Taken.NOT_ASKED_FOR
        if _is_handshake(headers.version):
            taken = await self.back_channel.take_answer(request.scope["state"][PRINCIPAL_KEY], message)
        if taken is Taken.HANDED_ON:
            await _accept(send)
        elif taken is Taken.TOO_LONG:
            text = f"The answer is longer than {ANSWER_BYTES} bytes"
            await response.end(*_error(message, 413, INVALID_REQUEST, text))
        else:
            await response.end(*_error(message, 400, INVALID_REQUEST, "Nothing was asked that this would answer"))

    async def _take_notification(
        self, message: dict[str, Any], request: Request, headers: "_Headers", send: Send, response: Response
    ) -> None:
        """Acknowledges a notification. Only a cancellation has an effect: each exchange stands alone."""
        if not _is_handshake(headers.version):
            rejection = unsupported_protocol_version_rejection(headers.version or "")
            if rejection is not None:
                await response.end(*_rejected({}, rejection))
                return
        elif message["method"] == "notifications/cancelled":
            params = message.get("params")
            cancelled = params.get("requestId") if isinstance(params, dict) else None
            await self.back_channel.cancel(request.scope["state"][PRINCIPAL_KEY], headers.session, cancelled)
        await _accept(send)

    async def _answer(
        self, message: dict[str, Any], request: Request, headers: "_Headers", receive: Receive, response: Response
    ) -> None:
        """Answers a request, unless its client goes away, which cancels it."""
        ending, reply = _Ending(asyncio.current_task()), None
        request.scope["state"][CANCELLED_BY_KEY] = ending.cause
        attending = _Attending(lambda: self._attend(receive, response, ending))
        try:
            reply = await self._reply(message, request, headers, response, ending)
            await ending.take_late()
        except asyncio.CancelledError:
            if not ending.is_ours():
                text = "The server stopped before it had an answer. Call again."
                await asyncio.shield(response.end(*_error(message, 503, INTERNAL_ERROR, text)))
                raise
        finally:
            attending.cancel()
        if ending.client_gone:
            return
        await response.end(*(reply or _error(message, 200, REQUEST_CANCELLED, "Request cancelled")))

    async def _reply(
        self, message: dict[str, Any], request: Request, headers: "_Headers", response: Response, ending: "_Ending"
    ) -> _Reply:
        params = message.get("params")
        if params is not None and not isinstance(params, dict):
            return _error(message, 400, INVALID_REQUEST, "Invalid request: params must be an object")
        dispatch = Dispatch(
            request, message["id"], request.scope["state"][PRINCIPAL_KEY], response, _progress_token(params)
        )
        if _is_handshake(headers.version):
            dispatch.back_channel = self.back_channel
            alone = connection(headers.version or DEFAULT_NEGOTIATED_VERSION)
            with self.back_channel.under_way(dispatch.principal, headers.session, dispatch.request_id, ending.cancel):
                reply = await self._serve(message, dispatch, alone, {})
            if message["method"] == "initialize":
                self._begin_session(message, reply[1], request)
            return reply
        duplicated = find_duplicated_routing_header(headers.lines)
        if duplicated is not None:
            return _error(message, 400, HEADER_MISMATCH, f"{duplicated} header appears more than once")
        route = classify_inbound_request(message, headers=headers.first)
        if isinstance(route, InboundLadderRejection):
            return _rejected(message, route)
        mismatch = self._mirrored_arguments(message, request)
        if mismatch is not None:
            return _rejected(message, mismatch)
        alone = connection(route.protocol_version, route.client_info, route.client_capabilities)
        return await self._serve(message, dispatch, alone, ERROR_CODE_HTTP_STATUS)

    def _mirrored_arguments(self, message: dict[str, Any], request: Request) -> InboundLadderRejection | None:
        """What is wrong with the `Mcp-Param-*` headers of a call of a tool that declares any."""
        lookup, params = self._server.get_tool_input_schema, message.get("params") or {}
        if message["method"] != "tools/call" or lookup is None or not isinstance(params.get("name"), str):
            return None
        schema, arguments = lookup(params["name"]), params.get("arguments") or {}
        if schema is None or not isinstance(arguments, dict):
            return None
        return validate_mcp_param_headers(schema, arguments, request.headers)

    async def _serve(self, message: dict[str, Any], dispatch: Dispatch, alone: Connection, statuses: Any) -> _Reply:
        """The server's reply; `statuses` maps JSON-RPC error codes to HTTP's, where the revision does."""
        try:
            # Not the SDK's `serve_one`: it would also tear down what a connection holds, and ours hold nothing.
            runner = Runner(self._server, alone, _NO_LIFESPAN)
            result = await runner.answer(dispatch, message["method"], message.get("params"))
        except Exception as error:  # becomes the error that the protocol has for it; the SDK logs what nobody foresaw
            data = modern_error_data(error)
            return _error(message, statuses.get(data.code, 200), data.code, data.message, data.data)
        return 200, {"jsonrpc": "2.0", "id": message["id"], "result": result}

    async def _attend(self, receive: Receive, response: Response, ending: "_Ending") -> None:
        """Cancels the call once its client has gone, and until then breaks the silence."""
        while True:
            try:
                async with asyncio.timeout(self._silence_seconds):
                    while (await receive())["type"] != "http.disconnect":
                        pass
            except TimeoutError:
                await response.ping()
            else:
                ending.client_gone = True
                ending.cancel()
                return


class _Headers(NamedTuple):
    """The headers that decide how a message is taken: every line of them, and the first of each name."""

    lines: list[tuple[str, str]]
    first: dict[str, str]

    @classmethod
    def of(cls, scope: Scope) -> Self:
        """Those of a request; ASGI has their names in lower case."""
        lines = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"] if name in _READ]
        return cls(lines, dict(reversed(lines)))

    @property
    def version(self) -> str | None:
        """The revision that the client names."""
        return self.first.get(MCP_PROTOCOL_VERSION_HEADER)

    @property
    def session(self) -> str:
        """The session that the client names; empty if it names none."""
        return self.first.get(SESSION_HEADER, "")


class _Attending:
    """Work beside a call: a task, but only from when the call waits for anything, as most that are quick never do."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._beginning = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._work())

    def cancel(self) -> None:
        """The call is over."""
        self._beginning.cancel()
        if self._task is not None:
            self._task.cancel()


@dataclass(slots=True)
class _Ending:
    """How a call ends before its time: its client goes away or cancels it, or the service stops."""

    task: "asyncio.Task[Any] | None"
    client_gone: bool = False
    _cancelled: bool = False

    def cancel(self) -> None:
        """Cancels the call. Once it is done that has no effect."""
        if self.task is not None and not self._cancelled:
            self._cancelled = True
            self.task.cancel()

    async def take_late(self) -> None:
        """Takes a cancellation that came when the call was done, before it hits the sending of the reply."""
        if self._cancelled:
            await asyncio.sleep(0)

    def cause(self) -> str:
        """Who ends a call that has been cancelled: its client, in a message or by leaving, or the service."""
        return "disconnect" if self.client_gone else "client" if self._cancelled else "shutdown"

    def is_ours(self) -> bool:
        """Whether the cancellation that arrived is the client's alone; if so, it goes no further."""
        return self._cancelled and self.task is not None and self.task.uncancel() == 0


async def _accept(send: Send) -> None:
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@lru_cache(maxsize=64)
def _accepted(accept: str) -> tuple[bool, bool]:
    """Whether a client reads JSON, and event streams, as the SDK understands its Accept header."""
    return check_accept_headers(Request({"type": "http", "headers": [(b"accept", accept.encode("latin-1"))]}))


def _progress_token(params: dict[str, Any] | None) -> str | int | None:
    meta = params.get("_meta") if params else None
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return token if isinstance(token, str | int) else None


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
