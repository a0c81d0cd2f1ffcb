"""The ASGI application: routes a request, and answers it whatever comes of it."""

import logging
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Facts, Reason, Refused
from auth_server.flows.flows import Flows
from auth_server.ports.keys import KeyRing
from auth_server.ports.store import Maintenance, StoreUnavailable
from auth_server.web import refusals
from auth_server.web.browser import Browser
from auth_server.web.cross_origin import CrossOrigin
from auth_server.web.documents import Documents
from auth_server.web.endpoint import Endpoint
from auth_server.web.pages import Renderer
from auth_server.web.routes import endpoints, published
from auth_server.web.transport_security import StrictTransportSecurity
from shared_kernel.asgi import App, Receive, Scope, Send, header_values
from shared_kernel.client_address import client_address

_LOGGED_ID = 128
# Somebody holds what was given to somebody else; what it stood for is revoked.
_SUSPICIOUS = frozenset({Reason.CODE_REUSED, Reason.REFRESH_TOKEN_REUSED, Reason.REFRESH_TOKEN_STOLEN})
_log = structlog.get_logger("web")


class Service:
    """Every endpoint, behind one place that turns refusals into answers."""

    def __init__(
        self,
        flows: Flows,
        *,
        store: Maintenance,
        keys: KeyRing,
        deployment: Deployment,
        brand: str,
    ) -> None:
        issuer = deployment.issuer
        self._browser = Browser(issuer=issuer, render=Renderer(brand=brand, issuer=issuer))
        documents = published(deployment, keys)
        table = endpoints(flows, documents, store=store, keys=keys, issuer=issuer, browser=self._browser)
        app = Starlette(
            routes=[_ExactRoute(path, endpoint, methods=endpoint.handlers) for path, endpoint in table.items()],
            exception_handlers={
                Refused: self._refuse,
                StoreUnavailable: self._refuse,
                HTTPException: self._refuse,
                Exception: self._refuse,
            },
        )
        app.router.redirect_slashes = False
        public = {path: endpoint.handlers for path, endpoint in table.items() if endpoint.cross_origin}
        self._app: App = CrossOrigin(Documents(app, documents), public, urlsplit(issuer).path)
        if issuer.startswith("https://"):
            self._app = StrictTransportSecurity(self._app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        await self._app(scope, receive, send)

    async def _refuse(self, request: Request, error: Exception) -> Response:
        """The answer to a request that a handler, or the router, refused."""
        refused = _refused(error)
        endpoint = request.scope.get("endpoint")
        if isinstance(endpoint, Endpoint):
            response = endpoint.refuse(request, refused)
        else:
            response = (self._browser.refuse if _wants_page(request) else refusals.as_json)(request, refused)
        facts = refused.facts
        _log.log(
            logging.WARNING if refused.reason in _SUSPICIOUS else logging.INFO,
            "refused",
            path=request.url.path,
            status=response.status_code,
            reason=refused.reason.value,
            client_id=facts.client_id[:_LOGGED_ID] if facts.client_id else None,
            user_id=facts.user_id,
            grant=facts.grant_handle,
            address=client_address(request.scope),
        )
        return response


class _ExactRoute(Route):
    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, MutableMapping[str, Any]]:
        # Starlette's pattern ends in `$`, which also matches before a final line feed.
        return (Match.NONE, {}) if scope["path"].endswith("\n") else super().matches(scope)


def _refused(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case StoreUnavailable():
            return Refused(Reason.STORE_UNAVAILABLE)
        case HTTPException(status_code=405, headers=headers):
            allowed = sorted((headers or {}).get("Allow", "").split(", "))
            return Refused(Reason.METHOD_NOT_ALLOWED, Facts(allowed_methods=tuple(allowed)))
        case HTTPException(status_code=404):
            return Refused(Reason.NOT_FOUND)
        case _:
            return Refused(Reason.CRASHED)


def _wants_page(request: Request) -> bool:
    return any("text/html" in value for value in header_values(request.scope, "accept"))
