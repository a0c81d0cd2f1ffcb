"""What every endpoint shares: methods, cross-origin rules, and how it says no."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from starlette.requests import Request
from starlette.responses import Response

from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.ports.store import StoreUnavailable
from shared_kernel.asgi import ClientDisconnected, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]

_LOGGED_ID = 128
_log = structlog.get_logger("web")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path: one handler per method, and `refuse`, which words a refusal for programs or for people.

    `cross_origin` endpoints may be called by scripts of any site, always without credentials of the browser's.
    """

    methods: Mapping[str, Handler]
    refuse: Callable[[Request, Refused], Response]
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
        try:
            handler = self.methods.get(request.method)
            if handler is None:
                raise Refused(Reason.METHOD_NOT_ALLOWED, Facts(allowed_methods=tuple(self.methods)))
            return await handler(request)
        except Refused as refused:
            return self._refuse(request, refused)
        except StoreUnavailable:
            return self._refuse(request, Refused(Reason.STORE_UNAVAILABLE))
        except ClientDisconnected:
            raise
        except Exception:
            # Answered here and not further out, so that people get a page and scripts can read the answer.
            _log.exception("request_crashed", method=request.method, path=request.url.path)
            return self.refuse(request, Refused(Reason.CRASHED))

    def _refuse(self, request: Request, refused: Refused) -> Response:
        response = self.refuse(request, refused)
        whom = (refused.facts.client_id or "")[:_LOGGED_ID]
        _log.info(
            "refused",
            path=request.url.path,
            status=response.status_code,
            reason=refused.reason.value,
            client_id=whom,
        )
        return response

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
