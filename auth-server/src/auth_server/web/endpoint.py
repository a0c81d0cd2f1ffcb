"""One path: a handler per method, and how it says no."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Refused
from shared_kernel.asgi import ClientDisconnected, Receive, Scope, Send

T = TypeVar("T")

Handler = Callable[[Request], Awaitable[Response]]
"""Answers a request; raises Refused, StoreUnavailable, ClientDisconnected."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: one handler per method, and `refuse`, which words a refusal for programs or for people.

    `cross_origin` endpoints may be called by scripts of any site.
    """

    handlers: Mapping[str, Handler]
    refuse: Callable[[Request, Refused], Response]
    cross_origin: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request whose method has a handler; one whose sender went away gets no answer."""
        request = Request(scope, receive)
        try:
            response = await self.handlers[request.method](request)
        except ClientDisconnected:
            return
        await response(scope, receive, send)


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


def request_id(request: Request) -> str:
    """The id under which the request is logged."""
    return str(request.scope.get("state", {}).get("request_id", ""))
