"""The service: its flows over their adapters, and the process that serves them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from urllib.parse import urlsplit

import anyio
import structlog
import uvloop

from auth_server.adapters.attempt_limits import StoreAttemptLimiter
from auth_server.adapters.audit_trail import StoreAuditTrail
from auth_server.adapters.client_documents.https_documents import HttpsDocuments
from auth_server.adapters.client_documents.public_connections import PublicConnections
from auth_server.adapters.measured_store import measured
from auth_server.adapters.metrics import definitions, gauges, store_seconds
from auth_server.adapters.passwords import Argon2Passwords, open_passwords
from auth_server.adapters.remembered_clients import RememberedClients
from auth_server.app.store import backend, open_keys, open_store
from auth_server.domain.audit import EventName
from auth_server.domain.deployment import Deployment, Upstream
from auth_server.flows.flows import compose
from auth_server.ports.audit import AuditTrail
from auth_server.ports.keys import KeyRing
from auth_server.ports.store import Store
from auth_server.settings import Settings
from auth_server.web.service import Service
from shared_kernel import http_server, logs
from shared_kernel.asgi import App
from shared_kernel.client_address import behind_proxies
from shared_kernel.clock import Clock, SystemClock
from shared_kernel.dpop_nonce import Nonces
from shared_kernel.entropy import Entropy, SystemEntropy
from shared_kernel.front_door import FrontDoor, host_names
from shared_kernel.key_file import read_key_file, read_private_file
from shared_kernel.metrics_page import Metering, MetricsPage
from shared_kernel.request_log import RequestLog
from shared_kernel.tracing import Tracing, start_tracing

HOUSEKEEPING_SECONDS = 600.0
"""Time between two clearings of what is over, and two looks at the age of the signing key."""
_DAY_SECONDS = 86400
SHUTDOWN_SECONDS = 20
_log = structlog.get_logger("auth_server")


@asynccontextmanager
async def service(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    passwords: Argon2Passwords | None = None,
    metering: Metering | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[App]:
    """The ASGI application, over an open store. Raises CannotStart, UnusableKeyFile."""
    clock, entropy = clock or SystemClock(), entropy or SystemEntropy()
    hasher = passwords or await open_passwords()
    master_key = read_key_file(settings.master_key_file)
    kind = backend(settings.store_url)
    async with open_store(settings.store_url, verify=True) as opened:
        store = opened
        if metering is not None:
            seconds = store_seconds()
            metering.metrics.add([seconds])
            store = measured(opened, kind.name, seconds, clock)
        keys = await open_keys(store, master_key, clock, entropy, outage=settings.outage_seconds)
        clients = RememberedClients(store, clock, freshness=kind.client_freshness, outage=settings.outage_seconds)
        trail = StoreAuditTrail(store, clock, entropy, keeps=settings.audit_days > 0)
        deployment = _deployment(settings)
        documents = HttpsDocuments(PublicConnections(settings.client_document_origins))
        flows = compose(
            deployment,
            store=store,
            clients=clients,
            documents=documents,
            upstream=documents,
            keys=keys,
            passwords=hasher,
            limiter=StoreAttemptLimiter(store, clock),
            nonces=Nonces(master_key, "auth-server"),
            trail=trail,
            clock=clock,
            entropy=entropy,
        )
        site = Service(
            flows,
            store=store,
            keys=keys,
            trail=trail,
            deployment=deployment,
            brand=settings.brand_name,
        )
        async with anyio.create_task_group() as housekeeping:
            housekeeping.start_soon(_keep_house, store, keys, settings, trail, clock)
            housekeeping.start_soon(trail.run)
            hosts = host_names([settings.issuer, *settings.resources]) | {*settings.allowed_hosts}
            door = FrontDoor(site, hosts=hosts, limit=settings.max_concurrent_requests)
            app: App = RequestLog(door, clock=clock, entropy=entropy)
            if tracing is not None:
                app = tracing.of(app, site.paths)
            if metering is not None:
                metering.paths.learn(site.paths)
                metering.metrics.add(gauges(lambda: door.working, lambda: hasher.in_flight))
                app = MetricsPage(app, metering)
            yield behind_proxies(app, settings.trusted_proxies)
            housekeeping.cancel_scope.cancel()
        await trail.close()


def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then ends in order. Raises CannotStart, CannotListen, UnusableKeyFile."""
    metering = Metering.over(definitions, settings.metrics_token_file) if settings.metrics_token_file else None
    release = metadata.version("dynamosql-auth-server")
    tracing = start_tracing("auth-server", release, url=settings.traces_url, ratio=settings.traces_ratio)
    observers = [observing.observe for observing in (metering and metering.metrics, tracing) if observing]
    logs.configure("auth-server", settings.log_level, observers)
    listener = http_server.listen(settings.host, settings.port, "AUTH_")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, listener, metering, tracing))
    if tracing is not None:
        tracing.close()


async def _serve(
    settings: Settings, listener: socket.socket, metering: Metering | None, tracing: Tracing | None
) -> None:
    with listener:
        async with service(settings, metering=metering, tracing=tracing) as app:
            _log.info(
                "starting",
                issuer=settings.issuer,
                resources=list(settings.resources),
                store=urlsplit(settings.store_url).scheme,
                address=f"{settings.host}:{settings.port}",
                version=metadata.version("dynamosql-auth-server"),
            )
            await http_server.serve(
                app,
                listener,
                lifespan="off",
                delay_seconds=settings.shutdown_delay_seconds,
                shutdown_seconds=SHUTDOWN_SECONDS,
            )
        _log.info("stopped")


def _deployment(settings: Settings) -> Deployment:
    origins = (host if port == 443 else f"{host}:{port}" for host, port in settings.client_document_origins)
    return Deployment(
        settings.issuer,
        settings.resources,
        frozenset(settings.redirect_schemes),
        client_documents=settings.client_documents,
        document_origins=frozenset(f"https://{origin}" for origin in origins),
        dpop_nonce_required=settings.dpop_nonce_required,
        par_required=settings.par_required,
        registration=settings.registration,
        resource_aliases=settings.resource_aliases,
        assertion_issuers=settings.assertion_issuers,
        upstream=_upstream(settings),
    )


def _upstream(settings: Settings) -> Upstream | None:
    """The other provider. Raises UnusableKeyFile."""
    issuer, client_id = settings.upstream_issuer, settings.upstream_client_id
    file = settings.upstream_client_secret_file
    if issuer is None or client_id is None or file is None:
        return None
    return Upstream(issuer, client_id, read_private_file(file))


async def _keep_house(store: Store, keys: KeyRing, settings: Settings, trail: AuditTrail, clock: Clock) -> None:
    while True:
        # Whatever goes wrong, the next time may do better; an exception from here would end the service.
        try:
            swept = await store.sweep(clock.now())
            if swept:
                trail.record(EventName.SWEPT, rows=swept)
        except Exception:
            _log.exception("sweep_failed")
        try:
            if settings.key_rotation_days and await keys.rotate_older(settings.key_rotation_days * _DAY_SECONDS):
                trail.record(EventName.SIGNING_KEY_ROTATED, key_id=(await keys.signing_key()).key_id)
        except Exception:
            _log.exception("rotation_failed")
        try:
            forgotten = await store.forget_audit(clock.now() - settings.audit_days * _DAY_SECONDS)
            if forgotten:
                trail.record(EventName.AUDIT_FORGOTTEN, batches=forgotten, days=int(settings.audit_days))
            # Noted where whoever can write the store cannot change it.
            head = await store.audit_head()
            _log.info("audit_head", sequence=head.sequence, hash=head.hash.hex())
        except Exception:
            _log.exception("audit_not_forgotten")
        await anyio.sleep(HOUSEKEEPING_SECONDS)
