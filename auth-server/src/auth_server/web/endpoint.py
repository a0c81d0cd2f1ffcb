"""One path: a handler per method, and how it says no."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.audit import EventName
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.audit import AuditTrail
from auth_server.ports.store import StoreUnavailable
from shared_kernel.asgi import ClientDisconnected, Receive, Scope, Send, send_answer
from shared_kernel.client_address import client_address

_LOGGED_ID = 128

T = TypeVar("T")

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request, whole: with no stream, and with nothing to be done afterwards.

Raises Refused, StoreUnavailable, ClientDisconnected.
"""


Refuse = Callable[[Request, Refused], Response]
"""Words a refusal for programs or for people."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: one handler per method, and how it says no. Scripts of any site may call it if it is `cross_origin`.

    What it refuses is recorded once it has a trail.
    """

    handlers: Mapping[str, Handler]
    refuse: Refuse
    cross_origin: bool
    trail: AuditTrail | None = None

    def recorded(self, trail: AuditTrail) -> "Endpoint":
        """The same endpoint, which records what it refuses."""
        return replace(self, trail=trail)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, whatever comes of it; one whose sender went away gets no answer."""
        request = Request(scope, receive)
        crash: Exception | None = None
        try:
            response = await self._handler(scope)(request)
        except ClientDisconnected:
            return
        except Refused as refused:
            response = self._refusal(request, refused)
        except StoreUnavailable:
            response = self._refusal(request, Refused(Reason.STORE_UNAVAILABLE))
        except Exception as error:
            crash = error
            response = self._refusal(request, Refused(Reason.CRASHED))
        await send_answer(scope, send, response.status_code, response.raw_headers, bytes(response.body))
        if crash is not None:
            raise crash  # answered, and for the request log to tell

    def _refusal(self, request: Request, refused: Refused) -> Response:
        return refusal(request, refused, self.refuse, self.trail) if self.trail else self.refuse(request, refused)

    def _handler(self, scope: Scope) -> Handler:
        handler = self.handlers.get(scope["method"])
        if handler is None:
            raise Refused(Reason.METHOD_NOT_ALLOWED, Facts(allowed_methods=tuple(sorted(self.handlers))))
        return handler


def refusal(request: Request, refused: Refused, refuse: Refuse, trail: AuditTrail) -> Response:
    """The answer to a request that is refused, whose reason is recorded."""
    response = refuse(request, refused)
    if refused.reason is Reason.AUTHORIZATION_PENDING:
        return response  # the device asks again and again, and the person has not answered yet
    facts = refused.facts
    trail.record(
        EventName.REFUSED,
        flow_id=facts.grant_handle,
        client_id=facts.client_id[:_LOGGED_ID] if facts.client_id else None,
        user_id=facts.user_id,
        address=client_address(request.scope),
        reason=refused.reason.value,
        path=request.scope["path"],
        status=response.status_code,
        detail=facts.defect,
    )
    return response


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of work that is cancelled when the client goes away. The request's body has been read.

    Raises ClientDisconnected, and what the work raises.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnected
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
