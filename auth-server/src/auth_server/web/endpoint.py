"""One path: a handler per method, and how it says no."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Refused
from shared_kernel.asgi import ClientDisconnected, Receive, Scope, Send

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


def request_id(request: Request) -> str:
    """The id under which the request is logged."""
    return str(request.scope.get("state", {}).get("request_id", ""))
