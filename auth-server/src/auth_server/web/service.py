"""The ASGI application: every endpoint behind exact paths, and what belongs to every answer."""

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.routing import Match, Route, Router

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.flows import Flows
from auth_server.ports.audit import AuditTrail
from auth_server.ports.keys import KeyRing
from auth_server.ports.store import Maintenance
from auth_server.web import refusals
from auth_server.web.browser import Browser
from auth_server.web.cross_origin import CrossOrigin
from auth_server.web.documents import Documents
from auth_server.web.endpoint import refusal
from auth_server.web.pages import Renderer
from auth_server.web.routes import endpoints, published
from auth_server.web.transport_security import StrictTransportSecurity
from shared_kernel.asgi import App, Receive, Scope, Send, header_values


class Service:
    """Every endpoint; no other path answers, and no spelling of theirs but the exact one."""

    def __init__(
        self,
        flows: Flows,
        *,
        store: Maintenance,
        keys: KeyRing,
        trail: AuditTrail,
        deployment: Deployment,
        brand: str,
    ) -> None:
        issuer, self._trail = deployment.issuer, trail
        self._browser = Browser(issuer=issuer, render=Renderer(brand=brand, issuer=issuer))
        documents = published(deployment, keys)
        table = endpoints(flows, documents, store=store, keys=keys, issuer=issuer, browser=self._browser)
        self.paths = frozenset(table)
        """Every path that answers; the last part of some is a name in braces, which stands for a value."""
        routes = [_ExactRoute(path, endpoint.recorded(trail)) for path, endpoint in table.items()]
        router = Router(routes, redirect_slashes=False, default=self._missing)
        public = {path: endpoint.handlers for path, endpoint in table.items() if endpoint.cross_origin}
        self._app: App = CrossOrigin(Documents(router, documents), public, urlsplit(issuer).path)
        if issuer.startswith("https://"):
            self._app = StrictTransportSecurity(self._app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        await self._app(scope, receive, send)

    async def _missing(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        wants_page = any("text/html" in value for value in header_values(scope, "accept"))
        refuse = self._browser.refuse if wants_page else refusals.as_json
        await refusal(request, Refused(Reason.NOT_FOUND), refuse, self._trail)(scope, receive, send)


class _ExactRoute(Route):
    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, MutableMapping[str, Any]]:
        # Starlette's pattern ends in `$`, which also matches before a final line feed.
        stem, brace, name = self.path.partition("{")
        value = scope["path"].removeprefix(stem) if brace and scope["path"].startswith(stem) else ""
        if scope["path"] == self.path and not brace:
            return Match.FULL, {}
        if value and "/" not in value:
            return Match.FULL, {"path_params": {name.removesuffix("}"): value}}
        return Match.NONE, {}
