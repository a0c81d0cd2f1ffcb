"""One call of a tool, a resource or a prompt, as its handler sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from mcp.server.context import ServerRequestContext
from mcp.shared.message import ServerMessageMetadata
from mcp.types import (
    ClientCapabilities,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
    ServerRequest,
)
from pydantic import BaseModel

from mcp_server.access.bearer import PRINCIPAL_KEY
from mcp_server.domain.principal import Principal
from mcp_server.surface.log_levels import LogLevels
from shared_kernel.asgi import answer_headers

CANCELLED_BY_KEY = "cancelled_by"
"""Where the request's state has what tells who cancelled its call."""
SHOWS_FORMS_KEY = "shows_forms"
"""Where the request's state says that its client, of a handshake revision, shows forms and can be asked."""

_Answer = TypeVar("_Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, and the ways to the client while the call is under way.

    `answers` are the client's to the questions of an InputRequiredResult, by name, and `state` is what that result
    gave it to keep; both are None in the first round. The state is sealed on its way, and bound to principal and
    arguments.
    """

    context: ServerRequestContext[Any]
    principal: Principal
    log_levels: LogLevels
    answers: Mapping[str, Any] | None = None
    state: str | None = None

    @property
    def request_id(self) -> str:
        """What the log calls the HTTP request."""
        return str(_state(self.context).get("request_id", ""))

    @property
    def address(self) -> str | None:
        """Where the request came from, as far as proxies are believed."""
        client = self.context.request.scope.get("client") if self.context.request is not None else None
        return client[0] if client else None

    @property
    def cancelled_by(self) -> str | None:
        """Who cancelled the call: `client`, `disconnect` or `shutdown`; None over transports that do not tell."""
        tell = _state(self.context).get(CANCELLED_BY_KEY)
        return tell() if tell is not None else None

    @property
    def capabilities(self) -> ClientCapabilities | None:
        """What the client can do; None in the handshake revisions, whose clients said so in another exchange."""
        return self.context.session.client_capabilities

    @property
    def shows_forms(self) -> bool:
        """Whether the client said in its handshake that it shows forms, so that `ask` is answered."""
        return bool(_state(self.context).get(SHOWS_FORMS_KEY))

    @property
    def wants_progress(self) -> bool:
        """Whether the client asked for progress."""
        return "progress_token" in (self.context.meta or {})

    def advise_retry(self, seconds: int) -> None:
        """Tells HTTP too when the call may be made again, in vain where the response has begun as an event stream."""
        if self.context.request is not None:
            answer_headers(self.context.request.scope).append((b"retry-after", b"%d" % seconds))

    async def progress(self, done: float, total: float | None = None, text: str | None = None) -> None:
        """Reports progress, if the client asked for it; `done` must grow."""
        await self.context.session.report_progress(done, total, text)

    async def log(self, level: LoggingLevel, data: Any) -> None:
        """Sends a log message, if the client takes messages of that level."""
        if self.log_levels.takes(self.context, self.principal, level):
            message = LoggingMessageNotification(params=LoggingMessageNotificationParams(level=level, data=data))
            await self.context.session.send_notification(message, self.context.request_id)

    async def ask(self, question: ServerRequest, answer: type[_Answer], seconds: float | None = None) -> _Answer:
        """The client's answer, in the handshake revisions. Raises MCPError, ValidationError.

        `seconds` is how long the client may take, if not as long as any.
        """
        metadata = ServerMessageMetadata(related_request_id=self.context.request_id)
        return await self.context.session.send_request(question, answer, seconds, metadata)


def principal_of(context: ServerRequestContext[Any]) -> Principal:
    """The request's own principal: both eras hand the HTTP request, whose state the guard filled, to the handler."""
    principal = _state(context)[PRINCIPAL_KEY]
    if not isinstance(principal, Principal):
        raise TypeError
    return principal


def _state(context: ServerRequestContext[Any]) -> dict[str, Any]:
    request = context.request
    if request is None:  # only over transports that we do not serve
        raise TypeError
    state: dict[str, Any] = request.scope["state"]
    return state
