"""The service over HTTP, on one page."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
from joserfc.jwk import ECKey
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Route

from mcp_server.adapters.metrics import gauges
from mcp_server.domain.principal import Principal
from mcp_server.ports.keys import KeySet
from mcp_server.ports.relay import Relay
from mcp_server.ports.revocations import Revocations
from mcp_server.ports.single_use import SingleUse
from mcp_server.ports.tally import UNTALLIED, Tally
from mcp_server.settings import Settings
from mcp_server.surface.exchange import Exchange
from mcp_server.surface.relaying import keep_hearing
from mcp_server.surface.server import Surface
from mcp_server.web import guard, health, metadata
from mcp_server.web.cross_origin import CrossOrigin
from mcp_server.web.other_issuers import OtherIssuersTokens
from mcp_server.web.possession import ProofVerifier
from mcp_server.web.verification import TokenVerifier
from shared_kernel import resource, scope
from shared_kernel.asgi import App, Receive, Scope, Send
from shared_kernel.client_address import behind_proxies
from shared_kernel.clock import Clock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import Entropy
from shared_kernel.front_door import FrontDoor, host_names
from shared_kernel.http_connection import ON_STOPPING
from shared_kernel.metrics_page import Metering, MetricsPage
from shared_kernel.request_log import RequestLog
from shared_kernel.settings import LOOPBACK_HOSTS, is_loopback
from shared_kernel.tracing import Tracing

_HEADERS_FOR_BROWSER_CLIENTS = (
    "Mcp-Session-Id",
    "MCP-Protocol-Version",
    "WWW-Authenticate",
    "DPoP-Nonce",
    "Retry-After",
    "X-Request-Id",
)


def http_app(
    settings: Settings,
    surface: Surface,
    keys: KeySet[ECKey],
    revocations: Revocations,
    *,
    others: Sequence[OtherIssuersTokens] = (),
    nonces: Nonces,
    used_proofs: SingleUse,
    running: Callable[[], AbstractAsyncContextManager[None]],
    ready: Callable[[], bool],
    floods: Callable[[Principal], bool] = lambda _principal: False,
    relay: Relay | None = None,
    clock: Clock,
    entropy: Entropy,
    tally: Tally = UNTALLIED,
    metering: Metering | None = None,
    tracing: Tracing | None = None,
) -> App:
    """The service on one page, over its surface and what its issuer tells; `running` is entered while it runs."""
    transport = _transport_security(settings)
    exchange = Exchange(surface.server, sessions=surface.sessions, entropy=entropy, relay=relay)
    endpoint: App = guard.Guard(
        exchange,
        verifier=TokenVerifier(
            keys,
            revocations,
            issuer=settings.issuer,
            audience=settings.resource,
            clock=clock,
            others=others,
            tally=tally,
        ),
        proofs=ProofVerifier(
            resource=settings.resource,
            nonces=nonces,
            used=used_proofs,
            nonce_required=settings.dpop_nonce_required,
            clock=clock,
        ),
        dpop_required=settings.dpop_required,
        transport=transport,
        metadata_url=metadata.metadata_url(settings.resource),
        needed_scopes=surface.offer.needed_scopes,
        common_scopes=frozenset(scope.RESOURCE_SCOPES),
        floods=floods,
        held_back=settings.max_concurrent_requests // 4,
    )
    # For exactly the origins that the guard admits: a page of any other is told nothing.
    endpoint = CrossOrigin(
        endpoint,
        allow_origins=[origin for origin in transport.allowed_origins if not origin.endswith(":*")],
        allow_origin_regex=_any_port(transport.allowed_origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=_HEADERS_FOR_BROWSER_CLIENTS,
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with running(), anyio.create_task_group() as background:
            if relay is not None:
                background.start_soon(
                    keep_hearing, relay, exchange.back_channel, surface.log_levels, surface.subscriptions
                )
            yield {ON_STOPPING: surface.subscriptions.close}
            background.cancel_scope.cancel()

    path = urlsplit(settings.resource).path or "/"
    routes = [
        Route(path, endpoint),
        *metadata.routes(
            resource=settings.resource,
            issuer=settings.issuer,
            name=settings.brand_name,
            dpop_required=settings.dpop_required,
        ),
        *health.routes(ready),
    ]
    application = Starlette(routes=routes, lifespan=lifespan)
    application.router.redirect_slashes = False  # a redirect would carry the request's Host
    hosts = host_names([settings.resource]) | {*settings.allowed_hosts}
    door = FrontDoor(_ShortWay(path, endpoint, application), hosts=hosts, limit=settings.max_concurrent_requests)
    app: App = RequestLog(door, clock=clock, entropy=entropy)
    if tracing is not None:
        app = tracing.of(app, [route.path for route in routes])
    if metering is not None:
        metering.paths.learn(route.path for route in routes)
        metering.metrics.add(gauges(lambda: door.working))
        app = MetricsPage(app, metering)
    return behind_proxies(app, settings.trusted_proxies)


class _ShortWay:
    """Finds the endpoint by its path, without a walk through the routes; for all else it is the application."""

    def __init__(self, path: str, endpoint: App, application: App) -> None:
        self._path, self._application = path, application
        self._endpoint = ServerErrorMiddleware(endpoint)  # as the application has it around its routes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serves one connection scope."""
        found = scope["type"] == "http" and scope["path"] == self._path
        return (self._endpoint if found else self._application)(scope, receive, send)


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


def _any_port(origins: Sequence[str]) -> str | None:
    """A pattern for the origins of which every port is admitted (`…:*`), None if there are none."""
    hosts = [re.escape(origin.removesuffix(":*")) for origin in origins if origin.endswith(":*")]
    return f"({'|'.join(hosts)}):[0-9]+" if hosts else None
