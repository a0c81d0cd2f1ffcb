"""The ASGI application: every endpoint behind exact paths, and what belongs to every answer."""

from urllib.parse import urlsplit

from starlette.requests import Request

from auth_server.domain.deployment import Deployment
from auth_server.domain.failures import Reason, Refused
from auth_server.flows.flows import Flows
from auth_server.ports.audit import AuditTrail
from auth_server.ports.keys import KeyRing
from auth_server.ports.store import Maintenance
from auth_server.web import cross_origin, refusals, transport_security
from auth_server.web.browser import Browser
from auth_server.web.documents import Documents
from auth_server.web.endpoint import Endpoint, refusal
from auth_server.web.pages import Renderer
from auth_server.web.routes import endpoints, published
from shared_kernel.asgi import App, Prepared, Receive, Scope, Send, header_values


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
        secure = [transport_security.HEADER] if issuer.startswith("https://") else []
        documents = published(deployment, [*cross_origin.HEADERS, *secure])
        table = endpoints(flows, documents, store=store, keys=keys, issuer=issuer, browser=self._browser)
        self.paths = frozenset(table)
        """Every path that answers; the last part of some is a name in braces, which stands for a value."""
        recorded = {path: endpoint.recorded(trail) for path, endpoint in table.items()}
        self._exact = {path: endpoint for path, endpoint in recorded.items() if "{" not in path}
        self._open = [_OpenPath(path, endpoint) for path, endpoint in recorded.items() if "{" in path]
        public = {path: endpoint.handlers for path, endpoint in table.items() if endpoint.cross_origin}
        self._documents = Documents(self._route, documents, keys)
        self._app: App = cross_origin.CrossOrigin(self._documents, public, urlsplit(issuer).path)
        if secure:
            self._app = transport_security.StrictTransportSecurity(self._app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one HTTP request."""
        await self._app(scope, receive, send)

    def at_once(self, scope: Scope) -> Prepared | None:
        """The answer to a request for a document."""
        return self._documents.at_once(scope)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        endpoint = self._exact.get(path)
        if endpoint is not None:
            return await endpoint(scope, receive, send)
        for each in self._open:
            value = each.value_in(path)
            if value is not None:
                scope["path_params"] = {each.name: value}
                return await each.endpoint(scope, receive, send)
        return await self._missing(scope, receive, send)

    async def _missing(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        wants_page = any("text/html" in value for value in header_values(scope, "accept"))
        refuse = self._browser.refuse if wants_page else refusals.as_json
        await refusal(request, Refused(Reason.NOT_FOUND), refuse, self._trail)(scope, receive, send)


class _OpenPath:
    """A path whose last part is a value."""

    def __init__(self, path: str, endpoint: Endpoint) -> None:
        self._stem, _, name = path.partition("{")
        self.name, self.endpoint = name.removesuffix("}"), endpoint

    def value_in(self, path: str) -> str | None:
        """The value in a path of this form; None in another."""
        value = path.removeprefix(self._stem) if path.startswith(self._stem) else ""
        return value if value and "/" not in value else None
