"""Puts the service together: the only module that knows which adapter stands behind which port."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from mcp_server.ports import KeySet
from mcp_server.settings import LOOPBACK_HOSTS, Settings, is_loopback
from mcp_server.tools.served_tool import ServedTool
from mcp_server.tools.server import ToolSurface, create_server
from mcp_server.web import guard, health, metadata
from mcp_server.web.verification import TokenVerifier
from shared_kernel import resource, scope
from shared_kernel.asgi import App, RequestLog
from shared_kernel.clock import Clock
from shared_kernel.entropy import Entropy

_HEADERS_OF_BROWSER_CLIENTS = ("Authorization", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id")


def http_app(
    settings: Settings,
    tools: Sequence[ServedTool],
    keys: KeySet,
    *,
    running: Callable[[], AbstractAsyncContextManager[None]],
    ready: Callable[[], bool],
    clock: Clock,
    entropy: Entropy,
) -> App:
    """The service on one page, over tools and a key set; `running` is entered for as long as the service runs."""
    surface = ToolSurface(tools, clock=clock)
    server = create_server(surface, title=settings.brand_name, version=version("dynamosql-mcp-server"))
    # Not json_response: in that mode the SDK goes on working for a client that has gone.
    sessions = StreamableHTTPSessionManager(
        server, stateless=True, json_response=False, max_request_body_size=guard.BODY_LIMIT
    )
    endpoint: App = guard.Guard(
        sessions.handle_request,
        verifier=TokenVerifier(keys, issuer=settings.issuer, audience=settings.resource, clock=clock),
        transport=_transport_security(settings),
        metadata_url=metadata.metadata_url(settings.resource),
        tool_scopes=surface.scopes(),
        common_scopes=frozenset(scope.RESOURCE_SCOPES),
    )
    if settings.allowed_origins:
        endpoint = CORSMiddleware(
            endpoint,
            allow_origins=settings.allowed_origins,
            allow_methods=["POST"],
            allow_headers=_HEADERS_OF_BROWSER_CLIENTS,
            expose_headers=["WWW-Authenticate", "X-Request-Id"],
        )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with running(), sessions.run():
            yield

    routes = [
        Route(urlsplit(settings.resource).path or "/", endpoint),
        *metadata.routes(resource=settings.resource, issuer=settings.issuer, name=settings.brand_name),
        *health.routes(ready),
    ]
    application = Starlette(routes=routes, lifespan=lifespan)
    application.router.redirect_slashes = False  # a redirect would carry the request's Host
    return RequestLog(application, clock=clock, entropy=entropy)


def _transport_security(settings: Settings) -> TransportSecuritySettings:
    """The names by which this service may be addressed; DNS rebinding uses another name that resolves to it."""
    host = urlsplit(settings.resource).netloc.removesuffix(f":{urlsplit(settings.resource).port}")
    origins = [resource.origin(settings.resource), *settings.allowed_origins]
    if is_loopback(settings.resource):
        origins += [f"http://{name}:*" for name in LOOPBACK_HOSTS]
    return TransportSecuritySettings(
        allowed_hosts=[form for name in (host, *LOOPBACK_HOSTS) for form in (name, f"{name}:*")],
        allowed_origins=origins,
    )
