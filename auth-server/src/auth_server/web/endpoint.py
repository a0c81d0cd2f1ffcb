"""What every endpoint shares: methods, cross-origin rules, and how it says no."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import Response

from auth_server.flows.answers import STORE_RETRY_AFTER
from auth_server.ports.store import StoreUnavailable
from auth_server.web.parameters import BadRequest
from shared_kernel.asgi import ClientDisconnected, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]

_log = structlog.get_logger("web")


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal that no flow was asked about: status, OAuth error code, a constant sentence, further headers."""

    status: int
    error: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()


def unreadable(error: BadRequest, code: str = "invalid_request") -> Problem:
    """What is said to a request that could not be read; `code` is the endpoint's word for it."""
    # The rest of such a body may never end, and would be read as long as the connection lives.
    headers = (("Connection", "close"),) if error.status in {408, 413} else ()
    return Problem(error.status, code, error.reason, headers)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: a handler a method, and `refuse`, which words a Problem for programs or for people.

    `cross_origin` endpoints may be called by scripts of any site, always without credentials of the browser's.
    """

    methods: Mapping[str, Handler]
    refuse: Callable[[Request, Problem], Response]
    cross_origin: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; one whose sender went away gets no answer."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnected:
            return
        if self.cross_origin:
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Access-Control-Expose-Headers"] = "Retry-After, WWW-Authenticate, X-Request-Id"
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if self.cross_origin and request.method == "OPTIONS":
            return self._preflight()
        handler = self.methods.get(request.method)
        if handler is None:
            allowed = (("Allow", ", ".join(self.methods)),)
            return self.refuse(request, Problem(405, "invalid_request", "Use another HTTP method here.", allowed))
        try:
            return await handler(request)
        except BadRequest as error:
            return self.refuse(request, unreadable(error))
        except StoreUnavailable:
            _log.warning("store_unavailable", path=request.url.path)
            wait = (("Retry-After", str(STORE_RETRY_AFTER)),)
            text = "Try again in a moment; nothing was used up."
            return self.refuse(request, Problem(503, "temporarily_unavailable", text, wait))
        except ClientDisconnected:
            raise
        except Exception:
            # Answered here and not further out, so that people get a page and scripts can read the answer.
            _log.exception("request_crashed", method=request.method, path=request.url.path)
            return self.refuse(request, Problem(500, "server_error", "Something went wrong here."))

    def _preflight(self) -> Response:
        # Fetch §4.8: the wildcard does not cover Authorization, which must be named.
        headers = {
            "Access-Control-Allow-Methods": ", ".join(self.methods),
            "Access-Control-Allow-Headers": "Authorization, Content-Type, MCP-Protocol-Version, *",
            "Access-Control-Max-Age": "86400",
            "Allow": ", ".join([*self.methods, "OPTIONS"]),
        }
        return Response(status_code=204, headers=headers)


def request_id(request: Request) -> str:
    """The id under which the request is logged."""
    return str(request.scope.get("state", {}).get("request_id", ""))
